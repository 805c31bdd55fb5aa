// What does not fit into memory waits in a file that has no name.
#include "base/scratch_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace {

namespace fs = std::filesystem;

// Where a file has to have a name, it is gone before anything is written.
TEST(ScratchFile, HasNoNameWhereTheFileSystemHasOnlyNamedOnes) {
    const fs::path folder = fs::temp_directory_path() / ("atrous unlinked " + std::to_string(getpid()));
    fs::create_directories(folder);
    {
        const atrous::io::FileDescriptor file = atrous::io::open_unlinked(folder.string());
        ASSERT_TRUE(file);
        EXPECT_TRUE(fs::is_empty(folder));
        char read[3] = {};
        EXPECT_EQ(pwrite(file.get(), "ab", 2, 0), 2);
        EXPECT_EQ(pread(file.get(), read, 2, 0), 2);
        EXPECT_STREQ(read, "ab");
    }
    fs::remove_all(folder);
    EXPECT_FALSE(atrous::io::open_unlinked(folder.string())) << "no such folder";
}

// The disk is full, or as here a file may not grow: that is known before the work, and what was written stays.
TEST(ScratchFile, TellsThatThereIsNoRoom) {
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{100'000, 100'000};
        setrlimit(RLIMIT_FSIZE, &limit);
        atrous::io::ScratchFile file(fs::temp_directory_path().string());
        const int none = file.reserve(50'000), error = file.reserve(200'000);
        const std::string many(150'000, 'x');
        bool refused = false;
        try {
            file.append(many.data(), many.size());
        } catch (const atrous::IoError& e) {
            refused = std::string(e.what()).find("ulimit -f") != std::string::npos;
        }
        _exit(none == 0 && (error == EFBIG || error == 0) && refused ? 7 : 8);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(ScratchFile, KeepsWhatIsAppendedAndLeavesNothing) {
    const fs::path folder = fs::temp_directory_path() / ("atrous scratch " + std::to_string(getpid()));
    fs::create_directories(folder);
    {
        atrous::io::ScratchFile file(folder.string());
        file.append("abcdef", 6);
        file.append("gh", 2);
        char read[4] = {};
        file.read(read, 3, 5);
        EXPECT_STREQ(read, "fgh");
        EXPECT_THROW(file.read(read, 2, 7), atrous::IoError) << "beyond its end";
        EXPECT_TRUE(fs::is_empty(folder)) << "it has a name";
    }
    EXPECT_TRUE(fs::is_empty(folder));
    fs::remove_all(folder);
    EXPECT_THROW(atrous::io::ScratchFile{folder.string()}, atrous::IoError) << "no such folder";
}

}  // namespace
