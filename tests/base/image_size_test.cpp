#include "base/image_size.h"

#include <gtest/gtest.h>

namespace atrous {
namespace {

TEST(ImageSize, IsReadAsWidthByHeight) {
    const auto comma10k = parse_image_size("582x437");
    ASSERT_TRUE(comma10k);
    EXPECT_EQ(comma10k->width, 582);
    EXPECT_EQ(comma10k->height, 437);
    EXPECT_EQ(text_of(*comma10k), "582x437");
    EXPECT_EQ(parse_image_size("256"), ImageSize(256));
    EXPECT_EQ(parse_image_size("256x256"), ImageSize(256));
    EXPECT_EQ(parse_image_size("640X480"), ImageSize(480, 640));
    EXPECT_EQ(text_of(ImageSize(256)), "256");
    EXPECT_EQ(width_by_height(256), "256x256");
    for (const char* text : {"", "x", "640x", "x480", "640x480x3", "640,480", "640 480", "0", "0x480", "640x0", "-8",
                             "+8", " 8", "8 ", "1e3", "9999999999", "640*480"})
        EXPECT_FALSE(parse_image_size(text)) << text;
}

TEST(ImageSize, IsRaisedSideBySide) {
    EXPECT_EQ(raised_to_multiple({437, 582}, 16), ImageSize(448, 592));
    EXPECT_EQ(raised_to_multiple({160, 240}, 16), ImageSize(160, 240));
}

struct Bound {
    ImageSize size = 256, crop;
    Settings settings;
    SizeSetting &sized = bind_size(settings, "size", size, "size").min(8).max(8192),
                &cropped = bind_size(settings, "crop", crop, "crop").min(8).max(8192).or_none();
};

TEST(SizeSetting, TakesOneNumberOrTwo) {
    Bound b;
    EXPECT_EQ(b.sized.rule(), "N or WIDTHxHEIGHT, from 8 to 8192");
    EXPECT_FALSE(b.sized.differs());
    EXPECT_TRUE(b.sized.assign({{"640x480"}}));
    EXPECT_EQ(b.size, ImageSize(480, 640));
    EXPECT_EQ(b.sized.shown(), "640x480");
    EXPECT_TRUE(b.sized.differs());
    for (const char* text : {"7", "8x7", "8193x8", "", "640x"}) EXPECT_FALSE(b.sized.assign({{text}})) << text;
    EXPECT_FALSE(b.sized.assign({{"640"}, {"480"}}));
    EXPECT_FALSE(b.sized.assign({{"640", Word::Kind::number}}));
    EXPECT_EQ(b.size, ImageSize(480, 640)) << "unchanged";
}

// Checkpoints and configuration files from before there were two sides hold a number, and those of squares still do.
TEST(SizeSetting, SquaresAreNumbersInFiles) {
    Bound b;
    EXPECT_TRUE(b.sized.assign({{"320", Word::Kind::integer}}));
    EXPECT_EQ(b.sized.words(), (std::vector<Word>{{"320", Word::Kind::integer}}));
    EXPECT_TRUE(b.sized.assign({{"320x160", Word::Kind::text}}));
    EXPECT_EQ(b.sized.words(), (std::vector<Word>{{"320x160", Word::Kind::text}}));
}

TEST(SizeSetting, NoneIsAnEmptyText) {
    Bound b;
    EXPECT_EQ(b.cropped.words(), (std::vector<Word>{{"", Word::Kind::text}}));
    EXPECT_EQ(b.cropped.shown(), "\"\"");
    EXPECT_TRUE(b.cropped.assign({{"480", Word::Kind::text}}));
    EXPECT_EQ(b.cropped.words(), (std::vector<Word>{{"480", Word::Kind::text}})) << "as it always was";
    EXPECT_TRUE(b.cropped.assign({{"", Word::Kind::text}}));
    EXPECT_TRUE(b.crop.none());
}

}  // namespace
}  // namespace atrous
