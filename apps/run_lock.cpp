#include "apps/run_lock.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>

#include "kernels/base/paths.h"

namespace atrous::app {
namespace {

std::string mark_of(const std::string& folder) { return folder + "/" + run_mark; }

io::FileDescriptor open_mark(const std::string& folder, int flags) {
    return io::FileDescriptor(::open(mark_of(folder).c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666));
}

// Locks of fcntl, not of flock: they know who holds them, and reach across network file systems.
struct flock whole_file(short type) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    return lock;
}

[[noreturn]] void refuse(const std::string& folder, pid_t holder) {
    const bool here = holder > 0;
    throw IoError(fmt::format("{}: a training is using this run folder ({}); wait until it has ended, or stop it{}",
                              folder, here ? fmt::format("process {}", holder) : "of another machine or container",
                              here ? fmt::format(" with: kill {}", holder) : ""));
}

// Refuses where another process has a lock that excludes one of this type.
void check_holder(const std::string& folder, int file, short type) {
    struct flock lock = whole_file(type);
    if (::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) refuse(folder, lock.l_pid);
}

void take(const std::string& folder, int file, short type) {
    for (;;) {
        struct flock lock = whole_file(type);
        if (::fcntl(file, F_SETLK, &lock) == 0) return;
        if (errno == EINTR) continue;
        if (errno != EACCES && errno != EAGAIN) break;
        check_holder(folder, file, type);  // who that was may have ended just now
    }
    fmt::print("warning: {}: its file system has no locks; nothing keeps a second training from writing into it\n",
               folder);
}

}  // namespace

bool is_marked(const std::string& folder) { return is_file(mark_of(folder)); }

RunLock RunLock::for_training(const std::string& folder) {
    io::FileDescriptor file = open_mark(folder, O_RDWR | O_CREAT);
    if (!file) throw io::system_error(folder + ": the run folder cannot be written to", errno);
    take(folder, file.get(), F_WRLCK);
    return RunLock(std::move(file));
}

RunLock RunLock::for_reading(const std::string& folder) {
    io::FileDescriptor file = open_mark(folder, O_RDONLY);
    if (!file) return {};
    take(folder, file.get(), F_RDLCK);
    return RunLock(std::move(file));
}

void RunLock::check_free(const std::string& folder) {
    if (const io::FileDescriptor file = open_mark(folder, O_RDONLY)) check_holder(folder, file.get(), F_WRLCK);
}

}  // namespace atrous::app
