// A net that sees images larger than its training's through windows, so that whatever scores nets scores it too.
#pragma once

#include <memory>

#include "data/dataset.h"
#include "segmentation/image_view.h"

namespace atrous {

class WindowedNet : public SegmentationNet {
 public:
    // `net` has its memory, and lives longer than this.
    WindowedNet(SegmentationNet& net, int64_t window_height, int64_t window_width, double overlap);
    // By exact windows of images of any size.
    using ExactGridOf = std::function<ExactGrid(int64_t height, int64_t width)>;
    WindowedNet(SegmentationNet& net, ExactGridOf exact);

    int64_t in_channels() const override { return net_.in_channels(); }
    int64_t out_channels() const override { return net_.out_channels(); }
    int64_t input_multiple() const override { return 1; }

 protected:
    // Of one image of any size; one window: what `net` gives. Memory: the image, its logits, and a row of windows.
    NetOutputs compute(const Tensor& x, bool with_auxiliary) override;

 private:
    SegmentationNet& net_;
    int64_t window_height_ = 0, window_width_ = 0;
    double overlap_ = 0;
    ExactGridOf exact_;
};

// How a net is scored on a data set: the net, and how images become batches.
struct ScoringView {
    SegmentationNet* net;
    data::LoaderOptions loader;
    std::string note;  // for people; empty where all images are seen as in training
    std::unique_ptr<WindowedNet> windowed = {};
};
// By windows, image by image and each at the size that view_of says, where it says so for one of the set; else
// `batch_size` at a time, at the size of the card; one at a time where they keep sizes of their own.
ScoringView scoring_view(LoadedNet& net, const WindowOptions& options, const data::DatasetReport& set,
                         int64_t batch_size, int workers);

}  // namespace atrous
