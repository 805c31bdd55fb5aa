// A file without a name, for what does not fit into memory: it is gone when it is closed, or when the program ends. Where the
// file system has no such files (O_TMPFILE) it has a name until it is unlinked: a program that is killed in between leaves an empty
// file .atrous-XXXXXX.
#pragma once

#include <cstdint>
#include <string>

#include "base/posix.h"

namespace atrous::io {

class ScratchFile {
 public:
    // On the disk of this folder. IoError where no file can be made there.
    explicit ScratchFile(const std::string& folder);

    // Takes the space of so many bytes now. Returns the system's error where there is no room for them (ENOSPC, EDQUOT, EFBIG),
    // else 0; so too where the file system cannot reserve: append() then finds out.
    int reserve(uint64_t bytes);
    void append(const void* data, size_t bytes);               // IoError
    void read(void* to, size_t bytes, uint64_t offset) const;  // IoError where fewer are there

 private:
    std::string folder_;
    FileDescriptor file_;
    uint64_t size_ = 0;
};

// What ScratchFile opens where files have to have a name: it is unlinked already. None where it cannot be made, with errno.
FileDescriptor open_unlinked(const std::string& folder);

}  // namespace atrous::io
