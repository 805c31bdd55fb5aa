#include "data/libtiff.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atrous::data {

static std::string refusal(const std::string& soname) {
    try {
        open_libtiff(soname);
    } catch (const IoError& error) {
        return error.what();
    }
    return "";
}

TEST(LibTiff, WhereItIsMissingItsPackageIsNamed) {
    const std::string words = refusal("libtiff.so.none");
    EXPECT_NE(words.find("libtiff.so.none"), std::string::npos) << words;
    EXPECT_NE(words.find("apt-get install libtiff6"), std::string::npos) << words;
}

// An older one lacks TIFFOpenOptions; glibc's lacks everything.
TEST(LibTiff, ALibraryThatLacksAFunctionIsRefused) {
    const std::string words = refusal("libc.so.6");
    EXPECT_NE(words.find("TIFFClientOpenExt"), std::string::npos) << words;
}

TEST(LibTiff, IsOpenedOnce) { EXPECT_EQ(&libtiff(), &libtiff()); }

}  // namespace atrous::data
