// Masks that annotation files describe: polygons, bitmaps and runs, each with its class.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/mask_source.h"
#include "data/polygon.h"

namespace atrous::data {

// One object; exactly one of rings, bitmap and runs is filled.
struct Drawing {
    uint8_t id = 1;
    std::vector<Ring> rings = {};
    Image bitmap = {};      // one channel; any value but 0 is inside
    int64_t x = 0, y = 0;   // where the bitmap's first pixel lies
    std::string runs = {};  // data/rle.h, down the columns
};

struct DrawnMask {
    std::vector<Drawing> drawings;  // later ones cover
    int64_t h = 0, w = 0;           // the image's size as the file says it; 0: it does not
    bool relative = false;          // coordinates are shares of the image's width and height
};
// Drawing throws DataError where the image has another size than the file says, or where a polygon or a bitmap reaches
// further outside of the image than a tenth of its side; a little outside is cut off.
std::shared_ptr<const MaskSource> drawn_mask(DrawnMask mask);

// Bitmaps of annotation files. DataError for what is none; `where` begins the message.
std::vector<uint8_t> from_base64(const std::string& text, const std::string& where);
std::vector<uint8_t> inflate_zlib(const std::vector<uint8_t>& bytes, const std::string& where);  // up to 64 MiB
// The pixels of a PNG that are inside: those that are not transparent, or not 0 where it has no transparency.
Image bitmap_of_png(const std::vector<uint8_t>& bytes, const std::string& where);

// COCO's counts of pixels outside and inside by turns, down the columns, as runs; the second form is its compressed text.
std::string runs_of_counts(const std::vector<int64_t>& counts, const std::string& where);
std::vector<int64_t> counts_of_text(const std::string& text, const std::string& where);

}  // namespace atrous::data
