// What two images are compared by without looking at them again: the same bytes, or the same look.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/image.h"

namespace atrous::data {

// look: the difference hash ("dHash") of 9x9 mean brightnesses, in two directions. A bit is set where a cell is brighter than its
// left (upper) neighbour by more than 2 of 255. tone: the mean brightness of 3x3 blocks of cells, and the mean red, green
// and blue.
struct ImagePrint {
    uint64_t bytes = 0;  // hash of the file (data/fingerprint.h)
    std::array<uint64_t, 2> look{};
    std::array<uint8_t, 12> tone{};
    bool has_look = false;  // flat images have none: too many would be alike
    bool operator==(const ImagePrint&) const = default;
};

// Fills look and tone from at most 256 pixels a cell: sizes of one image look alike. Integers of 16 bits and floats are stretched to 0..255 between `low` and `high`, their smallest and largest.
ImagePrint print_of(const Image& image, float low, float high);

// The same of an image of which only these rows are at hand, in this order.
std::vector<int64_t> rows_of_print(int64_t h, int64_t w);
ImagePrint print_of_rows(const Image& rows, int64_t h, float low, float high);

inline constexpr int most_different_bits = 3;   // of 128
inline constexpr int most_different_tone = 10;  // of 255
bool look_alike(const ImagePrint& a, const ImagePrint& b);

// An image of the second set with the first one like it in the first.
struct Twin {
    size_t in_first = 0, in_second = 0;
    bool equal = false;  // byte for byte; else alike
};
// Each image of the second set that has one comes once, an equal file before a mere likeness. The time grows with the
// number of images, not with its square: where more than 500 share a quarter of their bits with an image, it is compared
// with 500 of them alone.
std::vector<Twin> twins_between(std::span<const ImagePrint> first, std::span<const ImagePrint> second);

// Each file that is equal to an earlier one of the set, with that one.
std::vector<Twin> equal_files(std::span<const ImagePrint> prints);

}  // namespace atrous::data
