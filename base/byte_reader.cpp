#include "base/byte_reader.h"

#include <fmt/core.h>

#include <algorithm>

namespace atrous::io {

ByteReader::ByteReader(const FileDescriptor& file, uint64_t begin, uint64_t end, const std::string& path,
                       std::string what, size_t buffer_bytes)
    : file_(file),
      path_(path),
      what_(std::move(what)),
      offset_(begin),
      end_(end),
      buffer_(size_t(std::min<uint64_t>(end - begin, buffer_bytes))) {}

void ByteReader::require(uint64_t bytes) const {
    if (bytes > left())
        throw FormatError(fmt::format("{}: {} ends at byte {} where {} more bytes belong; copy or download it again",
                                      path_, what_, end_, bytes - left()));
}

void ByteReader::read(void* to, size_t bytes) {
    require(bytes);
    auto* target = static_cast<char*>(to);
    while (bytes > 0) {
        if (at_ == filled_) {
            filled_ = size_t(std::min<uint64_t>(end_ - offset_, buffer_.size()));
            at_ = 0;
            if (read_at(file_, buffer_.data(), filled_, offset_, path_) < filled_)
                throw FormatError(path_ + ": the file became shorter while it was being read");
            offset_ += filled_;
        }
        const size_t n = std::min(bytes, filled_ - at_);
        std::memcpy(target, buffer_.data() + at_, n);
        at_ += n;
        target += n;
        bytes -= n;
    }
}

std::string ByteReader::text(uint64_t bytes) {
    require(bytes);
    std::string text(size_t(bytes), '\0');
    read(text.data(), text.size());
    return text;
}

std::string ByteReader::line(size_t at_most) {
    std::string text;
    for (;;) {
        const char c = number<char>();
        if (c == '\n') return text;
        if (text.size() == at_most)
            throw FormatError(fmt::format("{}: {} holds a line of more than {} bytes", path_, what_, at_most));
        text += c;
    }
}

void ByteReader::skip(uint64_t bytes) {
    require(bytes);
    const uint64_t buffered = std::min<uint64_t>(bytes, filled_ - at_);
    at_ += size_t(buffered);
    offset_ += bytes - buffered;  // only where the buffer is used up
}

}  // namespace atrous::io
