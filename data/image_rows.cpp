#include "data/image_rows.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/codecs.h"
#include "data/open_file.h"
#include "data/transform.h"

namespace atrous::data {

Image ImageRows::next(int64_t count) {
    require(count >= 0 && count <= left(), "ImageRows: no more rows than there are");
    Image rows = read(count);
    at_ += count;
    return rows;
}

std::unique_ptr<ImageRows> ImageRows::again(Columns columns) const {
    require(has_all_columns_, "ImageRows: some columns have no others");
    require(columns.first >= 0 && columns.count > 0 && columns.end() <= width_, "ImageRows: columns of the image");
    return open_again(columns);
}

namespace {

class HeldRows : public ImageRows {
 public:
    HeldRows(std::shared_ptr<const Image> image, const std::string& path, Columns columns, Palette palette = {},
             bool alpha_varies = false)
        : ImageRows(image->h, columns.count, path), image_(std::move(image)), columns_(columns) {
        pages_ = image_->pages;
        pixel_bytes_ = image_->bytes() / image_->h / image_->w;
        palette_ = std::move(palette);
        alpha_varies_ = alpha_varies;
        has_all_columns_ = columns == Columns{0, image_->w};
        decodes_columns_ = true;
    }

 private:
    std::unique_ptr<ImageRows> open_again(Columns columns) const override {
        return std::make_unique<HeldRows>(image_, path(), columns, palette_, alpha_varies_);
    }
    Image read(int64_t count) override {
        Image rows = crop(*image_, at_, columns_.first, count, columns_.count);
        rows.bands = image_->bands;
        return rows;
    }
    const std::shared_ptr<const Image> image_;
    const Columns columns_;
};

// Of whole rows that another one decodes.
class SomeColumns : public ImageRows {
 public:
    SomeColumns(std::unique_ptr<ImageRows> all, const std::string& path, Columns columns)
        : ImageRows(all->height(), columns.count, path), all_(std::move(all)), columns_(columns) {
        pages_ = all_->pages();
        palette_ = all_->palette();
        pixel_bytes_ = all_->pixel_bytes();
        rows_at_once_ = all_->rows_at_once();
        has_all_columns_ = false;
    }

 private:
    Image read(int64_t count) override {
        const Image rows = all_->next(count);
        alpha_varies_ = all_->alpha_varies();
        Image part = crop(rows, 0, columns_.first, count, columns_.count);
        part.bands = rows.bands;
        return part;
    }
    const std::unique_ptr<ImageRows> all_;
    const Columns columns_;
};

}  // namespace

std::unique_ptr<ImageRows> ImageRows::open_again(Columns columns) const {
    return codec::some_columns(open_rows(path_, 0, raw_values_), path_, columns);
}

std::unique_ptr<ImageRows> open_rows(const std::string& path, int64_t whole_up_to, bool raw_values) {
    std::vector<uint8_t> head(4096);
    head.resize(read_part(open_file(path), head.data(), head.size(), 0, path));
    if (const codec::Codec* found = codec::codec_of(head, path); found && found->rows)
        if (auto rows = found->rows(path, raw_values); rows && rows->height() * rows->width() > whole_up_to)
            return rows;
    codec::Decoded decoded = raw_values ? codec::decode(read_file(path), path, true) : codec::Decoded{load_image(path)};
    const auto image = std::make_shared<const Image>(std::move(decoded.image));
    return std::make_unique<HeldRows>(image, path, Columns{0, image->w}, std::move(decoded.palette),
                                      decoded.alpha_varies);
}

namespace codec {

std::unique_ptr<ImageRows> some_columns(std::unique_ptr<ImageRows> all, const std::string& path, Columns columns) {
    if (columns == Columns{0, all->width()}) return all;
    return std::make_unique<SomeColumns>(std::move(all), path, columns);
}

void check_size_by_rows(int64_t h, int64_t w, const std::string& path) {
    if (h > max_side_by_rows || w > max_side_by_rows)
        throw DataError(
            fmt::format("{}: {}x{} pixels; at most {} are read on a side: cut it", path, w, h, max_side_by_rows));
    check_size(1, std::min(h, w), path);  // none at all
}

}  // namespace codec

}  // namespace atrous::data
