// Decoding: every format, every malformation, by content and not by extension.
#include <gif_lib.h>
#include <png.h>
#include <turbojpeg.h>

#include <cstring>

#include "data/transform.h"
#include "fixtures.h"
#include "png_bytes.h"

namespace atrous::data::test {

namespace {

std::vector<uint8_t> encode_gif(const Image& indices, const std::vector<GifColorType>& colours, bool interlaced) {
    std::vector<uint8_t> bytes;
    int error = 0;
    GifFileType* gif = EGifOpen(
        &bytes,
        [](GifFileType* file, const GifByteType* from, int count) {
            auto* to = static_cast<std::vector<uint8_t>*>(file->UserData);
            to->insert(to->end(), from, from + count);
            return count;
        },
        &error);
    ColorMapObject* map = GifMakeMapObject(int(colours.size()), colours.data());
    EXPECT_EQ(EGifPutScreenDesc(gif, int(indices.w), int(indices.h), 8, 0, map), GIF_OK);
    EXPECT_EQ(EGifPutImageDesc(gif, 0, 0, int(indices.w), int(indices.h), interlaced, nullptr), GIF_OK);
    const auto put = [&](int64_t y) {
        EXPECT_EQ(EGifPutLine(gif, const_cast<uint8_t*>(indices.u8.data()) + y * indices.w, int(indices.w)), GIF_OK);
    };
    if (interlaced) {
        for (const auto& [first, step] : {std::pair{0, 8}, {4, 8}, {2, 4}, {1, 2}})
            for (int64_t y = first; y < indices.h; y += step) put(y);
    } else {
        for (int64_t y = 0; y < indices.h; ++y) put(y);
    }
    EGifCloseFile(gif, &error);
    GifFreeMapObject(map);
    return bytes;
}

std::vector<uint8_t> encode_gray_alpha_png(int w, int h, const std::vector<uint8_t>& pairs) {
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = png_uint_32(w);
    image.height = png_uint_32(h);
    image.format = PNG_FORMAT_GA;
    png_alloc_size_t size = 0;
    EXPECT_TRUE(png_image_write_to_memory(&image, nullptr, &size, 0, pairs.data(), 0, nullptr));
    std::vector<uint8_t> bytes(size);
    EXPECT_TRUE(png_image_write_to_memory(&image, bytes.data(), &size, 0, pairs.data(), 0, nullptr));
    return bytes;
}

std::vector<uint8_t> encode_cmyk_jpeg(int w, int h, const std::vector<uint8_t>& inks) {
    tjhandle handle = tjInitCompress();
    unsigned char* buffer = nullptr;
    unsigned long size = 0;
    EXPECT_EQ(tjCompress2(handle, inks.data(), w, 0, h, TJPF_CMYK, &buffer, &size, TJSAMP_444, 100, 0), 0);
    std::vector<uint8_t> bytes(buffer, buffer + size);
    tjFree(buffer);
    tjDestroy(handle);
    return bytes;
}

// A JPEG with an EXIF block whose directory holds the orientation alone.
std::vector<uint8_t> with_orientation(std::vector<uint8_t> jpeg, uint8_t orientation, bool little) {
    std::vector<uint8_t> segment = {0xff, 0xe1, 0, 34, 'E', 'x', 'i', 'f', 0, 0};
    const auto tiff = tiff_of_orientation(orientation, little);
    segment.insert(segment.end(), tiff.begin(), tiff.end());
    jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
    return jpeg;
}

void put32(std::vector<uint8_t>& bytes, uint32_t v) {
    for (int i = 0; i < 4; ++i) bytes.push_back(uint8_t(v >> 8 * i));
}

// An uncompressed 24-bit BMP, rows from the bottom, padded to 4 bytes.
std::vector<uint8_t> encode_bmp(const Image& rgb) {
    const size_t row = size_t(rgb.w * 3 + 3) / 4 * 4;
    std::vector<uint8_t> bytes = {'B', 'M'};
    for (uint32_t v : {uint32_t(54 + row * size_t(rgb.h)), 0u, 54u, 40u, uint32_t(rgb.w), uint32_t(rgb.h),
                       24u << 16 | 1u, 0u, uint32_t(row * size_t(rgb.h)), 2835u, 2835u, 0u, 0u})
        put32(bytes, v);
    for (int64_t y = rgb.h - 1; y >= 0; --y) {
        const size_t start = bytes.size();
        for (int64_t x = 0; x < rgb.w; ++x)
            for (int ch = 2; ch >= 0; --ch) bytes.push_back(rgb.u8[size_t((y * rgb.w + x) * 3 + ch)]);
        bytes.resize(start + row);
    }
    return bytes;
}

// Mean absolute difference; JPEG of smooth content at quality 95 and above stays well below 3.
double difference(const Image& a, const Image& b) {
    EXPECT_EQ(a.h, b.h);
    EXPECT_EQ(a.w, b.w);
    EXPECT_EQ(a.u8.size(), b.u8.size());
    double sum = 0;
    for (size_t i = 0; i < std::min(a.u8.size(), b.u8.size()); ++i) sum += std::abs(int(a.u8[i]) - int(b.u8[i]));
    return sum / double(a.u8.size());
}

Image smooth(int64_t h, int64_t w, int c) {
    Image image = make_image<uint8_t>(h, w, c);
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x)
            for (int ch = 0; ch < c; ++ch)
                image.u8[size_t((y * w + x) * c + ch)] = uint8_t(20 + 6 * y + 2 * x + 20 * ch);
    return image;
}

// One bit and two bits a pixel, written by PIL.
const std::vector<uint8_t> one_bit_png = {137, 80,  78, 71, 13, 10,  26,  10, 0,   0,  0,  13,  73, 72, 68,  82, 0, 0,
                                          0,   3,   0,  0,  0,  2,   1,   0,  0,   0,  0,  181, 15, 91, 183, 0,  0, 0,
                                          12,  73,  68, 65, 84, 120, 156, 99, 112, 96, 56, 0,   0,  1,  132, 1,  1, 10,
                                          127, 144, 80, 0,  0,  0,   0,   73, 69,  78, 68, 174, 66, 96, 130};

}  // namespace

TEST(Image, PngRoundTripKeepsEveryChannelCountAndDepth) {
    TempDir dir;
    for (int c : {1, 3, 4}) {
        const Image shallow = pattern(5, 7, c);
        save_png(dir / "a.png", shallow);
        const Image back = load_image(dir / "a.png");
        EXPECT_EQ(back.c, c);
        EXPECT_EQ(back.u8, shallow.u8);

        Image deep = make_image<uint16_t>(5, 7, c);
        for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(i * 1237 + 300);
        save_png(dir / "b.png", deep);
        const Image deep_back = load_image(dir / "b.png");
        EXPECT_EQ(deep_back.c, c);
        EXPECT_TRUE(deep_back.is_16bit());
        EXPECT_EQ(deep_back.u16, deep.u16);
    }
}

TEST(Image, PalettePngBecomesColours) {
    TempDir dir;
    save_png(dir / "p.png", gray(1, 3, {2, 0, 1}), {0x010203, 0x102030, 0xfffefd});
    const Image image = load_image(dir / "p.png");
    EXPECT_EQ(image.c, 3);
    EXPECT_EQ(image.u8, (std::vector<uint8_t>{0xff, 0xfe, 0xfd, 1, 2, 3, 0x10, 0x20, 0x30}));
}

TEST(Image, PaletteIndexBeyondThePaletteIsNamed) {
    TempDir dir;
    save_png(dir / "p.png", gray(2, 2, {0, 1, 1, 3}), {0x010203, 0x102030});
    expect_error([&] { load_image(dir / "p.png"); }, {"p.png", "(1, 1)", "index 3", "2 colours"});
}

TEST(Image, OneBitPngIsStretchedForImages) {
    TempDir dir;
    write_file(dir / "one.png", one_bit_png);
    EXPECT_EQ(load_image(dir / "one.png").u8, (std::vector<uint8_t>{0, 255, 0, 255, 255, 0}));
}

TEST(Image, GrayAlphaBecomesGray) {
    TempDir dir;
    write_file(dir / "ga.png", encode_gray_alpha_png(2, 1, {10, 255, 200, 128}));
    const Image image = load_image(dir / "ga.png");
    EXPECT_EQ(image.c, 1);
    EXPECT_EQ(image.u8, (std::vector<uint8_t>{10, 200}));
}

TEST(Image, GifPlainAndInterlaced) {
    TempDir dir;
    Image indices = make_image<uint8_t>(11, 6, 1);
    for (size_t i = 0; i < indices.u8.size(); ++i) indices.u8[i] = uint8_t(i * i % 4);
    const std::vector<GifColorType> colours = {{0, 0, 0}, {255, 0, 0}, {0, 255, 0}, {9, 8, 7}};
    for (bool interlaced : {false, true}) {
        write_file(dir / "a.gif", encode_gif(indices, colours, interlaced));
        const Image image = load_image(dir / "a.gif");
        ASSERT_EQ(image.c, 3);
        ASSERT_EQ(image.h, 11);
        for (size_t i = 0; i < indices.u8.size(); ++i) {
            EXPECT_EQ(image.u8[3 * i], colours[indices.u8[i]].Red) << interlaced << " " << i;
            EXPECT_EQ(image.u8[3 * i + 1], colours[indices.u8[i]].Green) << interlaced << " " << i;
        }
    }
}

TEST(Image, BmpAndPnm) {
    TempDir dir;
    const Image rgb = pattern(4, 5, 3);
    write_file(dir / "a.bmp", encode_bmp(rgb));
    EXPECT_EQ(load_image(dir / "a.bmp").u8, rgb.u8);
    auto top_down = encode_bmp(flip_vertical(rgb));
    const int32_t height = -4;
    std::memcpy(top_down.data() + 22, &height, 4);
    write_file(dir / "b.bmp", top_down);
    EXPECT_EQ(load_image(dir / "b.bmp").u8, rgb.u8);
    write_text(dir / "a.pgm", "P5\n3 2\n255\nabcdef");
    EXPECT_EQ(load_image(dir / "a.pgm").u8, (std::vector<uint8_t>{'a', 'b', 'c', 'd', 'e', 'f'}));
}

// A header, empty blocks, then the planes of one pixel.
TEST(Image, PsdOfSixteenBitsIsReadPlainAndRefusedInRuns) {
    TempDir dir;
    std::string psd("8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\1\0\0\0\1\0\20\0\3", 26);
    psd += std::string(12, '\0');
    write_text(dir / "plain.psd", psd + std::string("\0\0\1\2\3\4\5\6", 8));
    const Image image = load_image(dir / "plain.psd");
    EXPECT_EQ(image.u16, (std::vector<uint16_t>{0x102, 0x304, 0x506, 0xffff}));
    write_text(dir / "runs.psd", psd + std::string("\0\1\0\3\0\3\0\3\1\1\2\1\3\4\1\5\6", 17));
    expect_error([&] { load_image(dir / "runs.psd"); }, {"runs.psd", "16 bits", "PNG"});
}

TEST(Image, JpegGrayAndColour) {
    TempDir dir;
    for (int c : {1, 3}) {
        const Image image = smooth(24, 32, c);
        save_jpeg(dir / "a.jpg", image, 98);
        EXPECT_LT(difference(load_image(dir / "a.jpg"), image), 2) << c;
    }
}

TEST(Image, TheExtensionDoesNotMatter) {
    TempDir dir;
    const Image rgb = pattern(4, 5, 3);
    save_png(dir / "really-a-png.jpg", rgb);
    EXPECT_EQ(load_image(dir / "really-a-png.jpg").u8, rgb.u8);
}

TEST(Image, CmykJpegIsConverted) {
    TempDir dir;
    // Stored inverted, as Adobe does: cyan 0 here is full cyan ink.
    std::vector<uint8_t> inks;
    for (int i = 0; i < 64; ++i) inks.insert(inks.end(), {0, 255, 255, 255});
    for (int i = 0; i < 64; ++i) inks.insert(inks.end(), {255, 128, 255, 128});
    write_file(dir / "inks.jpg", encode_cmyk_jpeg(8, 16, inks));
    const Image image = load_image(dir / "inks.jpg");
    ASSERT_EQ(image.c, 3);
    const int expected[2][3] = {{0, 255, 255}, {128, 64, 128}};
    for (int row : {0, 1})
        for (int ch = 0; ch < 3; ++ch)  // flat 8x8 blocks at quality 100 are off by rounding alone
            EXPECT_NEAR(image.u8[size_t((row * 12 * 8 + 3) * 3 + ch)], expected[row][ch], 2);
}

// The image as stored under an orientation; the standard says which side of the scene its row 0 and column 0 show.
static Image stored_as(const Image& upright, int orientation) {
    const int64_t h = upright.h, w = upright.w;
    const bool swapped = orientation >= 5;
    const bool row_from_far = swapped ? orientation == 6 || orientation == 7 : orientation == 3 || orientation == 4;
    const bool column_from_far = swapped ? orientation == 7 || orientation == 8 : orientation == 2 || orientation == 3;
    Image stored = make_image<uint8_t>(swapped ? w : h, swapped ? h : w, 1);
    for (int64_t r = 0; r < stored.h; ++r)
        for (int64_t s = 0; s < stored.w; ++s) {
            const int64_t along = row_from_far ? stored.h - 1 - r : r, across = column_from_far ? stored.w - 1 - s : s;
            stored.u8[size_t(r * stored.w + s)] = upright.u8[size_t(swapped ? across * w + along : along * w + across)];
        }
    return stored;
}

TEST(Image, ExifOrientationsPutTheTopOnTop) {
    TempDir dir;
    const Image upright = smooth(24, 32, 1);
    for (int orientation = 1; orientation <= 8; ++orientation)
        for (bool little : {true, false}) {
            SCOPED_TRACE(orientation);
            const Image stored = stored_as(upright, orientation);
            write_file(dir / "photo.jpg", with_orientation(encode_jpeg(stored, 98), uint8_t(orientation), little));
            EXPECT_LT(difference(load_image(dir / "photo.jpg"), upright), 2);
            for (const char* before : {"IDAT", "IEND"}) {
                const auto exif = tiff_of_orientation(uint8_t(orientation), little);
                write_file(dir / "photo.png", with_chunk(encode_png(stored), "eXIf", exif, before));
                const Image image = load_image(dir / "photo.png");
                EXPECT_EQ(image.h, upright.h);
                EXPECT_EQ(image.u8, upright.u8) << before;
            }
        }
}

TEST(Image, NonsenseInExifIsIgnored) {
    TempDir dir;
    const Image image = smooth(16, 24, 1);
    for (uint8_t orientation : {0, 9, 255}) {
        write_file(dir / "photo.jpg", with_orientation(encode_jpeg(image, 98), orientation, true));
        EXPECT_LT(difference(load_image(dir / "photo.jpg"), image), 2);
        for (const auto& exif : {tiff_of_orientation(orientation, false), std::vector<uint8_t>{'M', 'M', 0, 42}, {}}) {
            write_file(dir / "photo.png", with_chunk(encode_png(image), "eXIf", exif));
            EXPECT_EQ(load_image(dir / "photo.png").u8, image.u8);
        }
    }
}

TEST(Image, UnicodeAndSpacesInPaths) {
    TempDir dir;
    const Image rgb = pattern(4, 5, 3);
    const std::string path = dir / "größe 图/my image é.png";
    save_png(path, rgb);
    EXPECT_EQ(load_image(path).u8, rgb.u8);
}

TEST(Image, EveryTruncationIsRefused) {
    TempDir dir;
    const Image rgb = pattern(24, 24, 3);
    const Image indices = gray(24, 24, std::vector<uint8_t>(576, 1));
    const std::vector<std::pair<std::string, std::vector<uint8_t>>> files = {
        {"a.png", encode_png(rgb)},
        {"a.jpg", encode_jpeg(rgb, 90)},
        {"a.bmp", encode_bmp(rgb)},
        {"a.gif", encode_gif(indices, {{0, 0, 0}, {1, 1, 1}}, false)}};
    for (const auto& [name, bytes] : files)
        for (size_t part = 1; part <= 7; ++part) {
            const size_t size =
                name == "a.gif" ? std::min(bytes.size() * part / 8, bytes.size() - 6) : bytes.size() * part / 8;
            write_file(dir / name, std::span(bytes).first(size));
            expect_error([&] { load_image(dir / name); }, {name});
        }
    write_file(dir / "a.jpg", std::span(files[1].second).first(files[1].second.size() - 20));
    expect_error([&] { load_image(dir / "a.jpg"); }, {"a.jpg", "truncated"});
}

TEST(Image, EveryFlippedByteOfAPngIsRefusedOrHarmless) {
    TempDir dir;
    const auto bytes = encode_png(pattern(6, 6, 3));
    for (size_t i = 0; i < bytes.size(); ++i) {
        auto broken = bytes;
        broken[i] ^= 0x41;
        write_file(dir / "x.png", broken);
        try {
            load_image(dir / "x.png");
        } catch (const DataError&) {  // any other exception fails the test
        }
    }
}

TEST(Image, WhatIsNotAnImageIsNamed) {
    TempDir dir;
    write_text(dir / "empty.png", "");
    expect_error([&] { load_image(dir / "empty.png"); }, {"empty.png", "empty"});
    write_text(dir / "text.png", "hello world, this is no image at all");
    expect_error([&] { load_image(dir / "text.png"); }, {"text.png", "68 65 6c 6c", "convert"});
    write_text(dir / "scan.tif", std::string("II*\0", 4) + "rest of it");
    expect_error([&] { load_image(dir / "scan.tif"); }, {"scan.tif", "TIFF", "damaged"});
    write_text(dir / "other.tiff", "no signature");
    expect_error([&] { load_image(dir / "other.tiff"); }, {"other.tiff", "not an image", "convert"});
    expect_error([&] { load_image(dir / "absent.png"); }, {"absent.png", "no such file"});
    expect_error([&] { load_image(dir.path().string()); }, {"not a file"});
}

TEST(Image, TooManyPixelsAreRefusedBeforeMemoryIsTaken) {
    TempDir dir;
    auto bytes = encode_bmp(pattern(2, 2, 3));
    for (size_t at : {size_t(18), size_t(22)}) bytes[at + 2] = 1;  // 65538 x 65538
    write_file(dir / "vast.bmp", bytes);
    expect_error([&] { load_image(dir / "vast.bmp"); }, {"vast.bmp", "65538x65538", "limit"});
}

TEST(Image, APngThatCannotHoldItsPixelsIsRefused) {
    TempDir dir;
    // The one-bit file with 8192 x 8192 in its header and the checksum to match.
    auto bytes = one_bit_png;
    bytes[18] = bytes[22] = 0x20;
    bytes[19] = bytes[23] = 0;
    put_crc(bytes, 8);
    write_file(dir / "bomb.png", bytes);
    expect_error([&] { load_image(dir / "bomb.png"); }, {"bomb.png", "cannot hold 8192x8192 pixels"});
}

TEST(Image, WritingWhereNothingCanBeWrittenIsAnIoError) {
    TempDir dir;
    expect_error<IoError>([&] { save_png((dir.path() / "no/such/folder.png").string(), pattern(2, 2, 3)); },
                          {"folder.png"});
}

}  // namespace atrous::data::test
