// Which stored values stand for 0 and 1 in front of a net.
#pragma once

#include <limits>
#include <string>

#include "data/image.h"

namespace atrous::data {

// Without bounds they are 0 and the largest value of the image's integers; floats have none then.
struct ValueRange {
    float low = 0, high = 0;
    bool given() const { return low != high; }
    ValueRange of(const Image& image) const;  // with bounds; of floats without, 0 and 1
};

// Beyond this no bound lies: numbers such as -3.4e38 stand for no data.
inline constexpr float most_in_range = std::numeric_limits<float>::max() / 2;

// Text form, as a user gives it to `value-range`:
//   auto       integers: their type's whole range; floats: measured
//   measured   the smallest and the largest value of the training images
//   0..4095    these
struct RangeRule {
    bool measured = false;
    ValueRange range = {};
    bool automatic() const { return !measured && !range.given(); }
};
RangeRule parse_value_range(const std::string& text);  // UsageError
std::string text_of(const ValueRange& range);          // which parse_value_range takes, to the same floats

// The image of `path` with the net's channels (to_channels). Throws DataError where it cannot have them, and for floats
// whose range is not known.
Image as_net_takes_it(Image image, int channels, const ValueRange& range, const std::string& path);

}  // namespace atrous::data
