// What is worth knowing of a data set that can be trained on: each thing in one line with an example and what to do.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/image_size.h"
#include "data/dataset.h"
#include "data/sample_check.h"

namespace atrous::data {

struct AdviceOptions {
    std::vector<std::string> class_names = {};
    std::string size = {};                            // as the user gives it, for the words
    std::function<ImageSize(ImageSize image)> fit{};  // what images and masks are resized to; empty: they are not
};

// Of samples without problems, and what does not depend on the mask rule: masks whose shape is in their alpha, palettes
// that disagree, files that are there twice.
std::vector<std::string> advice_on_files(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts);

// Of samples whose values the rule knows: soft edges, samples that are ignored everywhere, and classes that in some masks are
// nowhere as wide as what becomes one pixel.
std::vector<std::string> advice_on_classes(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                                           const MaskRule& rule, const AdviceOptions& options);

}  // namespace atrous::data
