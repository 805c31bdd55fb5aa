// The tags by which a GeoTIFF says where on Earth its pixels lie, to be written into images of the same pixels.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous::data {

// An entry of a TIFF's directory; the value's bytes are little endian.
struct TiffTag {
    uint16_t tag = 0, type = 0;
    uint64_t count = 0;
    std::vector<uint8_t> value;
    bool operator==(const TiffTag&) const = default;
};

int64_t size_of_tiff_type(uint16_t type);  // in bytes; 0: no type that is known

struct GeoTags {
    std::vector<TiffTag> tags;
    bool turned =
        false;  // there are some, but the file's orientation is stated: its pixels are turned when they are read
};
// ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory, GeoDoubleParams and GeoAsciiParams of the file's first
// page, those that are there, by number; none of what is no TIFF. Tags that are damaged, or longer than 64 KiB, are left out.
GeoTags geo_tags_of(const std::string& path);

}  // namespace atrous::data
