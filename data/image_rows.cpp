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

namespace {

class HeldRows : public ImageRows {
 public:
    HeldRows(std::shared_ptr<const Image> image, const std::string& path, Palette palette = {},
             bool alpha_varies = false)
        : ImageRows(image->h, image->w, path), image_(std::move(image)) {
        pages_ = image_->pages;
        palette_ = std::move(palette);
        alpha_varies_ = alpha_varies;
    }
    std::unique_ptr<ImageRows> again() const override {
        return std::make_unique<HeldRows>(image_, path(), palette_, alpha_varies_);
    }

 private:
    Image read(int64_t count) override {
        Image rows = crop(*image_, at_, 0, count, image_->w);
        rows.bands = image_->bands;
        return rows;
    }
    const std::shared_ptr<const Image> image_;
};

}  // namespace

std::unique_ptr<ImageRows> ImageRows::again() const { return open_rows(path_, 0, raw_values_); }

std::unique_ptr<ImageRows> open_rows(const std::string& path, int64_t whole_up_to, bool raw_values) {
    std::vector<uint8_t> head(4096);
    head.resize(read_part(open_file(path), head.data(), head.size(), 0, path));
    if (const codec::Codec* found = codec::codec_of(head, path); found && found->rows)
        if (auto rows = found->rows(path, raw_values); rows && rows->height() * rows->width() > whole_up_to)
            return rows;
    if (!raw_values) return std::make_unique<HeldRows>(std::make_shared<const Image>(load_image(path)), path);
    codec::Decoded decoded = codec::decode(read_file(path), path, true);
    return std::make_unique<HeldRows>(std::make_shared<const Image>(std::move(decoded.image)), path,
                                      std::move(decoded.palette), decoded.alpha_varies);
}

namespace codec {

void check_size_by_rows(int64_t h, int64_t w, const std::string& path) {
    if (h > max_side_by_rows || w > max_side_by_rows)
        throw DataError(
            fmt::format("{}: {}x{} pixels; at most {} are read on a side: cut it", path, w, h, max_side_by_rows));
    check_size(1, std::min(h, w), path);  // none at all
}

}  // namespace codec

}  // namespace atrous::data
