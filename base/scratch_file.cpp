#include "base/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace atrous::io {

FileDescriptor open_unlinked(const std::string& folder) {
    std::string name = folder + "/.atrous-XXXXXX";
    FileDescriptor named(::mkostemp(name.data(), O_CLOEXEC));
    if (named) ::unlink(name.c_str());
    return named;
}

static FileDescriptor open_unnamed(const std::string& folder) {
    FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
    return open_unlinked(folder);
}

ScratchFile::ScratchFile(const std::string& folder)
    : folder_(folder.empty() ? "." : folder), file_(open_unnamed(folder_)) {
    if (!file_) throw system_error("cannot make a temporary file in " + folder_, errno);
}

int ScratchFile::reserve(uint64_t bytes) {
    while (::fallocate(file_.get(), 0, 0, off_t(bytes)) != 0) {
        if (errno == EINTR) continue;
        return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? errno : 0;
    }
    return 0;
}

void ScratchFile::append(const void* data, size_t bytes) {
    const char* from = static_cast<const char*>(data);
    for (size_t done = 0; done < bytes;) {
        const ssize_t n = ::pwrite(file_.get(), from + done, bytes - done, off_t(size_ + done));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) throw system_error("cannot write a temporary file in " + folder_, errno);
        done += size_t(n);
    }
    size_ += bytes;
}

void ScratchFile::read(void* to, size_t bytes, uint64_t offset) const {
    if (read_at(file_, to, bytes, offset, folder_) < bytes)
        throw system_error("cannot read a temporary file in " + folder_, EIO);
}

}  // namespace atrous::io
