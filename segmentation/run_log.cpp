#include "segmentation/run_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"
#include "base/posix.h"
#include "base/settings.h"

namespace atrous {

void RunLog::open(const std::string& path) {
    path_ = path;
    keep(std::exchange(waiting_, {}));
}

// Standard output may go into the same file: it has everything already.
static bool is_standard_output(const struct stat& file) {
    struct stat output = {};
    return ::fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == file.st_dev && output.st_ino == file.st_ino;
}

void RunLog::keep(const std::string& lines) {
    if (path_.empty()) {
        waiting_ += lines;
        return;
    }
    if (given_up_ || lines.empty()) return;
    // A pipe in the file's place must not make the training wait.
    const io::FileDescriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0666));
    struct stat status = {};
    int error = file && ::fstat(file.get(), &status) == 0 ? 0 : errno;
    if (error == 0 && !S_ISREG(status.st_mode)) error = EINVAL;
    if (error == 0 && is_standard_output(status)) return;
    const std::string said = with_flags(lines);
    if (error == 0) {
        const ssize_t written = ::write(file.get(), said.data(), said.size());
        if (written == ssize_t(said.size())) return;
        error = written < 0 ? errno : ENOSPC;
    }
    given_up_ = true;
    next_.warning(io::system_error(path_ + " is given up", error).what());
}

void RunLog::text(const std::string& lines) {
    next_.text(lines);
    keep(lines);
}
void RunLog::warning(const std::string& line) {
    next_.warning(line);
    keep("warning: " + line + "\n");
}
void RunLog::details(const std::string& lines) {
    next_.details(lines);
    keep(lines);
}

}  // namespace atrous
