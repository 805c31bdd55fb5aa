// WebP: lossless comes back, lossy nearly, alpha stays, the orientation is applied, and what is cut is refused.
#include <webp/encode.h>

#include "data/codecs.h"
#include "fixtures.h"
#include "png_bytes.h"

namespace atrous::data::test {

namespace {

std::vector<uint8_t> encode_webp(const Image& image, bool lossless) {
    uint8_t* out = nullptr;
    const int w = int(image.w), h = int(image.h), row = w * image.c;
    const uint8_t* from = image.u8.data();
    const size_t size =
        image.c == 4
            ? (lossless ? WebPEncodeLosslessRGBA(from, w, h, row, &out) : WebPEncodeRGBA(from, w, h, row, 95, &out))
            : (lossless ? WebPEncodeLosslessRGB(from, w, h, row, &out) : WebPEncodeRGB(from, w, h, row, 95, &out));
    std::vector<uint8_t> bytes(out, out + size);
    WebPFree(out);
    return bytes;
}

Image load(const std::vector<uint8_t>& bytes) {
    TempDir dir;
    write_file(dir / "x.webp", bytes);
    return load_image(dir / "x.webp");
}

void put(std::vector<uint8_t>& bytes, uint32_t value, int size) {
    for (int i = 0; i < size; ++i) bytes.push_back(uint8_t(value >> 8 * i));
}

// The extended form of a file: a chunk of flags, its pixels, more chunks.
std::vector<uint8_t> extended(const std::vector<uint8_t>& webp, const Image& image, uint8_t flags,
                              const std::string& name, const std::vector<uint8_t>& contents) {
    std::vector<uint8_t> body = {'W', 'E', 'B', 'P', 'V', 'P', '8', 'X'};
    put(body, 10, 4);
    put(body, flags, 4);
    put(body, uint32_t(image.w - 1), 3);
    put(body, uint32_t(image.h - 1), 3);
    body.insert(body.end(), webp.begin() + 12, webp.end());
    body.insert(body.end(), name.begin(), name.end());
    put(body, uint32_t(contents.size()), 4);
    body.insert(body.end(), contents.begin(), contents.end());
    if (contents.size() % 2) body.push_back(0);
    std::vector<uint8_t> bytes = {'R', 'I', 'F', 'F'};
    put(bytes, uint32_t(body.size()), 4);
    bytes.insert(bytes.end(), body.begin(), body.end());
    return bytes;
}

}  // namespace

TEST(WebP, LosslessComesBack) {
    EXPECT_EQ(load(encode_webp(pattern(19, 23, 3), true)).u8, pattern(19, 23, 3).u8);
    Image rgba = pattern(5, 7, 4);
    for (size_t i = 3; i < rgba.u8.size(); i += 4) rgba.u8[i] |= 1;  // colours of what is not seen need not be kept
    rgba.u8[3] = 17;
    const Image back = load(encode_webp(rgba, true));
    EXPECT_EQ(back.c, 4);
    EXPECT_EQ(back.u8, rgba.u8);
}

TEST(WebP, LossyComesNear) {
    Image image = make_image<uint8_t>(32, 40, 3);
    for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(40 + i / 30);
    const Image back = load(encode_webp(image, false));
    ASSERT_EQ(back.u8.size(), image.u8.size());
    for (size_t i = 0; i < back.u8.size(); ++i) EXPECT_NEAR(back.u8[i], image.u8[i], 8);
}

TEST(WebP, TheOrientationIsApplied) {
    const Image image = pattern(3, 5, 3);
    const auto turned = load(extended(encode_webp(image, true), image, 8, "EXIF", tiff_of_orientation(6, true)));
    EXPECT_EQ(turned.h, 5);
    EXPECT_EQ(turned.w, 3);
    EXPECT_EQ(turned.u8[0], image.u8[size_t(2 * 5 * 3)]) << "the last row becomes the first column";
    auto exif = tiff_of_orientation(3, false);
    exif.insert(exif.begin(), {'E', 'x', 'i', 'f', 0, 0});
    EXPECT_EQ(load(extended(encode_webp(image, true), image, 8, "EXIF", exif)).u8[0], image.u8[size_t(14 * 3)]);
}

TEST(WebP, WhatIsCutOrMovesIsRefused) {
    for (bool lossless : {false, true}) {
        const auto bytes = encode_webp(pattern(24, 24, 3), lossless);
        for (size_t part = 1; part < 12; ++part)
            expect_error([&] { load({bytes.begin(), bytes.begin() + long(bytes.size() * part / 12)}); }, {"x.webp"});
        for (size_t i = 0; i < std::min<size_t>(bytes.size(), 400); ++i) {
            auto broken = bytes;
            broken[i] ^= 0x41;
            try {
                codec::decode(broken, "x.webp", false);
            } catch (const DataError&) {  // any other exception fails the test
            }
        }
    }
    const Image image = pattern(3, 5, 3);
    expect_error([&] { load(extended(encode_webp(image, true), image, 2, "ANIM", std::vector<uint8_t>(6))); },
                 {"x.webp", "animation", "frames"});
}

TEST(WebP, AFileOfNothingIsNoHugeImage) {
    auto bytes = encode_webp(make_image<uint8_t>(16, 16, 3), true);
    for (size_t at : {21, 22, 23}) bytes[at] = 0xff;  // 14 bits each of width and height
    bytes[24] |= 0x0f;
    expect_error([&] { load(bytes); }, {"x.webp", "cannot hold 16384x16384"});
}

}  // namespace atrous::data::test
