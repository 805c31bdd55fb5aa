#include "base/paths.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"

namespace atrous {
namespace fs = std::filesystem;

class Paths : public testing::Test {
 protected:
    void SetUp() override {
        folder = (fs::temp_directory_path() / ("atrous_paths_" + std::to_string(::getpid()))).string();
        fs::create_directories(folder + "/a/b");
        std::ofstream(folder + "/a/file") << "x";
    }
    void TearDown() override { fs::remove_all(folder); }
    std::string folder;
};

TEST_F(Paths, OneFileHasOneIdentityHoweverItIsSpelled) {
    fs::create_symlink("a", folder + "/linked");
    fs::create_hard_link(folder + "/a/file", folder + "/hard");
    const auto file = identity_of(folder + "/a/file");
    ASSERT_TRUE(file);
    for (const char* other : {"/./a/file", "//a//file", "/a/b/../file", "/linked/file", "/hard"})
        EXPECT_EQ(identity_of(folder + other), file) << other;
    EXPECT_NE(identity_of(folder + "/a"), file);
    EXPECT_FALSE(identity_of(folder + "/none"));
    EXPECT_EQ(canonical_path(folder + "/linked/./file"), canonical_path(folder + "/a/file"));
    EXPECT_TRUE(same_file(folder + "/new", folder + "/./new"));
    EXPECT_TRUE(same_file(folder + "/linked/new", folder + "/a/new"));
    EXPECT_FALSE(same_file(folder + "/a/new", folder + "/a/file"));
}

TEST_F(Paths, WhatTheFileSystemRefusesIsNotThere) {
    fs::create_symlink("loop", folder + "/loop");
    const std::string long_path = folder + "/" + std::string(5000, 'x');
    for (const std::string& path : {folder + "/loop", long_path, folder + "/a/file/below", std::string()}) {
        EXPECT_FALSE(path_exists(path)) << path;
        EXPECT_FALSE(is_file(path)) << path;
        EXPECT_FALSE(is_folder(path)) << path;
        EXPECT_FALSE(identity_of(path)) << path;
        EXPECT_NE(path_problem(path), "") << path;
        canonical_path(path);
    }
    EXPECT_EQ(path_problem(folder), "");
}

TEST_F(Paths, LinksToWhatIsNotThereYet) {
    fs::create_symlink("new", folder + "/dangling");
    fs::create_symlink(folder + "/dangling", folder + "/twice");
    EXPECT_TRUE(same_file(folder + "/dangling", folder + "/new"));
    EXPECT_TRUE(same_file(folder + "/twice", folder + "/new"));
    EXPECT_FALSE(same_file(folder + "/dangling", folder + "/other"));
}

TEST_F(Paths, TheFolderAboveALinkedOne) {
    fs::create_directories(folder + "/c");
    fs::create_symlink("../a/b", folder + "/c/linked");
    EXPECT_TRUE(same_file(absolute_path(folder + "/c/linked/.."), folder + "/a")) << "not " << folder << "/c";
    EXPECT_EQ(absolute_path(folder + "/a/./b/.."), folder + "/a/");
}

TEST_F(Paths, Below) {
    fs::create_symlink(folder + "/a", folder + "/linked");
    EXPECT_TRUE(is_below(folder + "/a/b/new.png", folder + "/a"));
    EXPECT_TRUE(is_below(folder + "/linked/x", folder + "/a"));
    EXPECT_TRUE(is_below(folder + "/a", folder + "/a/"));
    EXPECT_FALSE(is_below(folder + "/ab", folder + "/a"));
    EXPECT_FALSE(is_below(folder, folder + "/a"));
}

TEST_F(Paths, AWorkingFolderThatIsGone) {
    const fs::path before = fs::current_path();
    fs::current_path(folder + "/a/b");
    fs::remove(folder + "/a/b");
    EXPECT_THROW(absolute_path("x"), IoError);
    EXPECT_EQ(canonical_path("./x"), "x");
    EXPECT_FALSE(path_exists("x"));
    fs::current_path(before);
}

// The quick way gives what the standard library gives.
TEST_F(Paths, WhatLiesBelowAFolderByItsLetters) {
    for (const char* folder : {"a", "/a/b", "a/", "", ".", "./a", "/"})
        for (const char* rest : {"x.png", "/x.png", "/c/x.png", "/./x.png", "//x.png", "/../x.png", "b/x", "/c/", ""}) {
            const std::string path = std::string(folder) + rest;
            EXPECT_EQ(path_below(path, folder),
                      std::filesystem::path(path).lexically_relative(folder).lexically_normal().generic_string())
                << path << " below " << folder;
        }
}

}  // namespace atrous
