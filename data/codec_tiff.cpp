// TIFF and BigTIFF through libtiff: the first page, in strips or tiles, as 8 or 16 bits or floats. Gray, RGB, palettes
// and bands are read here; other colour spaces become RGB through libtiff's own conversion.
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/codecs.h"
#include "data/exif.h"
#include "data/image_rows.h"
#include "data/open_file.h"
#include "data/tiff_pixels.h"
#include "data/transform.h"

namespace atrous::data::codec {

namespace {

bool is_tiff(Bytes bytes) {
    using namespace std::string_view_literals;
    for (const auto signature : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv})
        if (starts_with(bytes, signature)) return true;
    return false;
}

// CMYK, L*a*b* and the like, of 8 bits.
Image convert(Bytes bytes, const TiffTags& tags, const std::string& path) {
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

// What libtiff may take at once: strips that it reads as a whole, of a file that can be compressed a lot.
int64_t most_of(int64_t bytes) { return std::max<int64_t>(1 << 20, 8 * bytes); }

Decoded decode_tiff(Bytes bytes, const std::string& path, bool raw_values) {
    TiffFile file(bytes, most_of(int64_t(bytes.size())), path);
    const TiffTags tags = read_tiff_tags(file, check_size);
    Decoded decoded;
    if (tags.converted()) {
        decoded.image = convert(bytes, tags, path);
    } else {
        // The whole image is in memory here; a single block may be as large once more.
        const int64_t whole = 8 * tags.h * tags.w * tags.kept;
        TiffPixels pixels(file, tags, std::max(most_at_once, 2 * whole), {0, tags.w});
        decoded.image = pixels.make(tags.h);
        pixels.read(0, decoded.image);
        pixels.set_levels(raw_values, decoded.image);
        if (tags.has_palette()) decoded.palette = palette_of(file, tags);
    }
    if (tags.orientation > 1) decoded.image = apply_orientation(decoded.image, tags.orientation);
    decoded.image.bands = tags.bands;
    decoded.image.pages = pages_of(file);
    return decoded;
}

std::unique_ptr<TiffFile> open(const std::string& path) {
    io::FileDescriptor file = open_file(path);
    const int64_t most = most_of(size_of_file(file, path));
    return std::make_unique<TiffFile>(std::move(file), most, path);
}

// The rows of one block of rows are decoded together and given one after the other.
class TiffRows : public ImageRows {
 public:
    TiffRows(std::unique_ptr<TiffFile> file, const TiffTags& tags, int pages, bool raw_values, Columns columns)
        : ImageRows(tags.h, columns.count, file->path()),
          file_(std::move(file)),
          pixels_(*file_, tags, most_at_once, columns),
          bands_(tags.bands),
          first_column_(columns.first) {
        pixel_bytes_ = pixels_.pixel_bytes() * (tags.has_palette() && !raw_values ? 3 : 1);
        rows_at_once_ = std::min(pixels_.rows_at_once(), tags.h);
        if (tags.has_palette()) colours_ = palette_of(*file_, tags);
        pages_ = pages;
        raw_values_ = raw_values;
        if (raw_values) palette_ = colours_;
        has_all_columns_ = columns == Columns{0, tags.w};
        decodes_columns_ = pixels_.tiled();
    }

 private:
    // Strips are decoded whole for whichever columns: each time an image is asked for again costs its decoding.
    std::unique_ptr<ImageRows> open_again(Columns columns) const override {
        auto file = open(path());
        const TiffTags tags = read_tiff_tags(*file, check_size_by_rows);
        return std::make_unique<TiffRows>(std::move(file), tags, pages_, raw_values_, columns);
    }
    Image read(int64_t count) override {
        Decoded rows{pixels_.make(count), colours_};
        for (int64_t done = 0; done < count;) {
            const int64_t row = at_ + done, first = row - row % pixels_.rows_at_once();
            if (first != block_first_) {
                const int64_t h = std::min(pixels_.rows_at_once(), height() - first);
                if (h != block_.h) {
                    block_ = {};  // its memory first
                    block_ = pixels_.make(h);
                }
                pixels_.read(first, block_);
                pixels_.set_levels(raw_values_, block_);
                block_first_ = first;
            }
            const int64_t n = std::min(count - done, first + block_.h - row);
            copy_rows(block_, row - first, n, rows.image, done);
            done += n;
        }
        rows.image.bands = bands_;
        return raw_values_ ? std::move(rows.image) : finish(std::move(rows), path(), at_, first_column_);
    }

    std::unique_ptr<TiffFile> file_;
    TiffPixels pixels_;
    Palette colours_;
    const bool bands_;
    const int64_t first_column_;  // of the file
    Image block_;
    int64_t block_first_ = -1;
};

// Images that are turned or converted are decoded as a whole.
std::unique_ptr<ImageRows> rows_of_tiff(const std::string& path, bool raw_values) {
    auto file = open(path);
    const TiffTags tags = read_tiff_tags(*file, check_size_by_rows);
    if (tags.converted() || tags.orientation > 1) return nullptr;
    return std::make_unique<TiffRows>(std::move(file), tags, pages_of(*open(path)), raw_values, Columns{0, tags.w});
}

}  // namespace

Codec tiff() { return {"TIFF", {".tif", ".tiff"}, is_tiff, decode_tiff, rows_of_tiff}; }

}  // namespace atrous::data::codec
