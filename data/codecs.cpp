#include "data/codecs.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace atrous::data {

namespace codec {

Codec jpeg(), png(), tiff(), webp(), npy(), gif(), bmp(), pnm(), psd(), tga();  // each in its codec_*.cpp

static std::vector<Codec>& catalogue() {
    static std::vector<Codec> all{jpeg(), png(), tiff(), webp(), npy(), gif(), bmp(), pnm(), psd(), tga()};
    return all;
}

const std::vector<Codec>& codecs() { return catalogue(); }

void add_codec(Codec added) {
    auto& all = catalogue();
    std::erase_if(all, [&](const Codec& c) { return c.name == added.name && !c.decode; });
    for (const Codec& c : all)
        if (c.name == added.name) throw Error(fmt::format("codec '{}' is there already", added.name));
    all.push_back(std::move(added));
}

std::string names_of_codecs() {
    std::vector<std::string> names;
    for (const Codec& c : codecs())
        if (c.decode) names.push_back(c.name);
    std::string text;
    for (size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
    return text;
}

// As std::filesystem::path has it, in small letters.
static std::string extension_of(const std::string& path) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const size_t dot = name.rfind('.');
    return dot == std::string::npos || dot == 0 || name == ".." ? "" : io::lower_case(name.substr(dot));
}

static bool has_extension_of(const Codec& c, const std::string& extension) {
    return std::find(c.extensions.begin(), c.extensions.end(), extension) != c.extensions.end();
}

template <class F>
static const Codec* first_codec(F wanted) {
    const auto at = std::find_if(codecs().begin(), codecs().end(), wanted);
    return at == codecs().end() ? nullptr : &*at;
}

[[noreturn]] static void refuse(Bytes bytes, const std::string& path) {
    const Codec* unread = first_codec([&](const Codec& c) {
        return !c.decode && ((c.recognizes && c.recognizes(bytes)) || has_extension_of(c, extension_of(path)));
    });
    std::string head;
    for (size_t i = 0; i < std::min<size_t>(bytes.size(), 4); ++i) head += fmt::format(" {:02x}", bytes[i]);
    throw DataError(fmt::format("{}: {} (first bytes{}); {} are read: convert it to PNG", path,
                                unread ? unread->name + " is not read" : "not an image that is known", head,
                                names_of_codecs()));
}

const Codec* codec_of(Bytes bytes, const std::string& path) {
    const Codec* found = first_codec([&](const Codec& c) { return c.decode && c.recognizes && c.recognizes(bytes); });
    if (found) return found;
    return first_codec(
        [&](const Codec& c) { return c.decode && !c.recognizes && has_extension_of(c, extension_of(path)); });
}

Decoded decode(Bytes bytes, const std::string& path, bool raw_values) {
    if (bytes.empty()) throw DataError(fmt::format("{}: the file is empty; export it again or remove it", path));
    const Codec* found = codec_of(bytes, path);
    if (!found) refuse(bytes, path);
    return found->decode(bytes, path, raw_values);
}

void check_size(int64_t h, int64_t w, const std::string& path) {
    if (h <= 0 || w <= 0)
        throw DataError(fmt::format("{}: an image of {}x{} pixels holds nothing; remove it", path, w, h));
    if (h > max_pixels / w) throw DataError(text_of_limit(h, w, path));
}

std::string text_of_limit(int64_t h, int64_t w, const std::string& path) {
    return fmt::format("{}: {}x{} pixels exceed the limit of {} pixels; shrink it or cut it into tiles", path, w, h,
                       max_pixels);
}

void check_plausible(int64_t h, int64_t w, int64_t pixels_per_byte, Bytes bytes, const std::string& path,
                     const char* format) {
    if (h * w / pixels_per_byte > int64_t(bytes.size()))
        damaged(path, format, fmt::format("{} bytes cannot hold {}x{} pixels", bytes.size(), w, h));
}

void damaged(const std::string& path, const char* format, const std::string& detail) {
    throw DataError(
        fmt::format("{}: the {} is truncated or damaged ({}); export it again or remove it", path, format, detail));
}

bool starts_with(Bytes bytes, std::string_view signature) {
    return bytes.size() >= signature.size() && std::equal(signature.begin(), signature.end(), bytes.begin(),
                                                          [](char a, uint8_t b) { return uint8_t(a) == b; });
}

}  // namespace codec

bool is_image_name(const std::string& path) {
    const size_t name = path.rfind('/') + 1;
    if (name < path.size() && path[name] == '.') return false;
    const std::string extension = codec::extension_of(path);
    return std::any_of(codec::codecs().begin(), codec::codecs().end(),
                       [&](const codec::Codec& c) { return codec::has_extension_of(c, extension); });
}

}  // namespace atrous::data
