// The safetensors format: u64 length of a JSON header, the header, the tensors' bytes (row-major, little-endian).
// Files written here follow the format's own order (wide elements first, then by name) and load everywhere. They carry
// a checksum of header and data in their metadata; files from elsewhere are read without one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "engine/io/tensor_file.h"

namespace atrous::io {

// An open file. The header is validated in full, and the checksum (if there is one) verified, before the constructor
// returns; tensors are read when asked for, so memory stays near the header's size.
// FormatError: what is wrong with the contents. IoError: the file cannot be read.
class SafetensorsFile : public TensorFile {
 public:
    explicit SafetensorsFile(const std::string& path);

    const char* format() const override { return "safetensors"; }
    bool checksummed() const { return checksummed_; }  // false: damage to the numbers would go unnoticed

    void read(const TensorInfo& tensor, void* to) const;  // tensor.bytes() bytes
    std::vector<std::byte> bytes(const TensorInfo& tensor) const override;

 private:
    void verify_checksum(uint64_t header_bytes, uint64_t file_bytes);

    uint64_t data_offset_ = 0;
    bool checksummed_ = false;
};

struct TensorToWrite {
    std::string name;
    DType dtype = DType::f32;
    std::vector<int64_t> shape;
    std::function<void(Sink&)> write;  // gives the tensor's bytes in order, in as many pieces as it likes
};

TensorToWrite tensor_in_memory(std::string name, DType dtype, std::vector<int64_t> shape, const void* data);

// IoError as write_durably; ShapeError for a name twice, a negative dimension, or bytes that do not fit the shape.
void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata = {}, DurableOptions options = {});

}  // namespace atrous::io
