#include "data/open_file.h"

#include <fcntl.h>
#include <fmt/core.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "base/paths.h"
#include "data/folder.h"
#include "data/image.h"

namespace atrous::data {

io::FileDescriptor open_file(const std::string& path) {
    if (!path_exists(path)) throw DataError(fmt::format("{}: {}; check the path", path, absence(path, "file")));
    if (!is_file(path))
        throw DataError(fmt::format("{}: not a file but a folder or a device; give the path of an image", path));
    io::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file)
        throw DataError(fmt::format("{}: cannot be opened ({}); check its permissions", path, std::strerror(errno)));
    return file;
}

// An IoError of the floor below is said as an error of the data set's image.
template <class F>
static auto as_data(const std::string& path, F read) {
    try {
        return read();
    } catch (const IoError&) {
        throw DataError(fmt::format("{}: cannot be read; check the disk", path));
    }
}

int64_t size_of_file(const io::FileDescriptor& file, const std::string& path) {
    return as_data(path, [&] { return io::stamp_of(file, path).bytes; });
}

size_t read_part(const io::FileDescriptor& file, void* to, size_t bytes, uint64_t offset, const std::string& path) {
    return as_data(path, [&] { return io::read_at(file, to, bytes, offset, path); });
}

std::vector<uint8_t> read_file(const std::string& path) {
    const io::FileDescriptor file = open_file(path);
    std::vector<uint8_t> bytes(size_t(size_of_file(file, path)));
    if (read_part(file, bytes.data(), bytes.size(), 0, path) == bytes.size()) return bytes;
    throw DataError(fmt::format("{}: cannot be read; check the disk", path));
}

}  // namespace atrous::data
