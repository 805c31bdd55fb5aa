// Free memory of the host, read from made-up /proc and /sys.
#include "engine/free_memory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include <unistd.h>

#include "base/error.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
constexpr size_t megabyte = 1 << 20;

class FreeMemory : public testing::Test {
 protected:
    void SetUp() override {
        root = fs::temp_directory_path() / ("atrous_free_memory_" + std::to_string(getpid()));
        write("proc/meminfo", "MemTotal:       8192 kB\nMemFree:  100 kB\nMemAvailable:    4096 kB\n");
    }
    void TearDown() override { fs::remove_all(root); }
    void write(const std::string& path, const std::string& text) {
        fs::create_directories((root / path).parent_path());
        std::ofstream(root / path) << text;
    }
    size_t found() const { return free_host_memory_bytes(root.string()); }
    fs::path root;
};

TEST_F(FreeMemory, IsWhatIsAvailable) {
    EXPECT_EQ(found(), 4 * megabyte);
    write("proc/self/cgroup", "0::/user/job\n");
    write("sys/fs/cgroup/user/job/memory.max", "max\n");
    EXPECT_EQ(found(), 4 * megabyte);
}

TEST_F(FreeMemory, IsLessUnderAControlGroupOrItsParent) {
    write("proc/self/cgroup", "0::/user/job\n");
    write("sys/fs/cgroup/user/job/memory.max", "3145728\n");
    write("sys/fs/cgroup/user/job/memory.current", "2097152\n");
    EXPECT_EQ(found(), 1 * megabyte);
    write("sys/fs/cgroup/user/job/memory.stat", "anon 1048576\ninactive_file 1048576\n");
    EXPECT_EQ(found(), 2 * megabyte) << "cached files can be dropped";
    write("sys/fs/cgroup/user/memory.max", "524288\n");
    write("sys/fs/cgroup/user/memory.current", "0\n");
    EXPECT_EQ(found(), megabyte / 2) << "the parent's limit holds too";
}

TEST_F(FreeMemory, KnowsVersionOneAndContainers) {
    write("proc/self/cgroup", "9:cpu:/x\n4:memory,hugetlb:/docker/abc\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n");
    EXPECT_EQ(found(), megabyte) << "the host's path is not there; the root of the mount is";
    write("sys/fs/cgroup/memory/memory.usage_in_bytes", "3145728\n");
    EXPECT_EQ(found(), 0u) << "more used than allowed leaves nothing";
}

TEST_F(FreeMemory, IsAnErrorWhereNothingSays) {
    write("proc/meminfo", "MemTotal: 1 kB\n");
    EXPECT_THROW(found(), IoError);
    EXPECT_GT(free_host_memory_bytes(), megabyte);
}

}  // namespace
}  // namespace atrous
