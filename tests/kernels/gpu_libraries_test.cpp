// The search for NVIDIA's libraries, in folders made for it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "kernels/gpu/libraries.h"
#include "tests/paths.h"

namespace atrous::gpu {
namespace {

namespace fs = std::filesystem;

constexpr LibraryName fake{"fake", "libatrous_fake.so.7", "atrous_fake_version"};

class LibrarySearch : public testing::Test {
 protected:
    void SetUp() override {
        fs::create_directories(root_);
        library_ = test::path_from("ATROUS_FAKE_LIBRARY", ATROUS_FAKE_LIBRARY);
        for (const char* name : variables)
            if (const char* value = std::getenv(name)) old_[name] = value;
        for (const char* name : {"ATROUS_CUDA_LIBS", "VIRTUAL_ENV", "CONDA_PREFIX"}) unsetenv(name);
        setenv("PATH", (root_ / "nothing").c_str(), 1);
    }
    void TearDown() override {
        for (const char* name : variables) old_.count(name) ? setenv(name, old_[name].c_str(), 1) : unsetenv(name);
        fs::remove_all(root_);
    }
    std::string install(const std::string& folder) {
        fs::create_directories(root_ / folder);
        const fs::path file = root_ / folder / fake.soname;
        fs::copy_file(library_, file);
        return file.string();
    }
    static constexpr const char* variables[] = {"ATROUS_CUDA_LIBS", "VIRTUAL_ENV", "CONDA_PREFIX", "PATH"};
    fs::path root_ = fs::canonical(fs::temp_directory_path()) / ("atrous libraries " + std::to_string(getpid()));
    std::string library_;
    std::map<std::string, std::string> old_;
};

TEST_F(LibrarySearch, SaysWhatToDoWhereThereIsNone) {
    const FoundLibrary found = find_library(fake);
    EXPECT_EQ(found.path, "");
    EXPECT_NE(found.why_not.find("ATROUS_CUDA_LIBS"), std::string::npos) << found.why_not;
}

TEST_F(LibrarySearch, LooksIntoSitePackagesOfAVirtualEnvironment) {
    const std::string file = install("venv/lib/python3.12/site-packages/nvidia/fake/lib");
    setenv("VIRTUAL_ENV", (root_ / "venv").c_str(), 1);
    const FoundLibrary found = find_library(fake);
    EXPECT_EQ(found.path, file) << found.why_not;
    EXPECT_EQ(found.version, "9.13.2");
}

TEST_F(LibrarySearch, FindsThePackagesOfThePythonInThePath) {
    const std::string file = install("env/lib/python3.11/site-packages/nvidia/fake/lib");
    fs::create_directories(root_ / "env/bin");
    fs::create_directories(root_ / "elsewhere/bin");
    std::ofstream(root_ / "elsewhere/bin/python3.11") << "#!\n";
    fs::create_symlink(root_ / "elsewhere/bin/python3.11", root_ / "env/bin/python3");
    setenv("PATH", ("/nothing:" + (root_ / "env/bin").string()).c_str(), 1);
    EXPECT_EQ(find_library(fake).path, file) << "the environment in which python3 lies, not the one it leads to";
}

TEST_F(LibrarySearch, TakesWhatTheUserNamesFirst) {
    install("venv/lib/python3.12/site-packages/nvidia/fake/lib");
    const std::string file = install("mine");
    setenv("VIRTUAL_ENV", (root_ / "venv").c_str(), 1);
    setenv("ATROUS_CUDA_LIBS", ((root_ / "absent").string() + ":" + (root_ / "mine").string()).c_str(), 1);
    EXPECT_EQ(find_library(fake).path, file);
}

TEST_F(LibrarySearch, StaysOpenForItsFunctions) {
    install("mine");
    setenv("ATROUS_CUDA_LIBS", (root_ / "mine").c_str(), 1);
    const OpenLibrary library = open_library(fake);
    EXPECT_EQ(library.version, 91302u);
    ASSERT_NE(library.symbol("atrous_fake_version"), nullptr) << library.found.why_not;
    EXPECT_EQ(reinterpret_cast<size_t (*)()>(library.symbol("atrous_fake_version"))(), 91302u);
    EXPECT_EQ(library.symbol("nobody_has_this"), nullptr);
    EXPECT_EQ(OpenLibrary().symbol("atrous_fake_version"), nullptr) << "nothing is open";
}

TEST_F(LibrarySearch, SaysWhyAFileCannotBeOpened) {
    fs::create_directories(root_ / "bad");
    std::ofstream(root_ / "bad" / fake.soname) << "no library";
    setenv("ATROUS_CUDA_LIBS", (root_ / "bad").c_str(), 1);
    const FoundLibrary found = find_library(fake);
    EXPECT_EQ(found.path, "");
    EXPECT_NE(found.why_not.find((root_ / "bad" / fake.soname).string()), std::string::npos) << found.why_not;

    install("good");
    LibraryName other = fake;
    other.version_function = "nobody_has_this";
    setenv("ATROUS_CUDA_LIBS", (root_ / "good").c_str(), 1);
    EXPECT_NE(find_library(other).why_not.find("nobody_has_this"), std::string::npos) << find_library(other).why_not;
}

}  // namespace
}  // namespace atrous::gpu
