// File readers and writers share these: an owned descriptor, and errors in the system's words.
#pragma once

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "base/error.h"

namespace atrous::io {

class FileDescriptor {
 public:
    explicit FileDescriptor(int fd = -1) : fd_(fd) {}
    FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    FileDescriptor& operator=(FileDescriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~FileDescriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

 private:
    int fd_;
};

// Tells what a user can do about an error of the file system; null for any other errno.
const char* remedy(int error);

// "<what>: <the system's words for the error>; <what to do>".
IoError system_error(const std::string& what, int error);

// Opens a regular file for reading; IoError for anything else (folders, pipes, devices).
FileDescriptor open_for_reading(const std::string& path);

// A stamp tells whether the contents of an open file changed. It leaves out the time of the file's status, which
// changes too where only its names do: a training puts a new checkpoint in the place of one that is being read, whose
// bytes stay as they are.
struct FileStamp {
    int64_t bytes = 0, seconds = 0, nanoseconds = 0;  // and when it was last written to
    bool operator==(const FileStamp&) const = default;
};
FileStamp stamp_of(const FileDescriptor& file, const std::string& path);  // `path` is for the error message

// Reads up to `bytes` at `offset`; fewer only at the end of the file. `path` is for the error message.
size_t read_at(const FileDescriptor& file, void* to, size_t bytes, uint64_t offset, const std::string& path);

}  // namespace atrous::io
