// What the tests of data share: a folder that vanishes, small patterns, and files written into it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>

#include "base/durable_file.h"
#include "base/error.h"
#include "data/image.h"

namespace atrous::data::test {

namespace fs = std::filesystem;

class TempDir {
 public:
    TempDir() {
        std::string name = (fs::temp_directory_path() / "atrous-data-XXXXXX").string();
        if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    ~TempDir() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    TempDir(const TempDir&) = delete;
    fs::path path() const { return path_; }
    // A path inside, its folder made.
    std::string operator/(const std::string& name) const {
        fs::create_directories((path_ / name).parent_path());
        return (path_ / name).string();
    }

 private:
    fs::path path_;
};

inline void write_file(const std::string& path, std::span<const uint8_t> bytes) {
    io::write_durably(path, bytes, {.quick = true});
}
inline void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

// A pattern without symmetry, so that any mix-up of axes shows.
inline Image pattern(int64_t h, int64_t w, int c) {
    Image image = make_image<uint8_t>(h, w, c);
    for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 37 + i * i * 3 + 11);
    return image;
}

inline Image gray(int64_t h, int64_t w, std::vector<uint8_t> values) {
    Image image{.h = h, .w = w, .c = 1, .u8 = std::move(values), .u16 = {}};
    return image;
}

// The message of the error of type E that f throws; every one of `parts` must be in it.
template <class E = DataError>
void expect_error(const std::function<void()>& f, const std::vector<std::string>& parts) {
    try {
        f();
    } catch (const E& error) {
        for (const auto& part : parts)
            EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\nlacks: " << part;
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "a message is one line";
        return;
    }
    ADD_FAILURE() << "nothing was thrown";
}

// Public data sets, where this machine has them: $ATROUS_SHARED_DATA, or shared/data beside the source tree.
inline fs::path shared_data() {
    if (const char* given = std::getenv("ATROUS_SHARED_DATA")) return given;
    return fs::path(ATROUS_SOURCE_DIR) / "../shared/data";
}

}  // namespace atrous::data::test
