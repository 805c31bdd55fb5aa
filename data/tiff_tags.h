// What the tags of a TIFF say of its pixels, checked.
#pragma once

#include "data/elements.h"
#include "data/tiff_file.h"

namespace atrous::data::codec {

struct TiffTags {
    int64_t h, w;
    int samples, bits;  // a pixel's, a sample's
    int kept;           // samples that become channels: all but an alpha beside gray or bands
    bool bands;         // the fourth sample of four is no alpha
    bool planes;        // each sample's pixels by themselves
    uint16_t format, photometric, compression, orientation;
    int64_t samples_of_block() const { return planes ? 1 : samples; }
    bool converted() const { return photometric > PHOTOMETRIC_MASK; }  // by libtiff, to RGB
    bool has_palette() const { return photometric == PHOTOMETRIC_PALETTE; }
};

using CheckSize = void (*)(int64_t h, int64_t w, const std::string& path);  // throws DataError

// Reads them; DataError for what is too large, and for a file too small to hold its pixels. YCbCr that the jpeg coder turns
// into RGB is RGB from here on.
TiffTags read_tiff_tags(TiffFile& file, CheckSize check_size);

// How many bytes of samples a byte of the file can stand for. 0: this compression is not read.
int64_t best_ratio(uint16_t compression);

// Of the samples, which have 8 bits or more once they are unpacked. DataError for those that are not read.
Element element_of(const TiffTags& tags, const std::string& path);

Palette palette_of(const TiffFile& file, const TiffTags& tags);

// Beside the image a file may hold smaller versions and masks of it, which are no pages. Called last: it leaves the
// first directory.
int pages_of(const TiffFile& file);

}  // namespace atrous::data::codec
