// What does not fit into memory waits in a file that has no name.
#include "base/scratch_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/error.h"

namespace {

namespace fs = std::filesystem;

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
