#include "segmentation/result_rows.h"

#include <algorithm>
#include <filesystem>

#include "data/palette.h"
#include "data/transform.h"

namespace atrous {

namespace {

// Rows of one image below those of another.
data::Image stacked(const data::Image& above, int64_t first, const data::Image& below) {
    data::Image all = data::make_image<uint8_t>(above.h - first + below.h, below.w, below.c);
    if (above.h > first) data::copy_rows(above, first, above.h - first, all, 0);
    data::copy_rows(below, 0, below.h, all, above.h - first);
    return all;
}

// An object's outline needs the row below, so the last row that came waits for the next; the one above it stays too.
class OverlayRows {
 public:
    OverlayRows(std::unique_ptr<data::ImageRows> image, const ResultOptions& options)
        : image_(std::move(image)), options_(options) {}

    data::Image next(const data::Image& ids) {
        const int64_t kept = std::max<int64_t>(colours_.h - 2, 0);
        colours_ = stacked(colours_, kept, data::to_8bit_rgb(image_->next(ids.h), options_.range));
        ids_ = stacked(ids_, kept, ids);
        const data::Image tinted = data::overlay(colours_, ids_, options_.palette);
        const int64_t from = written_above_, to = image_->left() == 0 ? tinted.h : tinted.h - 1;
        written_above_ = std::min<int64_t>(to, 1);
        return to > from ? data::crop(tinted, from, 0, to - from, tinted.w) : data::Image{};
    }

 private:
    std::unique_ptr<data::ImageRows> image_;
    const ResultOptions& options_;
    data::Image colours_ = data::make_image<uint8_t>(0, 0, 3), ids_ = data::make_image<uint8_t>(0, 0, 1);
    int64_t written_above_ = 0;  // of the rows that are kept
};

data::Image binary_of(data::Image ids) {
    for (uint8_t& id : ids.u8) id = id ? 255 : 0;
    return ids;
}

// The class's own mask, of labels in bits.
data::Image mask_of_class(data::Image labels, int c) {
    for (uint8_t& label : labels.u8) label = label >> c & 1 ? 255 : 0;
    return labels;
}

data::Image channel_of(const data::Image& image, int channel) {
    if (image.c == 1) return image;
    data::Image one = data::make_image<uint8_t>(image.h, image.w, 1);
    for (size_t i = 0; i < one.u8.size(); ++i) one.u8[i] = image.u8[i * size_t(image.c) + size_t(channel)];
    return one;
}

class Files : public ResultRows {
 public:
    Files(const std::vector<ResultFile>& files, const data::ImageRows& image, const ResultOptions& options)
        : files_(files), image_(image), options_(options), columns_{0, image.width()}, given_(columns_) {}

    void open(size_t i, io::FileSink& sink) {
        const bool coloured = files_[i].what == "index", overlay = files_[i].what == "overlay";
        const data::RowForm form{image_.height(), image_.width(), overlay ? 3 : 1,
                                 coloured ? options_.palette : data::Palette{}};
        const std::string folder = std::filesystem::path(files_[i].path).parent_path().string();
        writers_.push_back(options_.format == "tiff" ? data::tiff_writer(sink, form, options_.tags)
                                                     : data::png_writer(sink, form, data::PngMark::ours, folder));
        if (overlay) overlay_ = std::make_unique<OverlayRows>(image_.again(), options_);
    }
    void go_down(Columns columns) override {
        columns_ = columns;
        given_ = with_neighbours(columns, image_.width());
        for (const auto& writer : writers_) writer->go_down(columns);
        if (overlay_) overlay_ = std::make_unique<OverlayRows>(image_.again(given_), options_);
    }
    void put(const data::Image& ids, const data::Image& probability) override {
        for (size_t i = 0; i < files_.size(); ++i) {
            const std::string& what = files_[i].what;
            if (what == "index") writers_[i]->put(own(ids));
            if (what == "binary") writers_[i]->put(own(binary_of(ids)));
            if (what == "class") writers_[i]->put(own(mask_of_class(ids, files_[i].channel)));
            if (what == "probability") writers_[i]->put(own(channel_of(probability, files_[i].channel)));
            if (what != "overlay") continue;
            if (const data::Image rows = overlay_->next(ids); rows.h > 0) writers_[i]->put(own(rows));
        }
    }
    void finish() {
        for (const auto& writer : writers_) writer->finish(options_.pause);
    }

 private:
    // Without the neighbours' columns.
    data::Image own(const data::Image& rows) const {
        if (columns_ == given_) return rows;
        return data::crop(rows, 0, columns_.first - given_.first, rows.h, columns_.count);
    }
    const std::vector<ResultFile>& files_;
    const data::ImageRows& image_;
    const ResultOptions& options_;
    Columns columns_, given_;  // that are written, and that rows have
    std::vector<std::unique_ptr<data::RowWriter>> writers_;
    std::unique_ptr<OverlayRows> overlay_;
};

}  // namespace

void write_results(const std::vector<ResultFile>& files, const data::ImageRows& image, const ResultOptions& options,
                   const std::function<void(ResultRows&)>& fill) {
    Files open(files, image, options);
    std::vector<std::string> paths;
    for (const ResultFile& file : files) paths.push_back(file.path);
    io::write_together(paths, [&](const auto& sinks) {
        for (size_t i = 0; i < sinks.size(); ++i) open.open(i, *sinks[i]);
        fill(open);
        open.finish();
    });
}

}  // namespace atrous
