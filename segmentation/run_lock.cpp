#include "segmentation/run_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/paths.h"

namespace atrous {
namespace {

std::string mark_of(const std::string& folder) { return folder + "/" + run_mark; }

io::FileDescriptor open_mark(const std::string& folder, int flags) {
    return io::FileDescriptor(::open(mark_of(folder).c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0666));
}

// Locks of fcntl, not of flock: they know who holds them, and reach across network file systems. Of the mark one byte
// is locked, whose place is the folder's: copies of a run folder by hard links share the mark's inode, and no more.
struct flock byte_of(const std::string& folder, short type) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    const auto identity = identity_of(folder);
    lock.l_start = identity ? off_t(identity->inode & 0x3fffffffffffffff) : 0;
    lock.l_len = 1;
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
    struct flock lock = byte_of(folder, type);
    if (::fcntl(file, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) refuse(folder, lock.l_pid);
}

void take(const std::string& folder, int file, short type, Messages& messages) {
    for (;;) {
        struct flock lock = byte_of(folder, type);
        if (::fcntl(file, F_SETLK, &lock) == 0) return;
        if (errno == EINTR) continue;
        if (errno != EACCES && errno != EAGAIN) break;
        check_holder(folder, file, type);  // who that was may have ended just now
    }
    messages.warning(folder + ": its file system has no locks; nothing keeps a second training from writing into it");
}

}  // namespace

bool is_marked(const std::string& folder) { return is_file(mark_of(folder)); }

// A mark of another user's is replaced where the folder is ours to write to, as every other file there is.
static io::FileDescriptor open_to_lock(const std::string& folder) {
    io::FileDescriptor file = open_mark(folder, O_RDWR | O_CREAT);
    if (file || errno != EACCES || !is_marked(folder)) return file;
    RunLock::check_free(folder);
    if (::unlink(mark_of(folder).c_str()) != 0) return file;
    return open_mark(folder, O_RDWR | O_CREAT);
}

static bool is_the_mark(const io::FileDescriptor& file, const std::string& folder) {
    struct stat opened;
    const auto there = identity_of(mark_of(folder));
    return there && ::fstat(file.get(), &opened) == 0 && there->inode == uint64_t(opened.st_ino);
}

RunLock RunLock::for_training(const std::string& folder, Messages& messages) {
    RunLock lock;
    lock.folder_ = folder;
    for (;;) {
        const bool marked = is_marked(folder);
        lock.file_ = open_to_lock(folder);
        if (!lock.file_) throw io::system_error(folder + ": the run folder cannot be written to", errno);
        take(folder, lock.file_.get(), F_WRLCK, messages);
        if (!is_the_mark(lock.file_, folder)) continue;  // another process replaced it between opening and locking
        if (!marked) lock.made_ = mark_of(folder);
        return lock;
    }
}

RunLock RunLock::for_reading(const std::string& folder, Messages& messages) {
    RunLock lock;
    lock.file_ = open_mark(folder, O_RDONLY);
    lock.folder_ = folder;
    if (lock.file_) take(folder, lock.file_.get(), F_RDLCK, messages);
    return lock;
}

void RunLock::check_free(const std::string& folder) {
    if (const io::FileDescriptor file = open_mark(folder, O_RDONLY)) check_holder(folder, file.get(), F_WRLCK);
}

void RunLock::release() {
    struct flock lock = byte_of(folder_, F_UNLCK);
    if (file_) ::fcntl(file_.get(), F_SETLK, &lock);
}

RunLock& RunLock::operator=(RunLock&& other) noexcept {
    file_ = std::move(other.file_);
    std::swap(folder_, other.folder_);
    std::swap(made_, other.made_);
    return *this;
}

RunLock::~RunLock() {
    if (!made_.empty()) ::unlink(made_.c_str());
}

}  // namespace atrous
