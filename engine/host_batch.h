// A batch in host memory, and its source. The trainer sees data only through this.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/augmented_sample.h"

namespace atrous {

// floats:  `images`, normalized on the host
// bytes:   `bytes`, which the device normalizes through `levels`
// samples: `bytes` and `labels` as they are stored, which the device augments by `samples` and `filters` (kernels/augment.h)
//          and normalizes
enum class ImageForm { floats, bytes, samples };

struct HostBatch {
    int64_t n = 0, h = 0, w = 0, c = 0;
    std::vector<float> images;       // [n][h][w][c], normalized
    std::vector<uint8_t> labels;     // [n][h][w] class ids; 255 is ignored. Empty where there are no masks
    std::vector<std::string> names;  // [n]
    std::vector<int64_t> indices;    // [n] positions in the data set
    ImageForm form = ImageForm::floats;
    std::vector<uint8_t> bytes = {};  // [n][h][w][c], as they are stored
    std::vector<float> levels = {};   // [kinds][256] what each byte stands for; channel i is of kind i % kinds

    std::vector<kernels::AugmentedSample> samples = {};  // [n]
    std::vector<int32_t> filters = {};
    // Of form samples: for how many source pixels and integers of filters there is room. Batches with equal room can take
    // turns in one place on a device.
    int64_t source_pixels = 0, filter_values = 0;

    int64_t kinds() const { return c < 3 ? c : 3; }
};

// The first pixel of a class in a mask as it is stored.
struct LabelPlace {
    std::string file;
    int64_t x = -1, y = -1;  // -1: the file has none, or cannot be read
    std::string value = {};  // what the file has there for the class: "8", "#80ff00"
    bool mixed = false;      // parts of other samples are mixed into this one: without a place it may be one of theirs
};

// Yields the batches of one epoch after another. The same (seed, epoch) gives the same batches whatever the number of
// workers, and any batch of an epoch can be the first one read: training resumes in the middle of an epoch.
class BatchSource {
 public:
    virtual ~BatchSource() = default;
    virtual int64_t samples() const = 0;
    virtual int64_t batches_per_epoch() const = 0;
    virtual void start_epoch(int64_t epoch, int64_t first_batch = 0) = 0;
    virtual bool next(HostBatch& batch) = 0;  // false at the end of the epoch; the batch's memory is reused
    // Where a sample (HostBatch::indices) has this class id, for messages: the mask is read anew. Empty where it has no
    // mask, or the source cannot tell.
    virtual std::optional<LabelPlace> find_label(int64_t index, uint8_t label) const {
        (void)index, (void)label;
        return std::nullopt;
    }
};

}  // namespace atrous
