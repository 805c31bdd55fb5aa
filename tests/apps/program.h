// Running the program as a user does.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/paths.h"

namespace atrous::test {

struct Outcome {
    int code = -1;
    std::string output;  // stdout and stderr
};

inline Outcome shell(const std::string& command) {
    Outcome outcome;
    std::signal(SIGHUP, SIG_DFL);  // under nohup the program would inherit that it is ignored
    FILE* pipe = popen((command + " 2>&1").c_str(), "r");
    char buffer[4096];
    while (const size_t n = fread(buffer, 1, sizeof buffer, pipe)) outcome.output.append(buffer, n);
    const int status = pclose(pipe);
    outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return outcome;
}

// What programs keep of checks goes with the tests.
struct CacheFolder {
    std::string path = (std::filesystem::temp_directory_path() / "atrous-cache-XXXXXX").string();
    CacheFolder() {
        if (mkdtemp(path.data())) setenv("XDG_CACHE_HOME", path.c_str(), 1);
    }
    ~CacheFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
};
inline const CacheFolder cache_folder_of_tests;

inline std::string program() { return path_from("ATROUS_PROGRAM", ATROUS_PROGRAM); }

// A Python that has these modules ("torch, PIL"), or "": a virtual environment hides the system's.
inline std::string python_with(const std::string& modules) {
    for (const char* candidate : {"python3", "/usr/bin/python3"})
        if (shell(std::string(candidate) + " -c 'import " + modules + "'").code == 0) return candidate;
    return "";
}

// Tests of a suite that share a folder with a drawn data set, which goes with them.
template <class Suite>
class WithDrawnData : public testing::Test {
 protected:
    static void draw(const std::string& name, int samples) {
        // A space on purpose.
        root() = std::filesystem::temp_directory_path() / ("atrous " + name + " " + std::to_string(getpid()));
        std::filesystem::create_directories(root());
        const Outcome drawn = shell(program() + " synth --output " + quoted("data") + " --count " +
                                    std::to_string(samples) + " --size 32 --seed 3 --val-fraction 0.25");
        ASSERT_EQ(drawn.code, 0) << drawn.output;
    }
    static void TearDownTestSuite() { std::filesystem::remove_all(root()); }
    static std::filesystem::path& root() {
        static std::filesystem::path path;
        return path;
    }
    static std::string quoted(const std::string& name) { return "'" + (root() / name).string() + "'"; }
};

}  // namespace atrous::test
