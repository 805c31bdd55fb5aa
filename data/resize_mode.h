// How images of any size become what a net is trained on and predicts from.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/image_size.h"

namespace atrous::data {

// stretch:   to the net's size, whatever that does to proportions
// letterbox: in proportion, as large as fits into the net's size, in whose middle it lies; what is left is ignored
// none:      images stay as they are
enum class ResizeMode { stretch, letterbox, none };

const std::vector<std::pair<std::string, ResizeMode>>& resize_modes();  // by their words
std::string word_of(ResizeMode mode);

// What an image is resized to, and the size to which it is then padded on all sides (none: it is not).
struct Fitted {
    ImageSize size, padded = {};
};
Fitted fit(ResizeMode mode, ImageSize image, ImageSize net);

// The factor by which letterbox resizes.
double letterbox_scale(ImageSize image, ImageSize net);

}  // namespace atrous::data
