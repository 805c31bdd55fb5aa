#include "apps/ui/plain_output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace atrous::app {
namespace {

// Of the bytes below 0x20 and of DEL; and of U+0080 to U+009F, which in UTF-8 follow a byte 0xC2.
bool is_control(unsigned char before, unsigned char c) {
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (before == 0xc2 && c >= 0x80 && c < 0xa0);
}

ssize_t write_plain(void* last, const char* text, size_t bytes) {
    auto& before = *static_cast<unsigned char*>(last);
    std::string plain(text, bytes);
    for (char& c : plain) {
        const auto byte = static_cast<unsigned char>(c);
        if (is_control(before, byte)) c = '?';
        before = byte;
    }
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = ::write(STDOUT_FILENO, plain.data() + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 0;  // an error, as fopencookie wants it said
        done += size_t(n);
    }
    return ssize_t(bytes);
}

}  // namespace

void make_output_plain() {
    static unsigned char before = 0;
    std::FILE* plain =
        ::fopencookie(&before, "w", {.read = nullptr, .write = write_plain, .seek = nullptr, .close = nullptr});
    if (!plain) return;
    std::setvbuf(plain, nullptr, ::isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
    std::fflush(stdout);
    stdout = plain;  // a variable like others in the GNU C library
}

}  // namespace atrous::app
