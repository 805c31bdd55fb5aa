#include "data/unread.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

#include "base/paths.h"
#include "base/text.h"
#include "data/codecs.h"
#include "data/few.h"

namespace atrous::data {

namespace {

std::string extension_of(const std::string& path) {
    return io::lower_case(std::filesystem::path(path).extension().string());
}

// These are texts and archives, which lie beside images by the thousand; they are not opened.
bool is_no_image(const std::string& extension) {
    static constexpr const char* others[] = {".txt", ".json",  ".xml", ".csv",  ".tsv", ".yaml", ".yml",
                                             ".md",  ".html",  ".htm", ".pdf",  ".db",  ".ini",  ".log",
                                             ".py",  ".ipynb", ".zip", ".tar",  ".7z",  ".rar",  ".pth",
                                             ".pt",  ".sh",    ".bat", ".toml", ".rst", ".xlsx"};
    return std::any_of(std::begin(others), std::end(others), [&](const char* other) { return extension == other; });
}

struct Signature {
    const char* kind;
    size_t offset;
    std::string_view bytes;
};
using namespace std::string_view_literals;
constexpr Signature signatures[] = {{"JPEG", 0, "\xff\xd8\xff"sv},
                                    {"PNG", 0, "\x89PNG\r\n\x1a\n"sv},
                                    {"GIF", 0, "GIF8"sv},
                                    {"WebP", 8, "WEBPVP8"sv},
                                    {"TIFF", 0, "II*\0"sv},
                                    {"TIFF", 0, "MM\0*"sv},
                                    {"AVIF", 4, "ftypavif"sv},
                                    {"HEIC", 4, "ftyphei"sv},
                                    {"HEIC", 4, "ftypmif1"sv},
                                    {"JPEG 2000", 4, "jP  \r\n"sv},
                                    {"JPEG XL", 4, "JXL \r\n"sv},
                                    {"JPEG XL", 0, "\xff\x0a"sv},
                                    {"NumPy array", 0, "\x93NUMPY"sv},
                                    {"DICOM", 128, "DICM"sv},
                                    {"HDF5", 0, "\x89HDF\r\n"sv},
                                    {"OpenEXR", 0, "\x76\x2f\x31\x01"sv}};

constexpr std::pair<const char*, const char*> by_extension[] = {
    {".npz", "NumPy archive"}, {".nii", "NIfTI"}, {".gz", "NIfTI"}, {".pbm", "PBM"}};

std::string first_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(132, '\0');
    file.read(bytes.data(), std::streamsize(bytes.size()));
    bytes.resize(size_t(file.gcount()));
    return bytes;
}

bool is_decoded(const std::string& bytes) {
    const codec::Bytes view(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    return std::any_of(codec::codecs().begin(), codec::codecs().end(),
                       [&](const codec::Codec& c) { return c.decode && c.recognizes && c.recognizes(view); });
}

}  // namespace

std::optional<Content> image_content(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string(), extension = extension_of(path);
    if (name.starts_with('.') || is_no_image(extension) || !is_file(path)) return {};
    for (const auto& [ending, kind] : by_extension)
        if (extension == ending && (extension != ".gz" || name.find(".nii.") != std::string::npos))
            return Content{false, kind};
    const std::string bytes = first_bytes(path);
    for (const Signature& s : signatures)
        if (bytes.size() >= s.offset && std::string_view(bytes).substr(s.offset).starts_with(s.bytes))
            return Content{is_decoded(bytes), s.kind};
    return {};
}

std::string text_of_unread(const std::vector<std::string>& unread) {
    std::map<std::string, std::vector<std::string>> names;
    for (const std::string& line : unread) {
        const size_t open = line.rfind(" (");
        names[line.substr(open + 2, line.size() - open - 3)].push_back(
            std::filesystem::path(line.substr(0, open)).filename().string());
    }
    std::string text;
    for (const auto& [kind, files] : names)
        text += fmt::format("{}{} {} ({})", text.empty() ? "" : ", ", files.size(), kind, few_of(files));
    return text;
}

}  // namespace atrous::data
