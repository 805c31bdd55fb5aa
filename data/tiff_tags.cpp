#include "data/tiff_tags.h"

#include <fmt/core.h>

#include "base/error.h"

namespace atrous::data::codec {

// Gray and RGB have 1 and 3 samples of their own; those beyond are alpha or bands.
static void read_samples(const TiffFile& file, TiffTags& tags) {
    uint16_t extra = 0;
    uint16_t* kinds = nullptr;
    libtiff().get_field_defaulted(file.get(), TIFFTAG_EXTRASAMPLES, &extra, &kinds);
    const bool alpha =
        extra > 0 && (kinds[extra - 1] == EXTRASAMPLE_ASSOCALPHA || kinds[extra - 1] == EXTRASAMPLE_UNASSALPHA);
    const bool palette = tags.photometric == PHOTOMETRIC_PALETTE;
    tags.kept = palette ? 1 : tags.samples - (alpha && tags.samples != 4 ? 1 : 0);
    tags.bands = !(alpha && tags.samples == 4);
}

// 0 where the memory that unpacking takes is for the file to say.
int64_t best_ratio(uint16_t compression) {
    switch (compression) {
        case COMPRESSION_NONE:
            return 1;
        case COMPRESSION_PACKBITS:
            return 64;
        case COMPRESSION_LZW:
            return 2731;  // a code of 12 bits for 4096 bytes
        case COMPRESSION_ADOBE_DEFLATE:
        case COMPRESSION_DEFLATE:
            return 1032;
        case COMPRESSION_JPEG:
            return 6144;  // 2048 pixels, as in codec_jpeg.cpp
        case COMPRESSION_CCITTRLE:
        case COMPRESSION_CCITTFAX3:
            return 320;
        case COMPRESSION_CCITTFAX4:
            return 1 << 14;  // a bit a row
        case COMPRESSION_ZSTD:
            return 1 << 15;  // a block of 4 bytes for 128 KiB
        default:
            return 0;
    }
}

static void check_contents(const TiffFile& file, const TiffTags& tags) {
    const int64_t ratio = best_ratio(tags.compression);
    if (ratio == 0) {
        const TIFFCodec* codec = libtiff().find_codec(tags.compression);
        throw DataError(fmt::format("{}: a TIFF that is compressed by {} is not read; save it with Deflate or LZW",
                                    file.path(), codec ? codec->name : fmt::format("method {}", tags.compression)));
    }
    if (!libtiff().is_codec_configured(tags.compression))
        throw DataError(
            fmt::format("{}: this TIFF is compressed by {}, which the libtiff of this machine was built "
                        "without; save it with Deflate or LZW",
                        file.path(), libtiff().find_codec(tags.compression)->name));
    // Pixels that are subsampled take at least half a sample.
    const int64_t bits = tags.photometric == PHOTOMETRIC_YCBCR ? tags.bits : int64_t(tags.bits) * tags.samples;
    if (tags.h * ((tags.w * bits + 7) / 8) / ratio > file.size())
        damaged(file.path(), "TIFF", fmt::format("{} bytes cannot hold {}x{} pixels", file.size(), tags.w, tags.h));
}

// The jpeg coder turns its own luma and chroma into RGB.
static bool becomes_rgb(const TiffFile& file, const TiffTags& tags) {
    return tags.photometric == PHOTOMETRIC_YCBCR && tags.compression == COMPRESSION_JPEG && tags.samples == 3 &&
           !tags.planes && libtiff().set_field(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
}

TiffTags read_tiff_tags(TiffFile& file, CheckSize check_size) {
    TiffTags tags{};
    tags.h = file.number(TIFFTAG_IMAGELENGTH, 0);
    tags.w = file.number(TIFFTAG_IMAGEWIDTH, 0);
    tags.samples = file.half_number(TIFFTAG_SAMPLESPERPIXEL, 1);
    tags.bits = file.half_number(TIFFTAG_BITSPERSAMPLE, 1);
    tags.planes = file.half_number(TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    tags.format = file.half_number(TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    tags.photometric =
        file.half_number(TIFFTAG_PHOTOMETRIC, tags.samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB);
    tags.compression = file.half_number(TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    tags.orientation = file.half_number(TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    check_size(tags.h, tags.w, file.path());
    if (tags.samples < 1 || tags.samples > max_channels)
        throw DataError(fmt::format("{}: a TIFF of {} channels; at most {} are read: save fewer", file.path(),
                                    tags.samples, max_channels));
    if (file.number(TIFFTAG_IMAGEDEPTH, 1) > 1)
        throw DataError(fmt::format("{}: a TIFF of volumes is not read; save slices", file.path()));
    read_samples(file, tags);
    check_contents(file, tags);
    if (becomes_rgb(file, tags)) tags.photometric = PHOTOMETRIC_RGB;
    return tags;
}

static Element unsigned_element_of(const TiffTags& tags) {
    return tags.bits <= 8    ? Element::u8
           : tags.bits <= 16 ? Element::u16
           : tags.bits == 32 ? Element::u32
                             : Element::u64;
}

static void refuse_inverted(const TiffTags& tags, Element type, const std::string& path) {
    if (tags.photometric == PHOTOMETRIC_MINISWHITE && type != Element::u8 && type != Element::u16)
        throw DataError(
            fmt::format("{}: a TIFF in which white is zero and samples have {} bits, with signs or as "
                        "floats or integers of more than 16 bits, is not read; save it with black as zero",
                        path, tags.bits));
}

static Element any_element_of(const TiffTags& tags, const std::string& path) {
    const int bits = tags.bits;
    // The numbers of a palette's colours have no sign, whatever the file says of its samples.
    if (tags.has_palette() && tags.format == SAMPLEFORMAT_INT && bits <= 8) return Element::u8;
    if (tags.format == SAMPLEFORMAT_IEEEFP && bits >= 16 && bits <= 64 && bits % 16 == 0 && bits != 48)
        return bits == 16 ? Element::f16 : bits == 32 ? Element::f32 : Element::f64;
    const bool whole = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    if (tags.format == SAMPLEFORMAT_INT && whole)
        return bits == 8 ? Element::i8 : bits == 16 ? Element::i16 : bits == 32 ? Element::i32 : Element::i64;
    if ((tags.format == SAMPLEFORMAT_UINT || tags.format == SAMPLEFORMAT_VOID) &&
        (whole || bits == 1 || bits == 2 || bits == 4 || (bits > 8 && bits < 16)))
        return unsigned_element_of(tags);
    const char* kind = tags.format == SAMPLEFORMAT_IEEEFP ? "floats"
                       : tags.format == SAMPLEFORMAT_COMPLEXINT || tags.format == SAMPLEFORMAT_COMPLEXIEEEFP
                           ? "complex numbers"
                           : "integers";
    throw DataError(
        fmt::format("{}: a TIFF of {} of {} bits is not read; save 8 or 16 bits, or floats of 32", path, kind, bits));
}

Element element_of(const TiffTags& tags, const std::string& path) {
    const Element type = any_element_of(tags, path);
    refuse_inverted(tags, type, path);
    if (tags.has_palette() && type != Element::u8)
        throw DataError(
            fmt::format("{}: a TIFF with a palette of {} bits is not read; save it in colours", path, tags.bits));
    return type;
}

Palette palette_of(const TiffFile& file, const TiffTags& tags) {
    uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (!libtiff().get_field(file.get(), TIFFTAG_COLORMAP, &red, &green, &blue)) file.refuse("its palette is missing");
    const int count = 1 << tags.bits;
    bool deep = false;  // old programs wrote colours of 8 bits
    for (int i = 0; i < count; ++i) deep = deep || red[i] > 255 || green[i] > 255 || blue[i] > 255;
    const int shift = deep ? 8 : 0;
    Palette palette;
    for (int i = 0; i < count; ++i)
        palette.push_back(uint32_t(red[i] >> shift) << 16 | uint32_t(green[i] >> shift) << 8 |
                          uint32_t(blue[i] >> shift));
    return palette;
}

int pages_of(const TiffFile& file) {
    for (int directory = 1; directory < 64 && libtiff().read_directory(file.get()); ++directory)
        if ((file.number(TIFFTAG_SUBFILETYPE, 0) & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) return 2;
    return 1;
}

}  // namespace atrous::data::codec
