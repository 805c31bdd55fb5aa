#include "data/band_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "data/codecs.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

const char* type_of(const Image& image) {
    return image.is_float() ? "floats" : image.is_16bit() ? "16 bits" : "8 bits";
}

// One file, enlarged to the size of the image.
class Band {
 public:
    Band(std::unique_ptr<ImageRows> rows, std::string path) : rows_(std::move(rows)), path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    const ImageRows& rows() const { return *rows_; }
    // To these columns of an image of that size.
    void enlarge_to(int64_t height, int64_t width, Columns columns) {
        const int64_t own_height = rows_->height(), own_width = rows_->width();
        const Columns own = RowResizer::source_columns(own_width, width, columns);
        if (own != Columns{0, own_width}) rows_ = rows_->again(own);
        if (own_height == height && own_width == width) return;
        resizer_ = std::make_unique<RowResizer>([this](int64_t count) { return gray(rows_->next(count)); }, own_height,
                                                own_width, height, width, columns);
    }
    Image next(int64_t count) { return resizer_ ? resizer_->next(count) : gray(rows_->next(count)); }

 private:
    Image gray(Image image) const {
        if (image.c != 1)
            throw DataError(
                fmt::format("{}: {} channels; a band is a gray image: give files of one channel, or `bands` "
                            "none where each file is an image",
                            path_, image.c));
        return image;
    }
    std::unique_ptr<ImageRows> rows_;
    std::string path_;
    std::unique_ptr<RowResizer> resizer_;
};

class BandRows : public ImageRows {
 public:
    BandRows(std::vector<std::unique_ptr<Band>> bands, int64_t height, int64_t width, Columns columns)
        : ImageRows(height, columns.count, bands[0]->path()), bands_(std::move(bands)) {
        for (const auto& band : bands_) pages_ = std::max(pages_, band->rows().pages());
        for (const auto& band : bands_) {
            pixel_bytes_ += band->rows().pixel_bytes();
            rows_at_once_ = std::max(rows_at_once_, band->rows().rows_at_once());
        }
        has_all_columns_ = columns == Columns{0, width};
        decodes_columns_ =
            std::all_of(bands_.begin(), bands_.end(), [](const auto& band) { return band->rows().decodes_columns(); });
        for (const auto& band : bands_) band->enlarge_to(height, width, columns);
    }

 private:
    std::unique_ptr<ImageRows> open_again(Columns columns) const override {
        std::vector<std::unique_ptr<Band>> bands;
        for (const auto& band : bands_) bands.push_back(std::make_unique<Band>(band->rows().again(), band->path()));
        return std::make_unique<BandRows>(std::move(bands), height(), width(), columns);
    }
    Image read(int64_t count) override {
        const Image first = bands_[0]->next(count);
        return dispatch_pixels(first, [&](auto zero) {
            using T = decltype(zero);
            const int c = int(bands_.size());
            Image all = make_image<T>(count, width(), c);
            all.bands = true;
            for (int ch = 0; ch < c; ++ch) {
                const Image band = ch == 0 ? first : bands_[size_t(ch)]->next(count);
                if (count > 0 && band.pixels<T>().empty())
                    throw DataError(fmt::format(
                        "{}: {}, but the band {} has {}; bands of one image have one type of values: convert "
                        "one of them",
                        bands_[size_t(ch)]->path(), type_of(band), bands_[0]->path(), type_of(first)));
                const T* from = band.pixels<T>().data();
                T* to = all.pixels<T>().data() + ch;
                for (int64_t i = 0; i < count * width(); ++i) to[i * c] = from[i];
            }
            return all;
        });
    }

    std::vector<std::unique_ptr<Band>> bands_;
};

using BandsOfFiles = std::vector<std::unique_ptr<Band>>;

BandsOfFiles opened(const std::vector<std::string>& files, int64_t whole_up_to) {
    require(!files.empty() && files.size() <= size_t(max_channels), "an image of 1 to 16 bands");
    BandsOfFiles bands;
    for (const std::string& file : files) bands.push_back(std::make_unique<Band>(open_rows(file, whole_up_to), file));
    return bands;
}

const Band& largest_of(const BandsOfFiles& bands) {
    const auto smaller = [](const auto& a, const auto& b) {
        return a->rows().height() * a->rows().width() < b->rows().height() * b->rows().width();
    };
    return **std::max_element(bands.begin(), bands.end(), smaller);  // the first of them
}

void check_sizes(const BandsOfFiles& bands) {
    const Band& largest = largest_of(bands);
    const int64_t h = largest.rows().height(), w = largest.rows().width();
    for (const auto& band : bands) {
        const int64_t bh = band->rows().height(), bw = band->rows().width();
        if (h % bh == 0 && w % bw == 0 && h / bh == w / bw) continue;
        throw DataError(
            fmt::format("{}: {}x{} pixels, but the band {} has {}x{}; bands have one size, or a whole part of the "
                        "largest, such as half: resample it",
                        band->path(), bw, bh, largest.path(), w, h));
    }
}

}  // namespace

std::unique_ptr<ImageRows> open_bands(const std::vector<std::string>& files, int64_t whole_up_to) {
    BandsOfFiles bands = opened(files, whole_up_to);
    check_sizes(bands);
    const int64_t h = largest_of(bands).rows().height(), w = largest_of(bands).rows().width();
    return std::make_unique<BandRows>(std::move(bands), h, w, Columns{0, w});
}

Image load_bands(const std::vector<std::string>& files) {
    const auto rows = open_bands(files);
    codec::check_size(rows->height(), rows->width(), files[0]);
    Image image = rows->next(rows->height());
    image.pages = rows->pages();
    return image;
}

std::string band_of_full_size(const std::vector<std::string>& files) { return largest_of(opened(files, 0)).path(); }

}  // namespace atrous::data
