#include "apps/exit_codes.h"

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <new>
#include <system_error>

#include "kernels/base/error.h"

namespace atrous::app {
namespace {

int report(int code, std::string message) {
    for (char& c : message)
        if (c == '\n' || c == '\r') c = ' ';
    std::cout.flush();
    std::fflush(stdout);  // what was printed before the error comes before it
    std::fprintf(stderr, "atrous: %s\n", message.c_str());
    return code;
}

int finish(int code) {
    errno = 0;
    std::cout.flush();
    if (std::fflush(stdout) == 0 && !std::ferror(stdout) && std::cout) return code;
    const std::string why = errno != 0 ? std::generic_category().message(errno) : "writing failed";
    return report(code != exit_ok ? code : exit_io, "cannot write to standard output: " + why);
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
        if (std::ferror(stdout)) return report(exit_io, "cannot write to standard output: " + e.code().message());
        return report(exit_other, std::string("unexpected error: ") + e.what());
    } catch (const std::exception& e) {
        return report(exit_other, std::string("unexpected error: ") + e.what());
    } catch (...) {
        return report(exit_other, "unexpected error of unknown kind");
    }
}

}  // namespace atrous::app
