#include "apps/ui/plain_output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace atrous::app {
namespace {

int last_error = 0;

// What of a character of several bytes, in UTF-8, is still to come; its first byte.
struct State {
    int left = 0;
    unsigned char first = 0;
};

// Bytes below 0x20 and DEL; 0x80 to 0x9f by themselves, and as U+0080 to U+009F.
bool is_control(State& state, unsigned char c) {
    const bool continues = (c & 0xc0) == 0x80;
    if (continues && state.left > 0) {
        --state.left;
        return state.first == 0xc2 && c < 0xa0;
    }
    state = {c < 0xc2 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 0, c};
    return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f || (c >= 0x80 && c < 0xa0);
}

ssize_t write_plain(void* state, const char* text, size_t bytes) {
    std::string plain(text, bytes);
    for (char& c : plain)
        if (is_control(*static_cast<State*>(state), static_cast<unsigned char>(c))) c = '?';
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = ::write(STDOUT_FILENO, plain.data() + done, bytes - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            last_error = n < 0 ? errno : EIO;
            return 0;  // an error, as fopencookie wants it said
        }
        done += size_t(n);
    }
    return ssize_t(bytes);
}

}  // namespace

int output_error() { return last_error; }

void make_output_plain() {
    static State state;
    std::FILE* plain =
        ::fopencookie(&state, "w", {.read = nullptr, .write = write_plain, .seek = nullptr, .close = nullptr});
    if (!plain) return;
    std::setvbuf(plain, nullptr, ::isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
    std::fflush(stdout);
    stdout = plain;  // a variable like others in the GNU C library
}

}  // namespace atrous::app
