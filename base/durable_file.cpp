#include "base/durable_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/posix.h"
#include "base/text.h"

namespace atrous::io {
namespace {

constexpr size_t buffer_bytes = 64 << 10;
constexpr size_t token_digits = 16;
constexpr std::string_view temporary_suffix = ".tmp";

struct Target {
    std::string path, folder, name;
    std::string temporary_prefix() const { return "." + name + "."; }
};

// A link is followed: it is the file it points to that gets replaced, not the link.
Target resolve(const std::string& path) {
    std::error_code ignored;
    std::filesystem::path p = path;
    if (std::filesystem::is_symlink(p, ignored)) {
        auto real = std::filesystem::weakly_canonical(p, ignored);
        if (!ignored) p = real;
    }
    std::string folder = p.parent_path().string();
    if (folder.empty()) folder = ".";
    return {p.string(), folder, p.filename().string()};
}

void refuse_special_files(const Target& target, const std::string& path) {
    struct stat status;
    if (target.name.empty() || (::stat(target.path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)))
        throw IoError("cannot write " + path + ": it is a folder; give a file name");
    if (::stat(target.path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        throw IoError("cannot write " + path + ": something that is not a regular file has this name");
}

std::string random_token() {
    uint64_t bits = 0;
    if (::getrandom(&bits, sizeof bits, 0) != ssize_t(sizeof bits)) bits = uint64_t(::getpid());  // EEXIST tries again
    char text[token_digits + 1];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(bits));
    return text;
}

// A new file that is locked as long as it is being written: by the lock, others know a live temporary from a stale one
// (process ids would not do: they are reused, and differ between machines and containers that share a folder).
class Temporary {
 public:
    Temporary(const Target& target, const std::string& path) {
        do {
            name_ = target.folder + "/" + target.temporary_prefix() + random_token() + std::string(temporary_suffix);
            file_ = FileDescriptor(::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
            if (!file_ && errno != EEXIST) throw system_error("cannot write " + path, errno);
        } while (!file_ || !locked());
        struct stat
            old;  // a replaced file keeps its permissions; where that fails, those of a new file are good enough
        if (::stat(target.path.c_str(), &old) == 0 && ::fchmod(file_.get(), old.st_mode & 0777) != 0) errno = 0;
    }
    Temporary(const Temporary&) = delete;
    ~Temporary() {
        if (!name_.empty()) ::unlink(name_.c_str());
    }
    int fd() const { return file_.get(); }
    const std::string& name() const { return name_; }
    void renamed() { name_.clear(); }

 private:
    // False if another process took the new file for a stale one before it was locked. File systems without locks
    // are no obstacle: nobody removes what cannot be locked.
    bool locked() {
        while (::flock(file_.get(), LOCK_EX) != 0 && errno == EINTR) {
        }
        struct stat status;
        return ::fstat(file_.get(), &status) == 0 && status.st_nlink > 0;
    }

    std::string name_;
    FileDescriptor file_;
};

bool is_temporary_name(std::string_view name, std::string_view prefix) {
    if (name.size() != prefix.size() + token_digits + temporary_suffix.size()) return false;
    if (!name.starts_with(prefix) || !name.ends_with(temporary_suffix)) return false;
    return name.substr(prefix.size(), token_digits).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void sync(int fd, const std::string& what) {
    while (::fsync(fd) != 0)
        if (errno != EINTR) throw system_error(what, errno);
}

void sync_folder(const Target& target, const std::string& path) {
    FileDescriptor folder(::open(target.folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return;  // a folder one may write to but not read
    while (::fsync(folder.get()) != 0) {
        if (errno == EINTR) continue;
        if (errno == EINVAL || errno == ENOTSUP) return;  // some network file systems sync no folders
        throw system_error(path + " is written, but a power failure could undo that: cannot sync its folder", errno);
    }
}

// `path` itself stays where it is, except on file systems without hard links.
void keep_previous_file(const Target& target, const std::string& path) {
    if (::access(target.path.c_str(), F_OK) != 0) return;  // then an older previous file may be all there is
    const std::string previous = previous_of(target.path);
    do {
        if (::unlink(previous.c_str()) != 0 && errno != ENOENT) throw system_error("cannot replace " + previous, errno);
        if (::link(target.path.c_str(), previous.c_str()) == 0) return;
    } while (errno == EEXIST);  // another process did the same at the same time
    const bool no_hard_links = errno == EPERM || errno == ENOTSUP || errno == EMLINK || errno == ENOSYS;
    if (!no_hard_links || ::rename(target.path.c_str(), previous.c_str()) != 0)
        throw system_error("cannot keep the previous " + path, errno);
}

}  // namespace

FileSink::FileSink(int fd, std::string path) : fd_(fd), path_(std::move(path)) { buffer_.reserve(buffer_bytes); }

void FileSink::write(const void* data, size_t bytes) {
    const char* from = static_cast<const char*>(data);
    if (buffer_.size() + bytes > buffer_bytes) flush();
    if (bytes >= buffer_bytes)
        put(from, bytes, written_);
    else
        buffer_.insert(buffer_.end(), from, from + bytes);
    written_ += bytes;
}

void FileSink::patch(uint64_t offset, const void* data, size_t bytes) {
    flush();
    put(static_cast<const char*>(data), bytes, offset);
}

void FileSink::flush() {
    put(buffer_.data(), buffer_.size(), written_ - buffer_.size());
    buffer_.clear();
}

void FileSink::put(const char* data, size_t bytes, uint64_t offset) {
    while (bytes > 0) {
        const ssize_t n = ::pwrite(fd_, data, bytes, off_t(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            throw system_error("cannot write " + path_ + " beyond " + format_bytes(offset), n < 0 ? errno : EIO);
        data += n;
        bytes -= size_t(n);
        offset += uint64_t(n);
    }
}

std::string previous_of(const std::string& path) { return path + ".previous"; }

static int remove_stale(const std::string& path, const std::function<bool(std::string_view)>& is_ours) {
    const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), &::closedir);
    if (!folder) return 0;
    int removed = 0;
    while (const dirent* entry = ::readdir(folder.get())) {
        if (!is_ours(entry->d_name)) continue;
        const std::string name = path + "/" + entry->d_name;
        const FileDescriptor file(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0 && ::unlink(name.c_str()) == 0) ++removed;
    }
    return removed;
}

int remove_stale_temporaries(const std::string& path) {
    const Target target = resolve(path);
    return remove_stale(target.folder, [prefix = target.temporary_prefix()](std::string_view name) {
        return is_temporary_name(name, prefix);
    });
}

int remove_stale_temporaries_in(const std::string& folder) {
    constexpr size_t tail = 1 + token_digits + temporary_suffix.size();  // ".NAME" comes before it
    return remove_stale(folder, [](std::string_view name) {
        return name.size() > tail + 1 && name[0] == '.' &&
               is_temporary_name(name, name.substr(0, name.size() - tail + 1)) && name[name.size() - tail] == '.';
    });
}

void write_durably(const std::string& path, const std::function<void(FileSink&)>& fill, DurableOptions options) {
    const Target target = resolve(path);
    refuse_special_files(target, path);
    if (!options.quick) remove_stale_temporaries(target.path);
    Temporary temporary(target, path);
    FileSink sink(temporary.fd(), path);
    fill(sink);
    sink.flush();
    if (!options.quick) sync(temporary.fd(), "cannot write " + path);
    if (options.keep_previous) keep_previous_file(target, path);
    // Not closed before the rename: the lock has to last until the temporary's name is gone.
    if (::rename(temporary.name().c_str(), target.path.c_str()) != 0) throw system_error("cannot write " + path, errno);
    temporary.renamed();
    if (!options.quick) sync_folder(target, path);
}

void write_together(const std::vector<std::string>& paths,
                    const std::function<void(const std::vector<std::unique_ptr<FileSink>>&)>& fill) {
    std::vector<Target> targets;
    std::vector<std::unique_ptr<Temporary>> temporaries;
    std::vector<std::unique_ptr<FileSink>> sinks;
    for (const std::string& path : paths) {
        targets.push_back(resolve(path));
        refuse_special_files(targets.back(), path);
        temporaries.push_back(std::make_unique<Temporary>(targets.back(), path));
        sinks.push_back(std::make_unique<FileSink>(temporaries.back()->fd(), path));
    }
    fill(sinks);
    for (const auto& sink : sinks) sink->flush();
    for (size_t i = 0; i < paths.size(); ++i) {
        if (::rename(temporaries[i]->name().c_str(), targets[i].path.c_str()) == 0) {
            temporaries[i]->renamed();
            continue;
        }
        const int error = errno;
        for (size_t k = 0; k < i; ++k) ::unlink(targets[k].path.c_str());
        throw system_error("cannot write " + paths[i], error);
    }
}

void write_durably(const std::string& path, std::string_view bytes, DurableOptions options) {
    write_durably(
        path, [&](FileSink& sink) { sink.write(bytes); }, options);
}

void write_durably(const std::string& path, std::span<const uint8_t> bytes, DurableOptions options) {
    write_durably(
        path, [&](FileSink& sink) { sink.write(bytes.data(), bytes.size()); }, options);
}

}  // namespace atrous::io
