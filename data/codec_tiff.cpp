// TIFF and BigTIFF through libtiff: the first page, in strips or tiles, as 8 or 16 bits or floats. Gray, RGB, palettes
// and bands are read here; other colour spaces become RGB through libtiff's own conversion.
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/codecs.h"
#include "data/elements.h"
#include "data/exif.h"
#include "data/tiff_file.h"

namespace atrous::data::codec {

namespace {

// What the tags say of the pixels.
struct Tags {
    int64_t h, w;
    int samples, bits;  // a pixel's, a sample's
    int kept;           // samples that become channels: all but an alpha beside gray or bands
    bool bands;         // the fourth sample of four is no alpha
    bool planes;        // each sample's pixels by themselves
    uint16_t format, photometric, compression, orientation;
    int64_t samples_of_block() const { return planes ? 1 : samples; }
};

bool is_tiff(Bytes bytes) {
    using namespace std::string_view_literals;
    for (const auto signature : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
        if (starts_with(bytes, signature)) return true;
    return false;
}

// Gray and RGB have 1 and 3 samples of their own; those beyond are alpha or bands.
void read_samples(const TiffFile& file, Tags& tags) {
    uint16_t extra = 0;
    uint16_t* kinds = nullptr;
    libtiff().get_field_defaulted(file.get(), TIFFTAG_EXTRASAMPLES, &extra, &kinds);
    const bool alpha =
        extra > 0 && (kinds[extra - 1] == EXTRASAMPLE_ASSOCALPHA || kinds[extra - 1] == EXTRASAMPLE_UNASSALPHA);
    const bool palette = tags.photometric == PHOTOMETRIC_PALETTE;
    tags.kept = palette ? 1 : tags.samples - (alpha && tags.samples != 4 ? 1 : 0);
    tags.bands = !(alpha && tags.samples == 4);
}

Tags read_tags(const TiffFile& file) {
    Tags tags{};
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
    return tags;
}

// How many bytes of samples a byte of the file can stand for. 0: this compression is not read, for what unpacking it
// takes is for the file to say.
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
        default:
            return 0;
    }
}

void check_contents(const TiffFile& file, const Tags& tags) {
    const int64_t ratio = best_ratio(tags.compression);
    if (ratio == 0) {
        const TIFFCodec* codec = libtiff().find_codec(tags.compression);
        throw DataError(fmt::format("{}: a TIFF that is compressed by {} is not read; save it with Deflate or LZW",
                                    file.path(), codec ? codec->name : fmt::format("method {}", tags.compression)));
    }
    // Pixels that are subsampled take at least half a sample.
    const int64_t bits = tags.photometric == PHOTOMETRIC_YCBCR ? tags.bits : int64_t(tags.bits) * tags.samples;
    if (tags.h * ((tags.w * bits + 7) / 8) / ratio > int64_t(file.bytes().size()))
        damaged(file.path(), "TIFF",
                fmt::format("{} bytes cannot hold {}x{} pixels", file.bytes().size(), tags.w, tags.h));
}

Element element_of(const Tags& tags, const std::string& path) {
    const int bits = tags.bits;
    if (tags.format == SAMPLEFORMAT_IEEEFP && bits >= 16 && bits <= 64 && bits % 16 == 0 && bits != 48)
        return bits == 16 ? Element::f16 : bits == 32 ? Element::f32 : Element::f64;
    const bool whole = bits == 8 || bits == 16 || bits == 32 || bits == 64;
    if (tags.format == SAMPLEFORMAT_INT && whole)
        return bits == 8 ? Element::i8 : bits == 16 ? Element::i16 : bits == 32 ? Element::i32 : Element::i64;
    if ((tags.format == SAMPLEFORMAT_UINT || tags.format == SAMPLEFORMAT_VOID) &&
        (whole || bits == 1 || bits == 2 || bits == 4))
        return bits <= 8 ? Element::u8 : bits == 16 ? Element::u16 : bits == 32 ? Element::u32 : Element::u64;
    const char* kind = tags.format == SAMPLEFORMAT_IEEEFP ? "floats"
                       : tags.format == SAMPLEFORMAT_COMPLEXINT || tags.format == SAMPLEFORMAT_COMPLEXIEEEFP
                           ? "complex numbers"
                           : "integers";
    throw DataError(
        fmt::format("{}: a TIFF of {} of {} bits is not read; save 8 or 16 bits, or floats of 32", path, kind, bits));
}

// A rectangle of pixels as libtiff gives them, of one plane or of all.
struct Block {
    int64_t y, x, h, w;  // within the image
    int64_t row_bytes;
    int plane;
    const uint8_t* from;
};

void put_block(const Block& block, const Tags& tags, Element type, Image& image) {
    const int64_t step = tags.samples_of_block(), count = block.w * step;
    std::vector<uint8_t> unpacked(tags.bits < 8 ? size_t(count) : 0);
    for (int64_t y = 0; y < block.h; ++y) {
        const uint8_t* row = block.from + y * block.row_bytes;
        for (size_t i = 0; i < unpacked.size(); ++i) {
            const size_t bit = i * size_t(tags.bits);
            unpacked[i] = uint8_t(row[bit / 8] >> (8 - tags.bits - int(bit % 8)) & ((1 << tags.bits) - 1));
        }
        if (!unpacked.empty()) row = unpacked.data();
        const int64_t first = ((block.y + y) * image.w + block.x) * image.c;
        for (int ch = 0; ch < (tags.planes ? 1 : image.c); ++ch)
            put_elements({type, row + ch * size_of(type), step, block.w}, image, first + block.plane + ch, image.c);
    }
}

// Strips are tiles as wide as the image.
struct Grid {
    bool tiled;
    int64_t h, w, row_bytes;
};

Grid grid_of(const TiffFile& file, const Tags& tags) {
    Grid grid{.tiled = libtiff().is_tiled(file.get()) != 0, .h = 0, .w = tags.w, .row_bytes = 0};
    if (grid.tiled) {
        grid.h = file.number(TIFFTAG_TILELENGTH, 0);
        grid.w = file.number(TIFFTAG_TILEWIDTH, 0);
    } else {
        grid.h = std::min<int64_t>(file.number(TIFFTAG_ROWSPERSTRIP, UINT32_MAX), tags.h);
    }
    grid.row_bytes = (grid.w * tags.samples_of_block() * tags.bits + 7) / 8;
    constexpr int64_t longest = 1 << 16, small = 1 << 24;  // a small tile may be larger than its image
    const bool fits = grid.h > 0 && grid.w > 0 && (!grid.tiled || (grid.h <= longest && grid.w <= longest));
    const auto most = std::max(small, int64_t(file.bytes().size()) * best_ratio(tags.compression));
    if (!fits || grid.h * grid.row_bytes > most)
        file.refuse(fmt::format("its {} have {}x{} pixels", grid.tiled ? "tiles" : "strips", grid.w, grid.h));
    const uint64_t expected = grid.tiled ? libtiff().tile_size(file.get()) : libtiff().strip_size(file.get());
    if (uint64_t(grid.h * grid.row_bytes) != expected) file.refuse("its tags contradict each other");
    return grid;
}

void read_blocks(TiffFile& file, const Tags& tags, Element type, Image& image) {
    const Grid grid = grid_of(file, tags);
    const auto read = grid.tiled ? libtiff().read_encoded_tile : libtiff().read_encoded_strip;
    const auto index = [&](int64_t y, int64_t x, int plane) {
        const auto row = uint32_t(y), column = uint32_t(x);
        const auto sample = uint16_t(plane);
        return grid.tiled ? libtiff().compute_tile(file.get(), column, row, 0, sample)
                          : libtiff().compute_strip(file.get(), row, sample);
    };
    std::vector<uint8_t> buffer(size_t(grid.h * grid.row_bytes));
    for (int plane = 0; plane < (tags.planes ? tags.kept : 1); ++plane)
        for (int64_t y = 0; y < tags.h; y += grid.h)
            for (int64_t x = 0; x < tags.w; x += grid.w) {
                const int64_t h = std::min(grid.h, tags.h - y), w = std::min(grid.w, tags.w - x);
                const tmsize_t wanted = (grid.tiled ? grid.h : h) * grid.row_bytes;
                const tmsize_t got = read(file.get(), index(y, x, plane), buffer.data(), wanted);
                if (got != wanted || !file.message().empty()) file.refuse("the file ends too early");
                put_block({y, x, h, w, grid.row_bytes, plane, buffer.data()}, tags, type, image);
            }
}

Palette palette_of(const TiffFile& file, const Tags& tags) {
    uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
    if (tags.bits > 8 || !libtiff().get_field(file.get(), TIFFTAG_COLORMAP, &red, &green, &blue))
        throw DataError(fmt::format("{}: a TIFF with a palette of {} bits is not read; save it in colours", file.path(),
                                    tags.bits));
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

// White that is stored as zero becomes the largest value; fewer than 8 bits are stretched unless raw.
void set_levels(const Tags& tags, bool raw_values, Image& image) {
    const bool inverted = tags.photometric == PHOTOMETRIC_MINISWHITE;
    const int top = (1 << std::min(tags.bits, 8)) - 1, factor = raw_values ? 1 : 255 / top;
    if (inverted || factor != 1)
        for (uint8_t& v : image.u8) v = uint8_t((inverted ? top - v : v) * factor);
    if (inverted)
        for (uint16_t& v : image.u16) v = uint16_t(65535 - v);
}

// CMYK, L*a*b* and the like, of 8 bits.
Image convert(Bytes bytes, const Tags& tags, const std::string& path) {
    const int64_t pixels = tags.h * tags.w;
    TiffFile file(bytes, 4 * pixels + (1 << 20), path);
    char message[1024] = "";
    if (!libtiff().rgba_image_ok(file.get(), message)) file.refuse(message);
    file.be_strict();
    std::vector<uint32_t> raster(static_cast<size_t>(pixels));
    if (!libtiff().read_rgba_image_oriented(file.get(), uint32_t(tags.w), uint32_t(tags.h), raster.data(),
                                            tags.orientation, 1) ||
        !file.message().empty())
        file.refuse("its pixels are not understood");
    Image image = make_image<uint8_t>(tags.h, tags.w, 3);
    for (size_t i = 0; i < raster.size(); ++i) {
        image.u8[3 * i] = uint8_t(TIFFGetR(raster[i]));
        image.u8[3 * i + 1] = uint8_t(TIFFGetG(raster[i]));
        image.u8[3 * i + 2] = uint8_t(TIFFGetB(raster[i]));
    }
    return image;
}

// Beside the image a file may hold smaller versions and masks of it, which are no pages. Called last: it leaves the
// first directory.
int pages_of(const TiffFile& file) {
    for (int directory = 1; directory < 64 && libtiff().read_directory(file.get()); ++directory)
        if ((file.number(TIFFTAG_SUBFILETYPE, 0) & (FILETYPE_REDUCEDIMAGE | FILETYPE_MASK)) == 0) return 2;
    return 1;
}

// The jpeg coder turns its own luma and chroma into RGB.
bool becomes_rgb(const TiffFile& file, const Tags& tags) {
    return tags.photometric == PHOTOMETRIC_YCBCR && tags.compression == COMPRESSION_JPEG && tags.samples == 3 &&
           !tags.planes && libtiff().set_field(file.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
}

Decoded decode_tiff(Bytes bytes, const std::string& path, bool raw_values) {
    TiffFile file(bytes, std::max<int64_t>(1 << 20, 8 * int64_t(bytes.size())), path);
    Tags tags = read_tags(file);
    check_contents(file, tags);
    Decoded decoded;
    if (becomes_rgb(file, tags)) tags.photometric = PHOTOMETRIC_RGB;
    if (tags.photometric > PHOTOMETRIC_MASK) {
        decoded.image = convert(bytes, tags, path);
    } else {
        const Element type = element_of(tags, path);
        file.be_strict();
        decoded.image = make_image(type, tags.h, tags.w, tags.kept);
        read_blocks(file, tags, type, decoded.image);
        if (tags.photometric == PHOTOMETRIC_PALETTE)
            decoded.palette = palette_of(file, tags);
        else
            set_levels(tags, raw_values, decoded.image);
    }
    if (tags.orientation > 1) decoded.image = apply_orientation(decoded.image, tags.orientation);
    decoded.image.bands = tags.bands;
    decoded.image.pages = pages_of(file);
    return decoded;
}

}  // namespace

Codec tiff() { return {"TIFF", {".tif", ".tiff"}, is_tiff, decode_tiff}; }

}  // namespace atrous::data::codec
