#include "segmentation/sweep/sweep_folder.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>
#include <filesystem>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"

namespace atrous::sweep {

namespace fs = std::filesystem;

static std::string mark_of(const std::string& folder) { return folder + "/" + sweep_mark; }

static struct flock whole_file() {
    struct flock lock = {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

[[noreturn]] static void refuse(const std::string& folder, const struct flock& holder) {
    const bool here = holder.l_type != F_UNLCK && holder.l_pid > 0;
    throw IoError(fmt::format("{}: another sweep is using this folder ({}); wait until it has ended, or stop it{}",
                              folder, here ? fmt::format("process {}", holder.l_pid) : "of another machine",
                              here ? fmt::format(" with: kill {}", holder.l_pid) : ""));
}

void check_folder(const std::string& path) {
    if (path_exists(path) && !is_folder(path)) throw UsageError(path + ": is no folder; choose another `output-dir`");
    if (!is_folder(path)) return;
    if (const io::FileDescriptor mark{::open(mark_of(path).c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)}) {
        struct flock holder = whole_file();
        if (::fcntl(mark.get(), F_GETLK, &holder) == 0 && holder.l_type != F_UNLCK) refuse(path, holder);
        return;
    }
    if (is_file(mark_of(path))) return;  // which cannot be written to: SweepFolder says so
    std::error_code error;
    for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error))
        throw UsageError(
            fmt::format("{}: is not empty and no folder of a sweep (it holds {}); choose another "
                        "`output-dir`",
                        path, io::in_quotes(at->path().filename().string())));
}

SweepFolder::SweepFolder(std::string path) : path_(std::move(path)) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    make_folders(path_);
    mark_ = io::FileDescriptor(::open(mark_of(path_).c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!mark_) throw io::system_error(path_ + ": the folder of the sweep cannot be written to", errno);
    struct flock lock = whole_file();
    if (::fcntl(mark_.get(), F_SETLK, &lock) == 0 || (errno != EACCES && errno != EAGAIN)) return;
    struct flock holder = whole_file();
    (void)::fcntl(mark_.get(), F_GETLK, &holder);
    refuse(path_, holder);
}

}  // namespace atrous::sweep
