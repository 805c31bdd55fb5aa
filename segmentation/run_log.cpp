#include "segmentation/run_log.h"

#include <fcntl.h>
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

void RunLog::keep(const std::string& lines) {
    if (path_.empty()) {
        waiting_ += lines;
        return;
    }
    if (given_up_ || lines.empty()) return;
    const io::FileDescriptor file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
    const std::string said = with_flags(lines);
    if (file && ::write(file.get(), said.data(), said.size()) == ssize_t(said.size())) return;
    given_up_ = true;
    next_.warning(io::system_error(path_ + " is given up", errno).what());
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
