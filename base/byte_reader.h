// A span of a file read in order through a small buffer. Little-endian numbers.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/posix.h"

namespace atrous::io {

class ByteReader {
 public:
    // The bytes [begin, end); `what` names them in the error for reading past the end: "its pickle".
    ByteReader(const FileDescriptor& file, uint64_t begin, uint64_t end, const std::string& path, std::string what,
               size_t buffer_bytes = 64 << 10);

    uint64_t position() const { return offset_ - (filled_ - at_); }  // in the file
    uint64_t left() const { return end_ - position(); }

    void read(void* to, size_t bytes);  // FormatError where fewer are left
    template <class T>
    T number() {
        T value;
        if (filled_ - at_ >= sizeof value) {
            std::memcpy(&value, buffer_.data() + at_, sizeof value);
            at_ += sizeof value;
        } else {
            read(&value, sizeof value);
        }
        return value;
    }
    // `bytes` of text; nothing is allocated for a length that the span does not have.
    std::string text(uint64_t bytes);
    std::string line(size_t at_most);  // up to and without the next newline
    void skip(uint64_t bytes);

 private:
    void require(uint64_t bytes) const;

    const FileDescriptor& file_;
    std::string path_, what_;
    uint64_t offset_, end_;  // of the next byte that is not in the buffer
    std::vector<char> buffer_;
    size_t at_ = 0, filled_ = 0;
};

}  // namespace atrous::io
