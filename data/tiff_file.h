// A TIFF in memory or on disk as libtiff opens it: its messages are kept, and it takes no more memory than it is allowed.
#pragma once

#include <exception>
#include <string>

#include "base/posix.h"
#include "data/codecs.h"
#include "data/libtiff.h"

namespace atrous::data::codec {

class TiffFile {
 public:
    // No single piece of libtiff's own memory may have more than `most` bytes. Throws DataError for what is no TIFF, and
    // IoError where libtiff is missing.
    TiffFile(Bytes bytes, int64_t most, const std::string& path);
    // Of a file that is read as libtiff asks for its parts.
    TiffFile(io::FileDescriptor file, int64_t most, const std::string& path);
    ~TiffFile() {
        if (tiff_) libtiff().close(tiff_);
    }
    TiffFile(const TiffFile&) = delete;

    TIFF* get() const { return tiff_; }
    // Values of tags, or libtiff's default, or `otherwise`.
    uint32_t number(uint32_t tag, uint32_t otherwise) const;       // of a tag of 32 bits
    uint16_t half_number(uint32_t tag, uint16_t otherwise) const;  // of one of 16

    // From here on warnings count as errors too: libtiff warns where it makes pixels up.
    void be_strict() { source_.strict = true; }
    const std::string& message() const { return source_.message; }  // the first one; empty: there was none
    // DataError with the message, if there is one, or what reading from the disk threw.
    [[noreturn]] void refuse(const std::string& otherwise) const;
    const std::string& path() const { return source_.path; }
    int64_t size() const { return int64_t(source_.size); }  // in bytes

 private:
    struct Source {
        Bytes bytes;              // of a TIFF in memory
        io::FileDescriptor file;  // of one on disk
        std::string path;
        uint64_t size;
        uint64_t at = 0;
        bool strict = false;
        std::string message = {};
        std::exception_ptr failure = {};  // of reading from the disk
    };
    static tmsize_t read(thandle_t handle, void* to, tmsize_t size);
    static uint64_t seek(thandle_t handle, uint64_t offset, int whence);
    void open(int64_t most);
    static void note(void* user, const char* format, va_list values);

    Source source_;
    TIFF* tiff_ = nullptr;
};

}  // namespace atrous::data::codec
