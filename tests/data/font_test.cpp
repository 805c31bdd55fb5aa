// Text in images: what is drawn where, and what no text may do.
#include "data/font.h"

#include <algorithm>

#include "fixtures.h"

namespace atrous::data::test {

namespace {

constexpr double size = 12.8;

Image paper(int64_t h, int64_t w) {
    Image image = make_image<uint8_t>(h, w, 3);
    std::fill(image.u8.begin(), image.u8.end(), uint8_t(255));
    return image;
}

// Black on white, from (20, 4).
Image drawn(std::string_view text) {
    Image image = paper(30, 200);
    draw_text(image, 20, 4, text, size, 0);
    return image;
}

struct Box {
    int64_t top = 1000, bottom = -1, left = 1000, right = -1;  // of what is not white
};
Box ink_of(const Image& image) {
    Box box;
    for (int64_t y = 0; y < image.h; ++y)
        for (int64_t x = 0; x < image.w; ++x)
            if (image.u8[size_t(y * image.w + x) * 3] != 255) {
                box.top = std::min(box.top, y), box.bottom = std::max(box.bottom, y);
                box.left = std::min(box.left, x), box.right = std::max(box.right, x);
            }
    return box;
}

}  // namespace

TEST(Font, MeasuresText) {
    EXPECT_EQ(text_width("", size), 0);
    EXPECT_GT(text_width("W", size), text_width("i", size));
    for (char digit = '1'; digit <= '9'; ++digit)
        EXPECT_EQ(text_width(std::string(1, digit), size), text_width("0", size)) << "scores stand below each other";
    EXPECT_NEAR(text_width("val/images", 2 * size), 2 * text_width("val/images", size), 1e-3);
    EXPECT_LT(text_width("AV", size), text_width("A", size) + text_width("V", size)) << "kerned";
    EXPECT_NEAR(text_width("e\xcc\x81", size), text_width("\xc3\xa9", size), 0.1) << "an accent takes no place";
}

TEST(Font, DrawsOnTheBaseline) {
    const Box capital = ink_of(drawn("H")), small = ink_of(drawn("x")), hanging = ink_of(drawn("g"));
    EXPECT_EQ(capital.bottom, 19);  // the row above the baseline
    EXPECT_NEAR(double(capital.bottom - capital.top + 1), 0.73 * size, 1);
    EXPECT_EQ(small.bottom, 19);
    EXPECT_EQ(small.top, 13);
    EXPECT_GT(hanging.bottom, 20);
    const Box word = ink_of(drawn("Hello"));
    EXPECT_GE(word.left, 4);
    EXPECT_NEAR(double(word.right), 4 + text_width("Hello", size), 2);
}

TEST(Font, EdgesAreSoftAndInkIsTheColour) {
    Image image = paper(60, 60);
    draw_text(image, 50, 5, "l", 64, 0x204060);
    size_t full = 0, soft = 0;
    for (size_t p = 0; p < image.u8.size(); p += 3) {
        full += image.u8[p] == 0x20 && image.u8[p + 1] == 0x40 && image.u8[p + 2] == 0x60;
        soft += image.u8[p] > 0x20 && image.u8[p] < 255;
    }
    EXPECT_GT(full, 100u);
    EXPECT_GT(soft, 20u);
}

TEST(Font, TextIsWhatItIs) {
    EXPECT_NE(drawn("name").u8, drawn("NAME").u8);
    EXPECT_NE(drawn("ü").u8, drawn("u").u8);
    EXPECT_NE(drawn("привет").u8, drawn("").u8);
    EXPECT_NE(drawn("漢").u8, drawn("").u8) << "a box";
    EXPECT_EQ(drawn("漢").u8, drawn("字").u8);
}

TEST(Font, BrokenTextIsDrawnAsReplacements) {
    const Image one = drawn("\xef\xbf\xbd");
    for (const char* text : {"\xff", "\x80", "\xc3", "\x01", "\n", "\t", "\x1b", "\x7f", "\xc2\x85"})
        EXPECT_EQ(drawn(text).u8, one.u8) << int(text[0]);
    EXPECT_EQ(drawn(std::string_view("\0", 1)).u8, one.u8);
    for (const char* text : {"\xe2\x80", "\xc0\xaf"}) EXPECT_EQ(drawn(text).u8, drawn("\xef\xbf\xbd\xef\xbf\xbd").u8);
    std::string bytes;
    for (int b = 0; b < 256; ++b) bytes += char(b);
    EXPECT_GT(text_width(bytes + bytes, size), 0);
    drawn(bytes);
}

TEST(Font, NothingIsDrawnOutsideOfTheImage) {
    Image image = paper(8, 9);
    for (const int64_t x : {-1000, -3, 5, 9, 1000})
        for (const int64_t y : {-1000, -2, 4, 12, 1000}) draw_text(image, y, x, "clipped", 40, 0);
    Image untouched = paper(8, 9);
    draw_text(untouched, 100, 0, "below", size, 0);
    draw_text(untouched, 6, -500, "left of it", size, 0);
    EXPECT_EQ(untouched.u8, paper(8, 9).u8);
    Image gray = make_image<uint8_t>(8, 8, 1);
    EXPECT_THROW(draw_text(gray, 6, 0, "gray", size, 0), Error);
}

TEST(Font, LongTextIsShortenedInTheMiddle) {
    EXPECT_EQ(shortened("short", size, 100), "short");
    const std::string name = "train/" + std::string(244, 'x') + "_0192";
    const std::string cut = shortened(name, size, 150);
    EXPECT_TRUE(cut.starts_with("train/xx")) << cut;
    EXPECT_TRUE(cut.ends_with("x_0192")) << cut;
    EXPECT_NE(cut.find("…"), std::string::npos);
    EXPECT_LE(text_width(cut, size), 150);
    EXPECT_GT(text_width(cut, size), 130) << "as much as fits";
    EXPECT_EQ(shortened(name, size, 0), "…");
    std::string accents;
    for (int i = 0; i < 100; ++i) accents += "é";
    for (double width = 0; width < 300; width += 7) {
        std::string text = shortened(accents, size, width);
        text.erase(text.find("…"), std::string("…").size());
        EXPECT_EQ(text, accents.substr(0, text.size())) << "cut between characters";
        EXPECT_EQ(text.size() % 2, 0u);
    }
}

}  // namespace atrous::data::test
