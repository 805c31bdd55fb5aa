// Finds the tensors in the pickle of a .pth file, for the reader beside it.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/io/pth.h"

namespace atrous::io::detail {

struct StorageType {
    const char* name;  // "Float", of torch.FloatStorage
    size_t bytes;      // of an element
    bool readable;
    DType dtype;
};

struct NamedStorage {
    std::string key;
    const StorageType* type = nullptr;
    uint64_t count = 0;  // elements
    uint64_t begin = 0;  // in the file; filled in by the reader
    uint64_t bytes() const { return count * type->bytes; }
};

// The storages that a pickle names, every one once. FormatError where it contradicts itself or sizes overflow.
class StorageTable {
 public:
    StorageTable(const Pickle& pickle, const std::string& path);
    std::vector<NamedStorage>& storages() { return storages_; }
    NamedStorage* find(const std::string& key);

    struct View {
        const NamedStorage* storage;
        uint64_t offset, count;  // a part of the storage, in elements (files before PyTorch 0.4)
    };
    View view_of(uint32_t value) const;  // of a value of kind persistent

 private:
    struct Reference {
        uint32_t storage;
        uint64_t offset, count;
    };
    void add(const Pickle& pickle, uint32_t value);

    std::string path_;
    std::vector<NamedStorage> storages_;
    std::unordered_map<std::string, uint32_t> by_key_;
    std::unordered_map<uint32_t, Reference> references_;
};

struct FoundTensors {
    std::vector<TensorInfo> infos;
    std::vector<PthFile::Strided> strided;
    std::vector<std::string> notes;
};

// The state dict's tensors (see pth.h for which dict that is). FormatError.
FoundTensors find_tensors(const Pickle& pickle, const StorageTable& storages, const std::string& entry,
                          const std::string& path);

}  // namespace atrous::io::detail
