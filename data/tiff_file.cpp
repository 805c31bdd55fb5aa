#include "data/tiff_file.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "data/open_file.h"

namespace atrous::data::codec {

tmsize_t TiffFile::read(thandle_t handle, void* to, tmsize_t size) {
    auto& source = *static_cast<Source*>(handle);
    const uint64_t left = source.size - std::min(source.at, source.size);
    uint64_t count = std::min<uint64_t>(left, uint64_t(std::max<tmsize_t>(size, 0)));
    try {
        if (source.file)
            count = read_part(source.file, to, size_t(count), source.at, source.path);
        else if (count > 0)
            std::memcpy(to, source.bytes.data() + source.at, count);
    } catch (const std::exception& e) {  // libtiff, which called this, is no C++
        if (!source.failure) source.failure = std::current_exception();
        if (source.message.empty()) source.message = e.what();
        return -1;
    }
    source.at += count;
    return tmsize_t(count);
}

uint64_t TiffFile::seek(thandle_t handle, uint64_t offset, int whence) {
    auto& source = *static_cast<Source*>(handle);
    source.at = offset + (whence == SEEK_CUR ? source.at : whence == SEEK_END ? source.size : 0);
    return source.at;
}

// Old-style LZW is read as well as any other.
void TiffFile::note(void* user, const char* format, va_list values) {
    auto& source = *static_cast<Source*>(user);
    if (!source.message.empty() || std::strstr(format, "Old-style LZW")) return;
    char text[256];
    std::vsnprintf(text, sizeof text, format, values);
    source.message = text;
    std::replace(source.message.begin(), source.message.end(), '\n', ' ');
}

TiffFile::TiffFile(Bytes bytes, int64_t most, const std::string& path)
    : source_{bytes, io::FileDescriptor(), path, bytes.size()} {
    open(most);
}

TiffFile::TiffFile(io::FileDescriptor file, int64_t most, const std::string& path)
    : source_{{}, std::move(file), path, 0} {
    source_.size = uint64_t(size_of_file(source_.file, path));
    open(most);
}

void TiffFile::open(int64_t most) {
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(libtiff().options_alloc(),
                                                                               libtiff().options_free);
    if (!options) throw IoError("libtiff cannot start; is there memory left?");
    libtiff().set_max_single_mem_alloc(options.get(), most);
    const auto on_error = [](TIFF*, void* user, const char*, const char* format, va_list values) {
        note(user, format, values);
        return 1;
    };
    const auto on_warning = [](TIFF*, void* user, const char*, const char* format, va_list values) {
        if (static_cast<Source*>(user)->strict) note(user, format, values);
        return 1;
    };
    libtiff().set_error_handler(options.get(), on_error, &source_);
    libtiff().set_warning_handler(options.get(), on_warning, &source_);
    const auto map = [](thandle_t handle, void** base, toff_t* size) {
        const Bytes all = static_cast<Source*>(handle)->bytes;
        if (all.empty()) return 0;
        *base = const_cast<uint8_t*>(all.data());  // of a file that is only read, nothing is written
        *size = all.size();
        return 1;
    };
    tiff_ = libtiff().client_open(
        "image", "r", &source_, read, [](thandle_t, void*, tmsize_t) { return tmsize_t(-1); }, seek,
        [](thandle_t) { return 0; }, [](thandle_t handle) { return toff_t(static_cast<Source*>(handle)->size); }, map,
        [](thandle_t, void*, toff_t) {}, options.get());
    if (!tiff_) refuse("its first directory is not understood");
}

uint32_t TiffFile::number(uint32_t tag, uint32_t otherwise) const {
    uint32_t value = 0;
    return libtiff().get_field_defaulted(tiff_, tag, &value) ? value : otherwise;
}

uint16_t TiffFile::half_number(uint32_t tag, uint16_t otherwise) const {
    uint16_t value = 0;
    return libtiff().get_field_defaulted(tiff_, tag, &value) ? value : otherwise;
}

void TiffFile::refuse(const std::string& otherwise) const {
    if (source_.failure) std::rethrow_exception(source_.failure);
    damaged(source_.path, "TIFF", source_.message.empty() ? otherwise : source_.message);
}

}  // namespace atrous::data::codec
