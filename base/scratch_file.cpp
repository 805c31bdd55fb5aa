#include "base/scratch_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace atrous::io {

// Some file systems have no files without a name: there it has one for a moment.
static FileDescriptor open_unnamed(const std::string& folder) {
    FileDescriptor file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return file;
    std::string name = folder + "/.atrous-XXXXXX";
    FileDescriptor named(::mkostemp(name.data(), O_CLOEXEC));
    if (named) ::unlink(name.c_str());
    return named;
}

ScratchFile::ScratchFile(const std::string& folder)
    : folder_(folder.empty() ? "." : folder), file_(open_unnamed(folder_)) {
    if (!file_) throw system_error("cannot make a temporary file in " + folder_, errno);
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
