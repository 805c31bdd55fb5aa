#include "apps/child_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/text.h"

namespace atrous::app {
namespace {

constexpr const char* program = "/proc/self/exe";

// A file without a name, which ends with its last user.
io::FileDescriptor memory_file(const char* name) {
    io::FileDescriptor file(::memfd_create(name, MFD_CLOEXEC));
    if (!file) throw io::system_error("cannot start a training", errno);
    return file;
}

void write_all(const io::FileDescriptor& file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(file.get(), text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw io::system_error("cannot start a training", errno);
        text.remove_prefix(size_t(n));
    }
}

// After fork(): calls that are safe there, and nothing else.
[[noreturn]] void become(char* const* argv, pid_t parent, int error_stream, int config, const sigset_t& signals) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        struct sigaction now = {};
        if (::sigaction(signal, nullptr, &now) == 0 && now.sa_handler != SIG_IGN) std::signal(signal, SIG_DFL);
    }
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it ended before that was asked for
    ::sigprocmask(SIG_SETMASK, &signals, nullptr);
    const int nothing = ::open("/dev/null", O_RDWR);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(nothing, STDOUT_FILENO);
    ::dup2(error_stream, STDERR_FILENO);
    if (config >= 0) ::fcntl(config, F_SETFD, 0);  // it stays open in the new program
    ::execv(program, argv);                        // this very program, whatever lies under its name by now
    static constexpr char failed[] = "atrous: cannot start this program again\n";
    (void)!::write(STDERR_FILENO, failed, sizeof failed - 1);
    ::_exit(1);
}

// By its own name, which ps shows.
std::string own_path() {
    char path[PATH_MAX];
    const ssize_t length = ::readlink(program, path, sizeof path);
    return length > 0 && length < ssize_t(sizeof path) ? std::string(path, size_t(length)) : program;
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments, const std::string& config)
    : said_(memory_file("standard error")) {
    const io::FileDescriptor settings = memory_file("settings");
    write_all(settings, config);
    arguments.insert(arguments.begin(), own_path());
    if (!config.empty())
        arguments.insert(arguments.end(), {"--config", fmt::format("/proc/self/fd/{}", settings.get())});
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    std::signal(SIGCHLD, SIG_DFL);  // where it is inherited as ignored, no exit code can be waited for
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);  // no handler of this process runs in the child
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) become(argv.data(), parent, said_.get(), config.empty() ? -1 : settings.get(), before);
    const int error = errno;
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid_ < 0) throw io::system_error("cannot start a training", error);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), said_(std::move(other.said_)), code_(other.code_), signal_(other.signal_) {}

ChildProcess::~ChildProcess() {
    if (pid_ < 0 || code_) return;
    send(SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
}

void ChildProcess::send(int signal) const {
    if (pid_ > 0 && !code_) ::kill(pid_, signal);
}

std::optional<int> ChildProcess::exit_code() {
    int status = 0;
    if (code_) return code_;
    const pid_t ended = ::waitpid(pid_, &status, WNOHANG);
    if (ended < 0 && errno != EINTR) throw io::system_error("cannot wait for a training", errno);
    if (ended == pid_) {
        signal_ = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
        code_ = signal_ ? 128 + signal_ : WEXITSTATUS(status);
    }
    return code_;
}

void ChildProcess::wait() noexcept {
    if (pid_ < 0 || code_) return;
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    code_ = status;  // nobody asks for it any more
}

std::string ChildProcess::complaint() const {
    if (signal_) {
        const std::string by = fmt::format("ended by signal {} ({})", signal_, ::strsignal(signal_));
        return signal_ == SIGKILL ? by + "; the system does so where memory runs out" : by;
    }
    constexpr off_t most = 64 << 10;
    const off_t size = ::lseek(said_.get(), 0, SEEK_END);
    std::string text(size_t(std::min(std::max<off_t>(size, 0), most)), '\0');
    text.resize(io::read_at(said_, text.data(), text.size(), uint64_t(size - off_t(text.size())), "standard error"));
    std::string last;
    for (size_t at = 0; at < text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        if (end > at) last = text.substr(at, end - at);
        at = end + 1;
    }
    static constexpr std::string_view name = "atrous: ";
    if (last.starts_with(name)) return io::printable(last.substr(name.size()));
    return last.empty() ? fmt::format("exit code {}", code_.value_or(0)) : io::printable(last);
}

}  // namespace atrous::app
