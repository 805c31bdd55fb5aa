// PNM: every maximum, both byte counts, text; what its header may say.
#include "data/mask.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

// Values as an image's and as a mask's decoder give them.
std::vector<int64_t> values_of(const Image& image) {
    return dispatch_pixels(image, [&](auto zero) {
        const auto& pixels = image.pixels<decltype(zero)>();
        return std::vector<int64_t>(pixels.begin(), pixels.end());
    });
}
using Values = std::vector<int64_t>;

struct PnmRow {
    const char* what;
    std::string bytes;
    bool deep;
    int c;
    Values image, mask;  // a mask keeps its values; none where colours of 16 bits are refused
};

std::vector<PnmRow> pnm_rows() {
    using namespace std::string_literals;
    return {
        {"8 bits", "P5\n3 1\n255\n\0\x7f\xff"s, false, 1, {0, 127, 255}, {0, 127, 255}},
        {"two levels", "P5 3 1 1\n\0\1\0"s, false, 1, {0, 255, 0}, {0, 1, 0}},
        // Halves go to the even neighbour, as in Pillow: 25.5, 76.5, 127.5, 178.5.
        {"ten levels", "P5 4 1 10\n\1\3\5\7"s, false, 1, {26, 76, 128, 178}, {1, 3, 5, 7}},
        {"seven bits", "P5 3 1 127\n\0\x3f\x7f"s, false, 1, {0, 126, 255}, {0, 63, 127}},
        {"big endian", "P5 3 1 65535\n\0\1\1\0\xff\xfe"s, true, 1, {1, 256, 65534}, {1, 256, 65534}},
        {"twelve bits", "P5 3 1 4095\n\0\1\x0f\xff\x08\x00"s, true, 1, {16, 65535, 32776}, {1, 4095, 2048}},
        {"nine bits", "P5 2 1 256\n\1\0\0\x80"s, true, 1, {65535, 32768}, {256, 128}},
        {"colour", "P6 1 1 255\n\1\2\3"s, false, 3, {1, 2, 3}, {1, 2, 3}},
        {"deep colour", "P6 1 1 4095\n\0\1\x0f\xff\0\0"s, true, 3, {16, 65535, 0}, {}},
        {"text", "P2\n# made by hand\n2 2\n15\n0 15\n 7\t1", false, 1, {0, 255, 119, 17}, {0, 15, 7, 1}},
        {"deep text", "P2 2 1 1000 1000 500\n", true, 1, {65535, 32768}, {1000, 500}},
        {"colour in text", "P3 1 1 255 1 2 3", false, 3, {1, 2, 3}, {1, 2, 3}},
        {"comments", "P5#a 9 9\n2#b\n#c\r 1# 99999999\n255#d\nxy", false, 1, {'x', 'y'}, {'x', 'y'}},
        {"pixels like a comment", "P5 2 1 255\n##", false, 1, {'#', '#'}, {'#', '#'}},
        {"more than the pixels", "P5 1 1 255\nxyz", false, 1, {'x'}, {'x'}},
    };
}

}  // namespace

TEST(Pnm, ImagesAreScaledAndMasksAreNot) {
    TempDir dir;
    for (const auto& row : pnm_rows()) {
        SCOPED_TRACE(row.what);
        write_text(dir / "a.pnm", row.bytes);
        const Image image = load_image(dir / "a.pnm");
        EXPECT_EQ(image.c, row.c);
        EXPECT_EQ(image.is_16bit(), row.deep);
        EXPECT_EQ(values_of(image), row.image);
        if (row.mask.empty())
            expect_error([&] { load_mask(dir / "a.pnm"); }, {"a.pnm", "16 bits"});
        else
            EXPECT_EQ(values_of(load_mask(dir / "a.pnm").image), row.mask);
    }
}

TEST(Pnm, WhatCannotBeIsRefused) {
    TempDir dir;
    using namespace std::string_literals;
    const std::vector<std::pair<std::string, std::vector<std::string>>> rows = {
        {"P5 ", {"ends too early"}},
        {"P5 2", {"ends too early"}},
        {"P5 2 2 # no end", {"ends too early"}},
        {"P5 2 2 255", {"2x2", "4 bytes, 0"}},
        {"P5 2 2 255\nabc", {"2x2", "4 bytes, 3"}},
        {"P5 2 2 256\nabcdefg", {"2x2", "8 bytes, 7"}},
        {"P6 2 2 255\nabcdefghijk", {"2x2", "12 bytes, 11"}},
        {"P2 2 2 255\n1 2 3", {"2x2", "7 bytes, 5"}},
        {"P2 2 2 255\n100 200 300 1", {"(0, 1)", "value 300", "255"}},
        {"P2 2 2 255\n100 200     ", {"ends too early"}},
        {"P2 2 1 255\n1 -2", {"0x2d"}},
        {"P5 2 1 100\n\x01\x65"s, {"(1, 0)", "value 101", "100"}},
        {"P5 1 1 1000\n\x03\xe9"s, {"(0, 0)", "value 1001", "1000"}},
        {"P5 1 1 0\nx", {"largest value is 0", "65535"}},
        {"P5 1 1 65536\nxx", {"largest value is 65536", "65535"}},
        {"P5 0 1 255\n", {"0", "nothing"}},
        {"P5 1 0 255\n", {"0", "nothing"}},
        {"P5 -1 1 255\nx", {"0x2d"}},
        {"P5 1x1 255\nx", {"0x78"}},
        {"P5 9999999 9999999 255\nx", {"9999999x9999999", "limit"}},
        {"P6 16000 16000 65535\nx", {"16000x16000", "1536000000 bytes, 1"}},
        {"P3 16000 16000 65535\nx", {"16000x16000", "bytes, 1"}},
        {"P5 4294967297 1 255\nx", {"7 digits"}},
        {"P52 1 255\nxy", {"not an image"}},
        {"P7\nWIDTH 1\n", {"not an image"}},
    };
    for (const auto& [bytes, words] : rows) {
        SCOPED_TRACE(bytes);
        write_text(dir / "x.pgm", bytes);
        auto parts = words;
        parts.push_back("x.pgm");
        for (bool mask : {false, true})
            expect_error([&] { mask ? void(load_mask(dir / "x.pgm")) : void(load_image(dir / "x.pgm")); }, parts);
    }
    write_text(dir / "x.pgm", "P5 00000000000000000002 1 255\nxy");
    EXPECT_EQ(load_image(dir / "x.pgm").w, 2) << "zeros before a number are no digits of it";
}

}  // namespace atrous::data::test
