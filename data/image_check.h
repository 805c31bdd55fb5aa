// What check_dataset finds out about the images of a data set, beside their masks.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

struct FoundImage {
    int64_t h = 0, w = 0;
    int c = 0;
    bool bands = false, deep = false, floats = false, paged = false;
    float low = 0, high = 0;  // of its values
};
FoundImage look_at(const Image& image);

// The channels of a net for these images: as many as asked for, else 3 for gray, RGB and RGBA, else as many as all have;
// where they are files, as many as there are. DataError where an image cannot have them.
int channels_of(const std::vector<Sample>& samples, const std::vector<FoundImage>& images, int asked);

// Fills what the report says of images, their range of values included, and adds warnings. `rule` is the range's; images
// up to train_count train, all of them where it is negative. DataError where floats lie among others and no range is
// given, and for a range that is measured and empty.
void sum_up_images(const std::vector<FoundImage>& images, const RangeRule& rule, int64_t train_count,
                   DatasetReport& report);

}  // namespace atrous::data
