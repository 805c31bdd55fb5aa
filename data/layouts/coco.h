// COCO's annotation files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "data/drawn_mask.h"

namespace atrous::data {

struct CocoFile {
    struct Image {
        std::string file;
        DrawnMask mask;
    };
    std::vector<Image> images;       // in the file's order
    std::vector<std::string> names;  // by class id; 0 is background, categories follow in the order of their ids
};

// Classes are the categories, but for a first one without annotations whose supercategory is "none", which Roboflow adds.
// Annotations of one image are joined in the file's order. DataError with the place for what is broken, for annotations
// of unknown images or categories, and for boxes without a polygon. `names`: those that the file must have, where another
// file of the set was read before.
CocoFile parse_coco(const std::string& text, const std::string& path, const std::vector<std::string>& names = {});

}  // namespace atrous::data
