// Numbers as files of arrays hold them, and the images that they become.
#pragma once

#include <cstdint>

#include "data/image.h"

namespace atrous::data {

// i: with sign, u: without, f: floating point; by bits. Bytes are of any order (put_elements).
enum class Element { u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64 };

int64_t size_of(Element type);  // in bytes

// A zeroed image that takes such elements: u8 and u16 as they are, all others as floats.
Image make_image(Element type, int64_t h, int64_t w, int c);

// `count` elements in memory, each `step` elements after the one before; `swapped`: in the other order of bytes.
struct ElementRun {
    Element type;
    const uint8_t* from;
    int64_t step, count;
    bool swapped = false;
};
// Puts them into the image of make_image at elements first, first + step, …
void put_elements(const ElementRun& run, Image& image, int64_t first, int64_t step);

}  // namespace atrous::data
