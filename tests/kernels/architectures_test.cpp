#include "kernels/gpu/architectures.h"

#include <gtest/gtest.h>

namespace atrous::gpu {
namespace {

TEST(Architectures, CodeRunsWhereCudaSaysItDoes) {
    const char* shipped = "80-real;90a-real;90-virtual";
    for (const auto& [major, minor] : {std::pair{8, 0}, {8, 6}, {8, 9}, {9, 0}, {10, 0}, {12, 0}})
        EXPECT_TRUE(has_code(shipped, major, minor)) << major << "." << minor;
    for (const auto& [major, minor] : {std::pair{5, 2}, {7, 0}, {7, 5}})
        EXPECT_FALSE(has_code(shipped, major, minor)) << major << "." << minor;
    EXPECT_FALSE(has_code("90a-real", 10, 0)) << "what Hopper alone has";
    EXPECT_FALSE(has_code("90a-virtual", 10, 0));
    EXPECT_FALSE(has_code("86-real", 8, 0)) << "a lower minor version";
    EXPECT_TRUE(has_code("75", 7, 5)) << "without a word both are meant";
    EXPECT_TRUE(has_code("75", 9, 0));
    EXPECT_TRUE(has_code("80-real,75-real", 7, 5));
    EXPECT_FALSE(has_code("", 9, 0));
    EXPECT_TRUE(has_code("native", 9, 0));
}

}  // namespace
}  // namespace atrous::gpu
