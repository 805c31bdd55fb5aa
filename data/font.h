// Text in images, in DejaVu Sans, which is part of the program: it looks the same on every machine, and no font has to
// be there. Text is UTF-8, from left to right, each character by itself: Arabic letters are not joined. What the font
// lacks (Chinese, Japanese and Korean characters, most emoji) is drawn as the font's box; control characters, and bytes
// that are no UTF-8, as its question mark in a diamond (U+FFFD).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "data/image.h"

namespace atrous::data {

// In pixels, from the first character's origin to where a next one would stand. `size`: pixels an em; small letters are
// 0.55 of it high, capitals 0.73.
double text_width(std::string_view text, double size);

// The text, or its beginning and its end with "…" between them, as much as is no wider than `width`; "…" at least.
std::string shortened(std::string_view text, double size, double width);

// Into an RGB image of 8 bits, with soft edges. (baseline, x): where the first character stands; what lies outside of
// the image is cut off. `colour` is 0xrrggbb.
void draw_text(Image& image, int64_t baseline, int64_t x, std::string_view text, double size, uint32_t colour);

}  // namespace atrous::data
