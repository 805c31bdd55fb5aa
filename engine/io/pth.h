// PyTorch's .pth and .pt files: a dict of tensors, saved by torch.save. Zip archives (PyTorch 1.6 and later) and the
// legacy form before them. Storages of f32, f64, f16, bf16, i64, i32, u8 and bool (read as u8).
//
// The state dict is the file's dict itself if a tensor lies in it, else its entry 'state_dict', 'model_state_dict',
// 'model', 'net' or 'weights' (the first of these that holds tensors), else the only entry that holds tensors and whose
// name does not begin with 'optim'. Dicts within it give dotted names. What is left out is told in notes().
#pragma once

#include "base/durable_file.h"
#include "engine/io/pickle.h"
#include "engine/io/safetensors.h"
#include "engine/io/tensor_file.h"

namespace atrous::io {

// Checked in full (a zip archive's checksums too) before the constructor returns; tensors are read when asked for.
// Memory stays below some hundred MiB whatever the file says. FormatError for anything but dicts of tensors.
class PthFile : public TensorFile {
 public:
    explicit PthFile(const std::string& path, const std::string& entry = "");  // `entry`: the dict to take
    const char* format() const override { return legacy_ ? "PyTorch legacy" : "PyTorch zip"; }
    std::vector<std::byte> bytes(const TensorInfo& tensor) const override;

    struct Storage {
        DType dtype = DType::f32;
        uint64_t begin = 0, count = 0;  // offset in the file, elements
    };
    struct Strided {
        Storage storage;
        uint64_t offset = 0;           // elements into the storage
        std::vector<int64_t> strides;  // elements
        bool negated = false;          // the values are those of the storage times -1
    };

 private:
    void read_zip_archive(const std::string& entry);
    void read_legacy(const std::string& entry);
    void check_amount();

    bool legacy_ = false;
    std::vector<Strided> strided_;  // of tensors_
};

// Writes an ordered dict of tensors as torch.save does; torch.load(…, weights_only=True) takes it. Errors as of
// write_safetensors.
void write_pth(const std::string& path, const std::vector<TensorToWrite>& tensors);

}  // namespace atrous::io
