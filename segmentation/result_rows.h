// The files of one image's results, written row by row while the net goes down the image, or the columns of a block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/image_rows.h"
#include "data/row_writer.h"
#include "data/value_range.h"
#include "segmentation/column_blocks.h"

namespace atrous {

// One file: index, binary, class, probability or overlay. `channel`: which class of those that overlap a class is, and which
// channel of the probability.
struct ResultFile {
    std::string what, path;
    int channel = 0;
};

struct ResultOptions {
    std::string format = "png";            // png or tiff
    std::vector<data::TiffTag> tags = {};  // of TIFF
    data::Palette palette = {};            // 256 colours
    data::ValueRange range = {};           // of the image, where it is shown
    std::function<void()> pause = [] {};   // called now and then while files are closed; may throw
};

class ResultRows {
 public:
    virtual ~ResultRows() = default;
    // From here on rows are those of these columns, from the top: data/row_writer.h. Before the first call they are whole.
    virtual void go_down(Columns columns) = 0;
    // The next rows of labels, and of the probability where it is wanted: of the columns with_neighbours
    // (segmentation/column_blocks.h), on which the overlay's outlines depend.
    virtual void put(const data::Image& ids, const data::Image& probability) = 0;
};

// Opens all files, calls `fill` with what writes into them, and closes them. Where anything is thrown, by `fill` too, no
// file is there that was not there before. `image` is read for the overlay.
void write_results(const std::vector<ResultFile>& files, const data::ImageRows& image, const ResultOptions& options,
                   const std::function<void(ResultRows&)>& fill);

}  // namespace atrous
