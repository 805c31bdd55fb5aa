// A file without a name, for what does not fit into memory: it is gone when it is closed, or when the program ends.
#pragma once

#include <cstdint>
#include <string>

#include "base/posix.h"

namespace atrous::io {

class ScratchFile {
 public:
    // On the disk of this folder. IoError where no file can be made there.
    explicit ScratchFile(const std::string& folder);

    void append(const void* data, size_t bytes);               // IoError
    void read(void* to, size_t bytes, uint64_t offset) const;  // IoError where fewer are there

 private:
    std::string folder_;
    FileDescriptor file_;
    uint64_t size_ = 0;
};

}  // namespace atrous::io
