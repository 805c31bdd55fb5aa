#include "data/exif.h"

#include "data/transform.h"

namespace atrous::data {

namespace {

// Reads integers in the structure's own byte order; false past the end.
struct TiffReader {
    std::span<const uint8_t> bytes;
    bool little = true;

    bool read(size_t at, size_t size, uint32_t& value) const {
        if (at > bytes.size() || size > bytes.size() - at) return false;
        value = 0;
        for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[at + (little ? size - 1 - i : i)];
        return true;
    }
};

}  // namespace

int exif_orientation(std::span<const uint8_t> tiff) {
    if (tiff.size() < 8) return 1;
    TiffReader reader{tiff, tiff[0] == 'I'};
    uint32_t magic, directory, entries, tag, type, value;
    if (!reader.read(2, 2, magic) || magic != 42 || !reader.read(4, 4, directory)) return 1;
    if (!reader.read(directory, 2, entries)) return 1;
    for (uint32_t i = 0; i < entries; ++i) {
        const size_t entry = size_t(directory) + 2 + size_t(i) * 12;
        if (!reader.read(entry, 2, tag) || !reader.read(entry + 2, 2, type) || !reader.read(entry + 8, 2, value))
            return 1;
        if (tag == 0x0112 && type == 3) return value >= 1 && value <= 8 ? int(value) : 1;
    }
    return 1;
}

Image apply_orientation(const Image& image, int orientation) {
    switch (orientation) {
        case 2:
            return flip_horizontal(image);
        case 3:
            return rotate90(image, 2);
        case 4:
            return flip_vertical(image);
        case 5:
            return transpose(image);
        case 6:
            return rotate90(image, 3);
        case 7:
            return transpose(rotate90(image, 2));
        case 8:
            return rotate90(image, 1);
        default:
            return image;
    }
}

}  // namespace atrous::data
