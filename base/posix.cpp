#include "base/posix.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <system_error>

namespace atrous::io {

const char* remedy(int error) {
    switch (error) {
        case ENOSPC:
            return "free some space on that disk or choose another folder";
        case EDQUOT:
            return "your disk quota is used up: delete files or choose another folder";
        case EFBIG:
            return "the file would exceed a size limit: see `ulimit -f`, or choose another file system";
        case EACCES:
        case EPERM:
            return "check the owner and the permissions, or choose another folder";
        case EROFS:
            return "choose a folder on a disk that is not read-only";
        case ENOENT:
            return "check the name, and create the folder if it is missing";
        case ENOTDIR:
            return "a part of the path is not a folder: check it";
        case ENAMETOOLONG:
            return "choose a shorter name";
        case EIO:
            return "the disk or network share failed: check it before trying again";
        case EMFILE:
        case ENFILE:
            return "too many files are open: raise `ulimit -n`";
        default:
            return nullptr;
    }
}

IoError system_error(const std::string& what, int error) {
    std::string message = what + ": " + std::generic_category().message(error);
    if (const char* advice = remedy(error)) message += std::string("; ") + advice;
    return IoError(message);
}

FileDescriptor open_for_reading(const std::string& path) {
    // Not blocking: opening a pipe that nobody writes to must be refused below, not waited for.
    FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file) throw system_error("cannot open " + path, errno);
    struct stat status;
    if (::fstat(file.get(), &status) != 0) throw system_error("cannot read " + path, errno);
    if (S_ISDIR(status.st_mode)) throw IoError("cannot open " + path + ": it is a folder; name a file in it");
    if (!S_ISREG(status.st_mode)) throw IoError("cannot open " + path + ": it is not a regular file");
    return file;
}

FileStamp stamp_of(const FileDescriptor& file, const std::string& path) {
    struct stat status;
    if (::fstat(file.get(), &status) != 0) throw system_error("cannot read " + path, errno);
    return {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

size_t read_at(const FileDescriptor& file, void* to, size_t bytes, uint64_t offset, const std::string& path) {
    size_t done = 0;
    while (done < bytes) {
        const ssize_t n = ::pread(file.get(), static_cast<char*>(to) + done, bytes - done, off_t(offset + done));
        if (n == 0) break;
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw system_error("cannot read " + path, errno);
        done += size_t(n);
    }
    return done;
}

}  // namespace atrous::io
