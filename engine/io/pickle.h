// A reader of the pickles in which PyTorch keeps tensors: a fixed list of opcodes, a fixed list of Python names.
// Nothing is executed: where Python would call something, the reader notes the call as a value. Everything else is
// refused by name. Source: Python's Lib/pickletools.py; torch/_utils.py, torch/_weights_only_unpickler.py for the
// names.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/byte_reader.h"

namespace atrous::io {

enum class PickleKind : uint8_t {
    none,
    boolean,  // integer
    integer,
    real,  // nobody here asks for its value
    text,
    tuple,       // items
    list,        // items
    dict,        // items: key, value, key, value …
    global,      // text: "torch.FloatStorage"
    call,        // text: the global that Python would call; items: the tuple of its arguments
    persistent,  // items: the one value that names it
};

struct PickleValue {
    PickleKind kind = PickleKind::none;
    int64_t integer = 0;
    std::string text = {};
    std::vector<uint32_t> items = {};  // indices of values: those may be shared and, in a hostile file, go in circles
};

// One pickle's values. They lie in one container, so that no nesting, however deep, costs stack.
class Pickle {
 public:
    const PickleValue& operator[](uint32_t index) const { return values_[index]; }
    uint32_t size() const { return uint32_t(values_.size()); }
    uint32_t root_index() const { return root_; }
    const PickleValue& root() const { return values_[root_]; }

 private:
    friend class PickleMachine;
    std::deque<PickleValue> values_;
    uint32_t root_ = 0;
};

// Reads one pickle and leaves the reader behind it. FormatError naming the opcode or Python name that is not read.
Pickle read_pickle(ByteReader& reader, const std::string& path);

}  // namespace atrous::io
