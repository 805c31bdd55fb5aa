// Scores of images that are too large to be in memory as a whole: decoded, seen by the net and compared with their masks
// some rows at a time, in blocks of columns, as `predict` goes down an image.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "data/large_sample_check.h"
#include "engine/train/scores.h"
#include "segmentation/image_view.h"

namespace atrous {

// Images of more pixels, as they are or as the net sees them, are scored by rows, and those that take more bytes
// (data/large_sample_check.h).
inline constexpr int64_t most_decoded_whole = data::most_checked_whole, most_seen_whole = int64_t{1} << 24;
bool needs_rows(const LoadedNet& net, const WindowOptions& windows, const data::DatasetReport& set);

struct RowScoring {
    WindowOptions windows;
    ClassThresholds thresholds = {};
    bool native = false;  // compares at the images' own sizes too
    // Called for each image, with its [truth][predicted] matrix in pixels.
    std::function<void(const std::string& name, const int64_t* counts)> on_image = {};
    std::function<void(int64_t images_done)> progress = {};
    // Called for each row as the net sees it: logits [pixels][channels] and class ids.
    std::function<void(const float* logits, const uint8_t* labels, int64_t pixels)> on_row = {};
};

struct ScoresByRows {
    Scores scores, native;  // without the loss, and without metrics that are no function of counts
};

// The counts are those of `evaluate` on segmentation/windowed_net.h: the same windows, masks resized by nearest. Images for
// which the net gives NaN or Inf are named in Scores::nonfinite; their pixels are not counted. Memory: that of Predictor, and
// some rows of the mask. DataError as the loader.
ScoresByRows score_by_rows(LoadedNet& net, const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                           const RowScoring& options);

}  // namespace atrous
