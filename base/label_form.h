// What a byte of a mask says of its pixel: the one class that it is of, or each of the classes that it is of.
#pragma once

#include <cstdint>

namespace atrous {

// ids: the class. bits: bit c is set where the pixel is of class c (multi-label segmentation); 255 stays free for pixels that
// are ignored, so there are at most 7 classes.
enum class LabelForm { ids, bits };

inline constexpr int64_t max_bit_classes = 7;

// Labels from here on are out of range.
constexpr int64_t label_values(LabelForm form, int64_t classes) {
    return form == LabelForm::bits ? int64_t{1} << classes : classes;
}

}  // namespace atrous
