// A file of named tensors in PyTorch's shapes, whatever its format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/posix.h"

namespace atrous::io {

struct TensorInfo {
    std::string name;
    DType dtype = DType::f32;
    std::vector<int64_t> shape;   // as in the file: PyTorch's order
    uint64_t begin = 0, end = 0;  // bytes within the data section; where a format has none, 0 and the size

    uint64_t bytes() const { return end - begin; }
    uint64_t count() const { return bytes() / size_of(dtype); }
};

class TensorFile {
 public:
    virtual ~TensorFile() = default;
    virtual const char* format() const = 0;  // "safetensors", "PyTorch zip", "PyTorch legacy"

    const std::string& path() const { return path_; }
    const std::vector<TensorInfo>& tensors() const { return tensors_; }               // in the order of the file
    const TensorInfo* find(const std::string& name) const;                            // nullptr if absent
    const TensorInfo& at(const std::string& name) const;                              // FormatError if absent
    const std::map<std::string, std::string>& metadata() const { return metadata_; }  // without our checksum
    const std::vector<std::string>& notes() const { return notes_; }  // what was left out, for a user to read

    // The values, dense and row-major: tensor.bytes() bytes.
    virtual std::vector<std::byte> bytes(const TensorInfo& tensor) const = 0;

    // Must be called after reading. Throws FormatError where the file was written to since it was opened, so that what
    // was read may be partly of the old and partly of the new contents. A file that another one replaced is as it was.
    void verify_unchanged() const;

 protected:
    explicit TensorFile(const std::string& path);  // IoError where it cannot be opened
    const TensorInfo* index_names();  // after tensors_ is filled; a tensor whose name another one has, or null

    std::string path_;
    FileDescriptor file_;
    FileStamp opened_;  // from before anything was read
    std::vector<TensorInfo> tensors_;
    std::map<std::string, std::string> metadata_;
    std::vector<std::string> notes_;

 private:
    std::vector<uint32_t> by_name_;
};

// Opens a file by its contents: .pth and .pt (zip and legacy) or safetensors. IoError, FormatError.
std::unique_ptr<TensorFile> open_tensors(const std::string& path);

std::string shape_text(const std::vector<int64_t>& shape);  // "[64x3x7x7]"

}  // namespace atrous::io
