#include "apps/exit_codes.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <new>
#include <system_error>

#include "apps/ui/plain_output.h"
#include "base/error.h"
#include "base/posix.h"
#include "base/settings.h"
#include "base/text.h"

namespace atrous::app {
namespace {

int report(int code, const std::string& message) {
    std::cout.flush();
    std::fflush(stdout);  // what was printed before the error comes before it
    std::fprintf(stderr, "atrous: %s\n", io::printable(with_flags(message)).c_str());
    return code;
}

// A pipe or socket that nobody reads any more, as after `atrous … | head -1`: who closed it knows. Asked of the stream
// itself: by now errno may be another call's.
bool nobody_reads_stdout() {
    pollfd stream{STDOUT_FILENO, POLLOUT, 0};
    return ::poll(&stream, 1, 0) == 1 && (stream.revents & POLLERR);
}

int finish(int code) {
    errno = 0;
    std::cout.flush();
    if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout) return code;
    const int error = errno != 0 ? errno : output_error();
    if (error == EPIPE || nobody_reads_stdout()) return code;
    const std::string why = error != 0 ? std::generic_category().message(error) : "writing failed";
    return report(code != exit_ok ? code : exit_io, "cannot write to standard output: " + why);
}

// The library's messages are "what: the system's words"; the words come again with what to do.
std::string what_failed(const std::system_error& e) {
    std::string what = e.what();
    const std::string words = ": " + e.code().message();
    if (what.ends_with(words)) what.resize(what.size() - words.size());
    return what;
}

bool is_of_the_system(const std::error_code& code) {
    return code.category() == std::generic_category() || code.category() == std::system_category();
}

int report_system_error(const std::system_error& e) {
    if (std::ferror(stdout)) {  // fmt::print throws where it cannot write
        if (e.code().value() == EPIPE || nobody_reads_stdout()) return exit_io;
        const int error = output_error() != 0 ? output_error() : e.code().value();
        return report(exit_io, "cannot write to standard output: " + std::generic_category().message(error));
    }
    const auto* of_path = dynamic_cast<const std::filesystem::filesystem_error*>(&e);
    if (is_of_the_system(e.code()) && (of_path || io::remedy(e.code().value()))) {
        const bool named = of_path && !of_path->path1().empty();
        return report(exit_io,
                      io::system_error(named ? of_path->path1().string() : what_failed(e), e.code().value()).what());
    }
    return report(exit_other, std::string("unexpected error: ") + e.what());
}

}  // namespace

int run_guarded(const std::function<int()>& f) {
    try {
        return finish(f());
    } catch (const TextRequested& request) {
        std::fputs(request.text.c_str(), stdout);
        return finish(exit_ok);
    } catch (const UsageError& e) {
        return report(exit_usage, e.what());
    } catch (const DataError& e) {
        return report(exit_data, e.what());
    } catch (const IoError& e) {
        return report(exit_io, e.what());
    } catch (const GpuError& e) {
        return report(exit_device, e.what());
    } catch (const NumericError& e) {
        return report(exit_numeric, e.what());
    } catch (const MemoryError& e) {
        return report(exit_memory, e.what());
    } catch (const Error& e) {
        return report(exit_other, e.what());
    } catch (const std::bad_alloc&) {
        return report(exit_memory, "out of host memory; use smaller images, a smaller batch or fewer workers");
    } catch (const std::system_error& e) {
        return report_system_error(e);
    } catch (const std::exception& e) {
        return report(exit_other, std::string("unexpected error: ") + e.what());
    } catch (...) {
        return report(exit_other, "unexpected error of unknown kind");
    }
}

}  // namespace atrous::app
