#include "base/toml_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace atrous::io {

namespace fs = std::filesystem;

class TomlFile : public testing::Test {
 protected:
    ~TomlFile() override { fs::remove(path_); }
    TomlValue read(const std::string& text) {
        std::ofstream(path_, std::ios::binary) << text;
        return read_toml(path_, {"list of things", "a = 1"});
    }
    std::string refusal(const std::string& text) {
        try {
            read(text);
        } catch (const FormatError& e) {
            return e.what();
        }
        return "";
    }
    const std::string path_ = (fs::temp_directory_path() / ("atrous-toml-" + std::to_string(getpid()))).string();
};

TEST_F(TomlFile, IsATreeInTheOrderOfItsLines) {
    const TomlValue file = read("z = 1\nb = [true, 2.5]\n[a]\nname = \"x\"\nday = 2020-01-01\n");
    using Kind = TomlValue::Kind;
    ASSERT_EQ(file.entries.size(), 3u);
    EXPECT_EQ(file.entries[0].first, "z");
    EXPECT_EQ(file.entries[0].second.text, "1");
    const TomlValue& list = file.entries[1].second;
    ASSERT_EQ(list.items.size(), 2u);
    EXPECT_EQ(list.items[0].kind, Kind::boolean);
    EXPECT_EQ(list.items[1].text, "2.5");
    const TomlValue& table = file.entries[2].second;
    EXPECT_EQ(table.kind, Kind::table);
    EXPECT_EQ(table.entries[0].second.line, 4);
    EXPECT_EQ(table.entries[1].second.kind, Kind::other);
}

TEST_F(TomlFile, WhatIsNoneIsRefusedWithItsPlaceAndAnExample) {
    EXPECT_NE(refusal("a = \n").find(path_ + ":1: "), std::string::npos);
    EXPECT_NE(refusal("[{").find("expected lines such as: a = 1"), std::string::npos);
    std::string deep = "a";
    for (int i = 0; i < 20; ++i) deep += ".a";
    EXPECT_NE(refusal("x = 1\n" + deep + " = 1\n").find(":2: a key of more than 16 parts"), std::string::npos);
    EXPECT_NE(refusal(std::string(size_t(1) << 20, ' ') + "a = 1\n").find("too large for a list of things"),
              std::string::npos);
}

// An array in an array is a value in a value: as deep as the parser allows, which is less than the stack does.
TEST_F(TomlFile, DepthIsBounded) {
    EXPECT_NE(refusal("a = " + std::string(100000, '[')), "");
    EXPECT_EQ(refusal("a = " + std::string(100, '[') + std::string(100, ']')), "");
}

}  // namespace atrous::io
