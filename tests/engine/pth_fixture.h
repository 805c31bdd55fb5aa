// A file of PyTorch's, and what the reader says about it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/io/pth.h"
#include "tests/engine/pth_bytes.h"

namespace atrous::test {

class PthTest : public ::testing::Test {
 protected:
    void SetUp() override {
        // Thousands of small files: in memory, where that is possible.
        const bool memory = std::filesystem::is_directory("/dev/shm");
        folder_ = std::filesystem::path(memory ? "/dev/shm" : testing::TempDir()) / ("pth " + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
        path_ = folder_ / "w.pth";
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    void put(const std::string& bytes) const { std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes; }
    std::string file() const {
        std::ifstream in(path_, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }
    std::string refusal() const {
        try {
            const io::PthFile file(path_);
            for (const io::TensorInfo& t : file.tensors()) file.bytes(t);
            return "accepted";
        } catch (const FormatError& e) {
            const std::string message = e.what();
            EXPECT_EQ(message.rfind(path_.string(), 0), 0u) << message;
            EXPECT_EQ(message.find('\n'), std::string::npos) << message;
            return message;
        }
    }
    void expect_refused(const std::string& bytes, const std::string& words) const {
        put(bytes);
        const std::string message = refusal();
        EXPECT_NE(message.find(words), std::string::npos) << "expected: " << words << "\n  said: " << message;
    }
    // A file whose pickle is `value`, with one storage of four floats.
    static std::string with(const std::string& value) { return zip_text(archive(value, {four_floats()})); }
    static std::string four_floats() { return bytes_of<float>({1, 2, 3, 4}); }
    template <class T>
    std::vector<T> values(const std::string& name) const {
        const io::PthFile file(path_);
        const auto bytes = file.bytes(file.at(name));
        std::vector<T> v(bytes.size() / sizeof(T));
        std::memcpy(v.data(), bytes.data(), bytes.size());
        return v;
    }

    std::filesystem::path folder_, path_;
};

}  // namespace atrous::test
