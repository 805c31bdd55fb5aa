// Masks for people to look at.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"

namespace atrous::data {

// The 256 colours of Pascal VOC: class 0 black, 255 the border's cream.
Palette voc_palette();
// VOC's, except that two-class masks are black and white.
Palette mask_palette(int class_count);

// Class ids in colour.
Image colourize(const Image& labels, const Palette& palette);

// The image with its objects tinted and outlined. Background (0) stays as it is, ignored pixels are greyed.
Image overlay(const Image& image, const Image& labels, const Palette& palette, double opacity = 0.45);

struct SheetRow {
    Image image, truth, prediction;  // truth may be empty (h = 0)
    std::string caption;
};

// One row a sample: image | truth | prediction | overlay of the prediction, each cell_h high, with headings and
// captions. Rows may differ in shape.
Image contact_sheet(const std::vector<SheetRow>& rows, int class_count, int64_t cell_h = 192);

// Writes text in a 3x5 font, `scale` pixels a dot; what does not fit is cut off. Letters come out as capitals.
void draw_text(Image& image, int64_t y, int64_t x, const std::string& text, int scale, uint32_t colour);

}  // namespace atrous::data
