// Predicts images with the net of a checkpoint, and writes what was asked for.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "segmentation/image_view.h"
#include "segmentation/load_net.h"
#include "segmentation/result_rows.h"

namespace atrous {

// One image, and what its results are called: segmentation/result_names.h.
struct Job {
    std::string image, name;
    std::vector<std::string> bands = {};  // the files of an image whose channels are files; `image` is the first
};

// Thrown where a prediction was asked to stop.
struct Stopped {};

class Predictor {
 public:
    // `wanted`: of index, binary, probability, overlay, and where classes overlap classes, a mask for each in a folder of its
    // name. `thresholds`: base/class_thresholds.h.
    // `format`: png, or tiff, whose files lie where on Earth a GeoTIFF lies that was predicted.
    Predictor(LoadedNet& net, std::vector<std::string> wanted, const ClassThresholds& thresholds, std::string output,
              WindowOptions windows = {}, std::string format = "png");

    const std::string& output() const { return output_; }
    const std::string& format() const { return format_; }
    std::vector<std::string> paths_of(const Job& job) const;  // of its results

    // From here on predict() throws Stopped after the row of windows (of a block), or of a million values of a PNG that was
    // in blocks, at which `stop` returns true.
    void stop_when(std::function<bool()> stop) { stop_ = std::move(stop); }

    // Writes the results, whose folder must be there; returns a line about them. DataError for an image that
    // cannot be read, NumericError where the net gives NaN or Inf; then no result of it is written. Memory: what
    // data/image_rows.h says of the image's format, and what segmentation/column_blocks.h says. As PNG the results of an image
    // in several blocks wait on the disk of their folder, a byte a value.
    std::string predict(const Job& job);

 private:
    void stop_where_asked() const;
    bool wants(const std::string& what) const;
    std::vector<ResultFile> files_of(const Job& job) const;
    // Returns how many pixels of the block are no background.
    int64_t predict_block(data::ImageRows& image, const ImageView& view, const ColumnBlock& block,
                          const std::string& path, ResultRows& results);
    std::vector<ColumnBlock> blocks_of(const data::ImageRows& image, const ImageView& view) const;

    LoadedNet& net_;
    std::vector<std::string> wanted_;
    ClassThresholds thresholds_;
    std::string output_;
    WindowOptions windows_;
    std::string format_;
    std::function<bool()> stop_ = [] { return false; };
};

}  // namespace atrous
