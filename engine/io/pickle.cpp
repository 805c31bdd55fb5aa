#include "engine/io/pickle.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace atrous::io {
namespace {

// What keeps a hostile file's memory bounded; a state dict takes some twenty values and thirty pushes a tensor.
constexpr size_t max_values = 1 << 20, max_pushes = 4 << 20, max_memo = 4 << 20;
constexpr uint64_t max_pickle_bytes = 32 << 20;
constexpr size_t max_name = 256;

constexpr std::string_view allowed_globals[] = {
    "collections.OrderedDict",         "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_parameter", "torch.nn.parameter.Parameter", "torch.Size",
};
constexpr std::string_view storages[] = {"Float", "Double", "Half", "BFloat16", "Long",         "Int",
                                         "Short", "Char",   "Byte", "Bool",     "ComplexFloat", "ComplexDouble"};

bool is_storage(std::string_view name) {
    for (const std::string_view prefix : {"torch.cuda.", "torch."})
        if (name.starts_with(prefix) && name.ends_with("Storage")) {
            const auto type = name.substr(prefix.size(), name.size() - prefix.size() - 7);
            if (std::find(std::begin(storages), std::end(storages), type) != std::end(storages)) return true;
        }
    return false;
}

bool is_allowed(std::string_view name) {
    return is_storage(name) ||
           std::find(std::begin(allowed_globals), std::end(allowed_globals), name) != std::end(allowed_globals);
}

// Opcodes that exist and are not read, so that a refusal can name them.
const char* name_of_refused(unsigned char opcode) {
    static constexpr std::pair<unsigned char, const char*> names[] = {
        {'0', "POP"},
        {'1', "POP_MARK"},
        {'2', "DUP"},
        {'B', "BINBYTES"},
        {'C', "SHORT_BINBYTES"},
        {'F', "FLOAT"},
        {'I', "INT"},
        {'L', "LONG"},
        {'P', "PERSID"},
        {'S', "STRING"},
        {'T', "BINSTRING"},
        {'V', "UNICODE"},
        {'d', "DICT"},
        {'g', "GET"},
        {'i', "INST"},
        {'l', "LIST"},
        {'o', "OBJ"},
        {'p', "PUT"},
        {0x82, "EXT1"},
        {0x83, "EXT2"},
        {0x84, "EXT4"},
        {0x8b, "LONG4"},
        {0x8c, "SHORT_BINUNICODE"},
        {0x8d, "BINUNICODE8"},
        {0x8e, "BINBYTES8"},
        {0x90, "ADDITEMS"},
        {0x91, "FROZENSET"},
        {0x92, "NEWOBJ_EX"},
        {0x93, "STACK_GLOBAL"},
        {0x94, "MEMOIZE"},
        {0x95, "FRAME"},
        {0x96, "BYTEARRAY8"},
        {0x97, "NEXT_BUFFER"},
        {0x98, "READONLY_BUFFER"},
    };
    for (const auto& [code, name] : names)
        if (code == opcode) return name;
    return "unknown";
}

}  // namespace

class PickleMachine {
 public:
    PickleMachine(ByteReader& reader, const std::string& path) : in_(reader), path_(path), begin_(reader.position()) {}

    Pickle run() {
        while (!stopped_) {
            if (in_.position() - begin_ > max_pickle_bytes)
                throw bad(fmt::format("it is longer than {}", format_bytes(max_pickle_bytes)));
            step(in_.number<unsigned char>());
        }
        return std::move(result_);
    }

 private:
    using Kind = PickleKind;

    FormatError bad(const std::string& what) const {
        return FormatError(fmt::format("{}: the pickle is refused near byte {}: {}", path_, in_.position(), what));
    }

    // clang-format off
    void step(unsigned char opcode) {
        switch (opcode) {
            case 0x80: return protocol();
            case 'c': return global();
            case 'q': return memoize(in_.number<uint8_t>());
            case 'r': return memoize(in_.number<uint32_t>());
            case 'h': return recall(in_.number<uint8_t>());
            case 'j': return recall(in_.number<uint32_t>());
            case ')': return push({.kind = Kind::tuple});
            case '}': return push({.kind = Kind::dict});
            case ']': return push({.kind = Kind::list});
            case 0x8f: return push({.kind = Kind::list});  // an empty set; none that is filled can follow
            case '(': return mark();
            case 't': return tuple(above_mark());
            case 0x85: return tuple(above(1));
            case 0x86: return tuple(above(2));
            case 0x87: return tuple(above(3));
            case 'X': return text(in_.number<uint32_t>());
            case 'U': return text(in_.number<uint8_t>());
            case 'J': return integer(in_.number<int32_t>());
            case 'K': return integer(in_.number<uint8_t>());
            case 'M': return integer(in_.number<uint16_t>());
            case 0x8a: return long_integer(in_.number<uint8_t>());
            case 'G': return real();
            case 'N': return push({.kind = Kind::none});
            case 0x88: return push({.kind = Kind::boolean, .integer = 1});
            case 0x89: return push({.kind = Kind::boolean, .integer = 0});
            case 'Q': return persistent();
            case 'R': return call();
            case 0x81: return call();
            case 's': return set_items(above(2));
            case 'u': return set_items(above_mark());
            case 'a': return append(above(1));
            case 'e': return append(above_mark());
            case 'b': return build();
            case '.': return stop();
            default:
                throw bad(fmt::format("opcode {:#04x} ({}) is not read; save the file again with torch.save and its "
                                      "default pickle_protocol",
                                      opcode, name_of_refused(opcode)));
        }
    }
    // clang-format on

    void protocol() {
        const int version = in_.number<uint8_t>();
        if (version < 2 || version > 3)
            throw bad(
                fmt::format("pickle protocol {}; save the file again with torch.save and its default "
                            "pickle_protocol",
                            version));
    }

    void global() {
        const std::string module = in_.line(max_name), name = in_.line(max_name);
        std::string full = module + "." + name;
        if (name.find('.') != std::string::npos || !is_allowed(full))
            throw FormatError(fmt::format(
                "{}: needs Python's {}, and nothing from a file is executed here; it may hold a whole module or other "
                "objects: save the weights alone, in Python: torch.save(model.state_dict(), 'weights.pth')",
                path_, in_quotes(full)));
        push({.kind = Kind::global, .text = std::move(full)});
    }

    void push_index(uint32_t index) {
        if (++pushes_ > max_pushes) throw bad(fmt::format("it pushes more than {} values", max_pushes));
        stack_.push_back(index);
    }
    void push(PickleValue value) {
        auto& values = result_.values_;
        if (values.size() == max_values) throw bad(fmt::format("it holds more than {} values", max_values));
        values.push_back(std::move(value));
        push_index(uint32_t(values.size() - 1));
    }

    // The lowest index that may be popped.
    size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    uint32_t top() const {
        if (stack_.size() <= floor()) throw bad("its stack is empty");
        return stack_.back();
    }
    uint32_t pop() {
        const uint32_t index = top();
        stack_.pop_back();
        return index;
    }
    std::vector<uint32_t> taken_from(size_t begin) {
        std::vector<uint32_t> items(stack_.begin() + ptrdiff_t(begin), stack_.end());
        stack_.resize(begin);
        return items;
    }
    std::vector<uint32_t> above(size_t count) {
        if (stack_.size() - floor() < count) throw bad("its stack is empty");
        return taken_from(stack_.size() - count);
    }
    std::vector<uint32_t> above_mark() {
        if (marks_.empty()) throw bad("a mark is missing");
        const size_t begin = marks_.back();
        marks_.pop_back();
        return taken_from(begin);
    }
    void mark() {
        if (marks_.size() == max_values) throw bad("it has too many marks");
        marks_.push_back(stack_.size());
    }

    void memoize(uint32_t index) {
        if (index >= max_memo) throw bad(fmt::format("memo {} is out of range", index));
        if (index >= memo_.size()) memo_.resize(index + 1, UINT32_MAX);
        memo_[index] = top();
    }
    void recall(uint32_t index) {
        if (index >= memo_.size() || memo_[index] == UINT32_MAX) throw bad(fmt::format("memo {} is not set", index));
        push_index(memo_[index]);
    }

    void tuple(std::vector<uint32_t> items) { push({.kind = Kind::tuple, .items = std::move(items)}); }
    void text(uint32_t bytes) { push({.kind = Kind::text, .text = in_.text(bytes)}); }
    void integer(int64_t value) { push({.kind = Kind::integer, .integer = value}); }
    void long_integer(int bytes) {
        if (bytes > 8) throw bad(fmt::format("an integer of {} bytes", bytes));
        uint64_t value = 0;
        for (int i = 0; i < bytes; ++i) value |= uint64_t(in_.number<uint8_t>()) << 8 * i;
        if (bytes > 0 && bytes < 8 && value >> (8 * bytes - 1)) value |= ~uint64_t(0) << 8 * bytes;
        integer(int64_t(value));
    }
    void real() {
        in_.skip(8);
        push({.kind = Kind::real});
    }
    void persistent() {
        const uint32_t id = pop();
        push({.kind = Kind::persistent, .items = {id}});
    }

    // REDUCE and NEWOBJ: f(*arguments), noted and not made. An ordered dict is the one thing that is built.
    void call() {
        const uint32_t arguments = pop(), function = pop();
        const PickleValue &a = result_.values_[arguments], &f = result_.values_[function];
        if (f.kind != Kind::global || a.kind != Kind::tuple) throw bad("a call of something that is no function");
        if (f.text == "collections.OrderedDict") return ordered_dict(a);
        if (is_storage(f.text)) throw bad("a call of " + f.text);
        push({.kind = Kind::call, .text = f.text, .items = {arguments}});
    }
    void ordered_dict(const PickleValue& arguments) {  // OrderedDict() or, in Python 2, OrderedDict([[key, value], …])
        PickleValue dict{.kind = Kind::dict};
        if (arguments.items.size() > 1) throw bad("an OrderedDict of several arguments");
        if (!arguments.items.empty())
            for (const uint32_t index : result_.values_[arguments.items[0]].items) {
                const PickleValue& pair = result_.values_[index];
                if (pair.items.size() != 2) throw bad("an OrderedDict of something other than pairs");
                dict.items.insert(dict.items.end(), pair.items.begin(), pair.items.end());
                copied_ += 2;  // one list may be given to many dicts
                if (copied_ > max_pushes) throw bad("its OrderedDicts are too large");
            }
        push(std::move(dict));
    }

    void extend(Kind kind, const char* what, const std::vector<uint32_t>& items) {
        PickleValue& target = result_.values_[top()];
        if (target.kind != kind) throw bad(std::string("items are given to something that is no ") + what);
        target.items.insert(target.items.end(), items.begin(), items.end());
    }
    void set_items(const std::vector<uint32_t>& items) {
        if (items.size() % 2) throw bad("a key without a value");
        extend(Kind::dict, "dict", items);
    }
    void append(const std::vector<uint32_t>& items) { extend(Kind::list, "list", items); }

    // Attributes of an object: a state dict's _metadata, an old parameter's flags. They say nothing about values.
    void build() {
        pop();
        const PickleValue& target = result_.values_[top()];
        if (target.kind != Kind::dict && target.text != "torch.nn.parameter.Parameter")
            throw bad("BUILD of something that is no dict and no parameter");
    }

    void stop() {
        result_.root_ = pop();
        if (!stack_.empty() || !marks_.empty()) throw bad("values are left over at its end");
        stopped_ = true;
    }

    ByteReader& in_;
    const std::string& path_;
    uint64_t begin_;
    Pickle result_;
    std::vector<uint32_t> stack_, memo_;
    std::vector<size_t> marks_;
    size_t pushes_ = 0, copied_ = 0;
    bool stopped_ = false;
};

Pickle read_pickle(ByteReader& reader, const std::string& path) { return PickleMachine(reader, path).run(); }

}  // namespace atrous::io
