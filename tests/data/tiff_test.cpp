// TIFF: every sample type, strips and tiles, planes, palettes, orientations, pages; what is refused, and how.
#include <fcntl.h>

#include <cmath>

#include "data/codecs.h"
#include "data/mask.h"
#include "data/tiff_file.h"
#include "fixtures.h"
#include "npy_bytes.h"
#include "tiff_bytes.h"

namespace atrous::data::test {

namespace {

constexpr uint32_t high = 19, wide = 37;  // several tiles and strips, none of them full

Image load(const std::vector<uint8_t>& bytes) {
    TempDir dir;
    write_file(dir / "x.tif", bytes);
    return load_image(dir / "x.tif");
}

RawMask load_as_mask(const std::vector<uint8_t>& bytes) {
    TempDir dir;
    write_file(dir / "x.tif", bytes);
    return load_mask(dir / "x.tif");
}

template <class T>
std::vector<T> numbers(int64_t count) {
    std::vector<T> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(T((i * 7919 + i * i) % 251) - T(std::is_signed_v<T> ? 90 : 0));
    return values;
}

// The same pixels, plane by plane.
template <class T>
std::vector<T> in_planes(const std::vector<T>& values, int c) {
    std::vector<T> planes;
    for (int ch = 0; ch < c; ++ch)
        for (size_t i = size_t(ch); i < values.size(); i += size_t(c)) planes.push_back(values[i]);
    return planes;
}

// Written in every arrangement, the numbers come back.
template <class T>
void comes_back(uint16_t format, int c) {
    const std::vector<T> values = numbers<T>(int64_t(high) * wide * c);
    using Held = std::conditional_t<std::is_same_v<T, uint8_t> || std::is_same_v<T, uint16_t>, T, float>;
    for (const char* mode : {"wl", "wb", "w8"})
        for (bool planes : {false, true})
            for (bool tiles : {false, true})
                for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE}) {
                    const TiffForm form{.h = high,
                                        .w = wide,
                                        .samples = c,
                                        .bits = int(8 * sizeof(T)),
                                        .mode = mode,
                                        .format = format,
                                        .photometric = uint16_t(c == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK),
                                        .compression = compression,
                                        .planes = planes,
                                        .tiles = tiles};
                    const Image image = load(encode_tiff(form, bytes_of(planes ? in_planes(values, c) : values)));
                    ASSERT_EQ(image.c, c);
                    ASSERT_EQ(image.h, high);
                    ASSERT_EQ(image.pixels<Held>(), std::vector<Held>(values.begin(), values.end()))
                        << mode << planes << tiles << compression;
                }
}

}  // namespace

TEST(Tiff, EverySampleTypeInEveryArrangement) {
    for (int c : {1, 3, 7}) {
        comes_back<uint8_t>(SAMPLEFORMAT_UINT, c);
        comes_back<uint16_t>(SAMPLEFORMAT_UINT, c);
        comes_back<float>(SAMPLEFORMAT_IEEEFP, c);
    }
    comes_back<int8_t>(SAMPLEFORMAT_INT, 1);
    comes_back<int16_t>(SAMPLEFORMAT_INT, 2);
    comes_back<uint32_t>(SAMPLEFORMAT_UINT, 1);
    comes_back<int32_t>(SAMPLEFORMAT_INT, 4);
    comes_back<int64_t>(SAMPLEFORMAT_INT, 1);
    comes_back<double>(SAMPLEFORMAT_IEEEFP, 16);
}

// Two rows of nine pixels, as gray images and as masks.
TEST(Tiff, FewBitsAreStretchedForImagesAlone) {
    for (uint16_t photometric : {PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_MINISWHITE}) {
        const bool inverted = photometric == PHOTOMETRIC_MINISWHITE;
        const auto bit = encode_tiff({.h = 2, .w = 9, .bits = 1, .photometric = photometric}, {0xa5, 0x80, 0, 0});
        const std::vector<uint8_t> bits = {1, 0, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0};
        const auto nibble = encode_tiff({.h = 1, .w = 3, .bits = 4, .photometric = photometric}, {0x0f, 0x70});
        const Image image = load(bit);
        const RawMask mask = load_as_mask(bit);
        for (size_t i = 0; i < bits.size(); ++i) {
            EXPECT_EQ(mask.image.u8[i], inverted ? 1 - bits[i] : bits[i]);
            EXPECT_EQ(image.u8[i], 255 * mask.image.u8[i]);
        }
        EXPECT_EQ(load(nibble).u8, (inverted ? std::vector<uint8_t>{255, 0, 136} : std::vector<uint8_t>{0, 255, 119}));
    }
    const auto deep = encode_tiff({.h = 1, .w = 2, .bits = 16, .photometric = PHOTOMETRIC_MINISWHITE},
                                  bytes_of(std::vector<uint16_t>{0, 1000}));
    EXPECT_EQ(load(deep).u16, (std::vector<uint16_t>{65535, 64535}));
}

TEST(Tiff, APaletteGivesColoursAndIndices) {
    for (int factor : {257, 1}) {  // colours of 16 bits, and of 8 as old programs write them
        std::vector<uint16_t> red(256), green(256), blue(256);
        red[1] = uint16_t(255 * factor), green[2] = uint16_t(128 * factor), blue[2] = uint16_t(7 * factor);
        const auto bytes = encode_tiff(
            {.h = 1,
             .w = 3,
             .photometric = PHOTOMETRIC_PALETTE,
             .tags = [&](TIFF* t) { TIFFSetField(t, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data()); }},
            {2, 0, 1});
        EXPECT_EQ(load(bytes).u8, (std::vector<uint8_t>{0, 128, 7, 0, 0, 0, 255, 0, 0}));
        const RawMask mask = load_as_mask(bytes);
        EXPECT_EQ(mask.image.u8, (std::vector<uint8_t>{2, 0, 1}));
        EXPECT_EQ(mask.palette.at(1), 0xff0000u);
    }
}

TEST(Tiff, AlphaIsToldFromBands) {
    const auto form_of = [](int samples, uint16_t kind) {
        return TiffForm{.h = 1,
                        .w = 1,
                        .samples = samples,
                        .photometric = uint16_t(samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB),
                        .tags = [samples, kind](TIFF* t) {
                            const std::vector<uint16_t> kinds(size_t(samples < 3 ? samples - 1 : samples - 3), kind);
                            TIFFSetField(t, TIFFTAG_EXTRASAMPLES, int(kinds.size()), kinds.data());
                        }};
    };
    const Image gray_alpha = load(encode_tiff(form_of(2, EXTRASAMPLE_UNASSALPHA), {5, 6}));
    EXPECT_EQ(gray_alpha.u8, std::vector<uint8_t>{5});
    const Image rgba = load(encode_tiff(form_of(4, EXTRASAMPLE_UNASSALPHA), {1, 2, 3, 4}));
    EXPECT_EQ(rgba.u8, (std::vector<uint8_t>{1, 2, 3, 4}));
    EXPECT_FALSE(rgba.bands);
    const Image bands = load(encode_tiff(form_of(4, EXTRASAMPLE_UNSPECIFIED), {1, 2, 3, 4}));
    EXPECT_EQ(bands.u8, (std::vector<uint8_t>{1, 2, 3, 4}));
    EXPECT_TRUE(bands.bands);
}

// Grays survive JPEG's rounding; inks of 8 bits become RGB by libtiff: (255 - k) (255 - ink) / 255.
TEST(Tiff, OtherColourSpacesBecomeRgb) {
    const TiffForm ycc{.h = 16,
                       .w = 16,
                       .samples = 3,
                       .photometric = PHOTOMETRIC_YCBCR,
                       .compression = COMPRESSION_JPEG,
                       .tiles = true,
                       .tags = [](TIFF* t) {
                           TIFFSetField(t, TIFFTAG_JPEGQUALITY, 95);
                           TIFFSetField(t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
                       }};
    const Image photo = load(encode_tiff(ycc, std::vector<uint8_t>(16 * 16 * 3, 93)));
    ASSERT_EQ(photo.c, 3);
    for (uint8_t v : photo.u8) EXPECT_NEAR(v, 93, 2);
    const Image inks = load(encode_tiff({.h = 1, .w = 2, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED},
                                        {255, 0, 0, 0, 0, 0, 0, 155}));
    EXPECT_EQ(inks.u8, (std::vector<uint8_t>{0, 255, 255, 100, 100, 100}));
}

TEST(Tiff, TheOrientationIsApplied) {
    const auto form = [](uint16_t orientation) {
        return TiffForm{
            .h = 2, .w = 3, .tags = [orientation](TIFF* t) { TIFFSetField(t, TIFFTAG_ORIENTATION, orientation); }};
    };
    const std::vector<uint8_t> pixels = {1, 2, 3, 4, 5, 6};
    EXPECT_EQ(load(encode_tiff(form(ORIENTATION_BOTRIGHT), pixels)).u8, (std::vector<uint8_t>{6, 5, 4, 3, 2, 1}));
    const Image turned = load(encode_tiff(form(ORIENTATION_RIGHTTOP), pixels));
    EXPECT_EQ(turned.h, 3);
    EXPECT_EQ(turned.u8, (std::vector<uint8_t>{4, 1, 5, 2, 6, 3}));
}

TEST(Tiff, OfSeveralPagesTheFirstIsRead) {
    EXPECT_EQ(load(encode_tiff({.h = 1, .w = 1}, {9}, 1)).pages, 1);
    EXPECT_EQ(load(encode_tiff({.h = 1, .w = 1}, {9}, 3)).pages, 2);
    const TiffForm thumbnail{.h = 1, .w = 1, .tags = [](TIFF* t) {
                                 if (TIFFCurrentDirectory(t) > 0 || TIFFNumberOfDirectories(t) > 0)
                                     TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
                             }};
    EXPECT_EQ(load(encode_tiff(thumbnail, {9}, 2)).pages, 1) << "smaller versions are no pages";
}

TEST(Tiff, FloatMasksHoldWholeNumbers) {
    const auto floats = [](std::vector<float> values) {
        return encode_tiff({.h = 1, .w = uint32_t(values.size()), .bits = 32, .format = SAMPLEFORMAT_IEEEFP},
                           bytes_of(values));
    };
    EXPECT_EQ(load_as_mask(floats({0, 1, 255})).image.u8, (std::vector<uint8_t>{0, 1, 255}));
    EXPECT_EQ(load_as_mask(floats({0, 256})).image.u16, (std::vector<uint16_t>{0, 256}));
    expect_error([&] { load_as_mask(floats({0, 0.5f})); }, {"x.tif", "(1, 0)", "0.5", "whole numbers"});
    expect_error([&] { load_as_mask(floats({-1})); }, {"x.tif", "(0, 0)", "-1", "whole numbers"});
    expect_error([&] { load(floats({0, NAN})); }, {"x.tif", "(1, 0)", "nan"});
}

TEST(Tiff, EveryTruncationIsRefused) {
    for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
        const auto bytes =
            encode_tiff({.h = high, .w = wide, .compression = compression}, numbers<uint8_t>(high * wide));
        for (size_t size = 1; size + 4 < bytes.size(); size += 1 + size / 9)
            expect_error([&] { load({bytes.begin(), bytes.begin() + long(size)}); }, {"x.tif"});
    }
}

TEST(Tiff, EveryFlippedByteIsRefusedOrHarmless) {
    for (bool tiles : {false, true}) {
        const auto bytes =
            encode_tiff({.h = 6, .w = 5, .compression = COMPRESSION_LZW, .tiles = tiles}, numbers<uint8_t>(30));
        for (size_t i = 0; i < bytes.size(); ++i) {
            auto broken = bytes;
            broken[i] ^= 0x41;
            try {
                codec::decode(broken, "x.tif", i % 2);
            } catch (const DataError&) {  // any other exception fails the test
            }
        }
    }
}

namespace {

// Numbers of so many bits, the first in the highest bits, each row by itself.
std::vector<uint8_t> packed(const std::vector<uint16_t>& values, int64_t row, int bits) {
    std::vector<uint8_t> bytes;
    for (size_t y = 0; y < values.size(); y += size_t(row)) {
        std::vector<bool> all;
        for (size_t i = y; i < y + size_t(row); ++i)
            for (int bit = bits; bit-- > 0;) all.push_back(values[i] >> bit & 1);
        all.resize((all.size() + 7) / 8 * 8);
        for (size_t i = 0; i < all.size(); i += 8) {
            uint8_t byte = 0;
            for (size_t k = 0; k < 8; ++k) byte = uint8_t(byte << 1 | all[i + k]);
            bytes.push_back(byte);
        }
    }
    return bytes;
}

}  // namespace

// Stretched to 16 bits as an image, kept as a mask.
TEST(Tiff, TwelveBitsAreUnpacked) {
    std::vector<uint16_t> values;
    for (int i = 0; i < 19 * 21; ++i) values.push_back(uint16_t(i * 977 % 4096));
    values[0] = 4095;
    for (int bits : {12, 14})
        for (const char* mode : {"wl", "wb"})
            for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW}) {
                const TiffForm form{.h = 19, .w = 21, .bits = bits, .mode = mode, .compression = compression};
                const auto bytes = encode_tiff(form, packed(values, 21, bits));
                const Image image = load(bytes);
                ASSERT_EQ(image.u16.size(), values.size());
                const double top = (1 << bits) - 1;
                for (size_t i = 0; i < values.size(); ++i)
                    ASSERT_EQ(image.u16[i], std::nearbyint(values[i] * (65535 / top))) << bits << " bits, pixel " << i;
                EXPECT_EQ(load_as_mask(bytes).value(1), values[1]);
            }
}

TEST(Tiff, ZstdIsReadWhereLibtiffHasIt) {
    const std::vector<uint8_t> values = numbers<uint8_t>(high * wide);
    if (!TIFFIsCODECConfigured(COMPRESSION_ZSTD)) {
        expect_error([&] { load(tiff_with({259, 3, 1, COMPRESSION_ZSTD})); }, {"ZSTD", "Deflate"});
        return;
    }
    for (bool tiles : {false, true})
        EXPECT_EQ(load(encode_tiff({.h = high, .w = wide, .compression = COMPRESSION_ZSTD, .tiles = tiles}, values)).u8,
                  values);
}

// Numbers of colours have no sign, even where the file says so.
TEST(Tiff, PalettesOfSamplesWithSigns) {
    TiffForm form{.h = 2, .w = 2, .format = SAMPLEFORMAT_INT, .photometric = PHOTOMETRIC_PALETTE};
    form.tags = [](TIFF* tiff) {
        std::vector<uint16_t> red(256, 0), green(256, 0), blue(256, 0);
        red[200] = 0xff00;
        green[3] = 0x8000;
        TIFFSetField(tiff, TIFFTAG_COLORMAP, red.data(), green.data(), blue.data());
    };
    const auto bytes = encode_tiff(form, {200, 3, 0, 200});
    EXPECT_EQ(load(bytes).u8, (std::vector<uint8_t>{255, 0, 0, 0, 128, 0, 0, 0, 0, 255, 0, 0}));
    EXPECT_EQ(load_as_mask(bytes).value(0), 200u);
}

// What white as zero means for them, nothing says.
TEST(Tiff, WhiteAsZeroOfWideOrSignedNumbersIsRefused) {
    for (const auto& [bits, format] : {std::pair<int, uint16_t>{32, SAMPLEFORMAT_UINT},
                                       {8, SAMPLEFORMAT_INT},
                                       {16, SAMPLEFORMAT_INT},
                                       {32, SAMPLEFORMAT_IEEEFP}}) {
        const TiffForm form{.h = 2, .w = 2, .bits = bits, .format = format, .photometric = PHOTOMETRIC_MINISWHITE};
        expect_error([&] { load(encode_tiff(form, std::vector<uint8_t>(size_t(4 * bits / 8), 0))); },
                     {"white is zero", "black as zero"});
    }
    const TiffForm deep{.h = 1, .w = 1, .bits = 16, .photometric = PHOTOMETRIC_MINISWHITE};
    EXPECT_EQ(load(encode_tiff(deep, {1, 0})).u16, std::vector<uint16_t>{65534});
}

TEST(Tiff, WhatCannotBeIsRefused) {
    EXPECT_EQ(load(tiff_of(gray_8x8())).u8[1], 4) << "what the rows spoil is sound";
    const std::vector<std::pair<TiffEntry, std::vector<std::string>>> rows = {
        {{256, 4, 1, 0}, {"TIFF"}},
        {{256, 4, 1, 70000}, {"cannot hold 70000x8"}},
        {{257, 4, 1, 0x7fffffff}, {"StripOffsets"}},
        {{256, 4, 1, 0xffffffff}, {"limit"}},
        {{277, 3, 1, 9000}, {"9000 channels", "16"}},
        {{277, 3, 1, 0}, {"TIFF"}},
        {{258, 3, 1, 5}, {"5 bits"}},
        {{258, 3, 1, 0}, {"TIFF"}},
        {{339, 3, 1, 6}, {"complex"}},
        {{259, 3, 1, 34925}, {"LZMA", "Deflate"}},
        {{259, 3, 1, 999}, {"999", "Deflate"}},
        {{262, 3, 1, 32803}, {"32803"}},
        {{273, 4, 1, 100000}, {"TIFF"}},
        {{322, 4, 1, 1 << 30}, {"TIFF"}},
        {{32997, 4, 1, 5}, {"volumes"}},
    };
    for (const auto& [entry, words] : rows) {
        SCOPED_TRACE(entry.tag);
        expect_error([&] { load(tiff_with(entry)); }, words);
    }
    EXPECT_EQ(load(tiff_of(gray_8x8(), 8)).pages, 1) << "a directory that follows itself is met once";
}

// A file that is open for writing alone stands for a disk that fails.
TEST(Tiff, AFailingDiskIsNoDamagedFile) {
    TempDir dir;
    write_file(dir / "x.tif", tiff_of(gray_8x8()));
    try {
        codec::TiffFile(io::FileDescriptor(::open((dir / "x.tif").c_str(), O_WRONLY)), 1 << 20, dir / "x.tif");
        FAIL();
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("cannot be read; check the disk"), std::string::npos) << e.what();
    }
}

}  // namespace atrous::data::test
