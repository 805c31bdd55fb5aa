// A page that shows what a net makes of some samples: a legend, and a row a sample with the image, the truth, the
// prediction and an overlay of them, its name and its score.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/value_range.h"

namespace atrous::data {

// What an image is drawn into: as wide as this in its own proportions, and narrower where it would be higher than that.
inline constexpr int64_t cell_width = 192, cell_height = 288;
struct CellSize {
    int64_t h, w;  // at least 1
};
CellSize cell_size(int64_t h, int64_t w);

struct SheetRow {
    Image image, truth, prediction;  // class ids; either may be empty (h = 0)
    std::string name, score;         // score: "Dice 0.9134"
    ValueRange range = {};           // by which the image is stretched to 8 bits
};

// The row with its images as they are drawn, in RGB of 8 bits and of the image's cell size: the image filtered,
// class ids by their nearest. contact_sheet does that too; many large images take less memory if it is done before.
SheetRow fitted(SheetRow row);

struct SheetClasses {
    std::vector<std::string> names;
    std::vector<uint32_t> colours;  // 0xrrggbb by class; a class without one has that of mask_palette
};

struct LegendEntry {
    std::string name;
    uint32_t colour;
};
struct LegendLine {
    std::string title;
    std::vector<LegendEntry> entries;
    std::string rest;  // "and 231 more classes"
};
// Of two classes: their colours in masks, and those of the overlay, which tells where truth and prediction agree, what
// was missed and what was found in error. Of more: their colours, all up to 12 classes; of more the 24 with the most
// pixels in truth and prediction, and the number of the others.
std::vector<LegendLine> legend_of(const std::vector<SheetRow>& rows, const SheetClasses& classes);

// The page, RGB of 8 bits. Where no row has a prediction its column is left out, and overlays show the truth. Overlays lie on the image in gray; of more than two classes it is the prediction that they
// show. Names that are too long are shortened in the middle. Pixels of class 255 are ignored ones.
Image contact_sheet(const std::vector<SheetRow>& rows, const SheetClasses& classes);

}  // namespace atrous::data
