// TIFF files of any form, written by libtiff, and files whose directory a test writes entry by entry.
#pragma once

#include <tiffio.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"

namespace atrous::data::test {

// Bytes are the samples as they lie in memory: pixel by pixel, or plane by plane.
struct TiffForm {
    uint32_t h = 0, w = 0;
    int samples = 1, bits = 8;
    const char* mode = "w";  // as of TIFFOpen: "wl", "wb" orders of bytes, "w8" BigTIFF
    uint16_t format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK, compression = COMPRESSION_NONE;
    bool planes = false, tiles = false;    // tiles of 16 x 16
    std::function<void(TIFF*)> tags = {};  // more of them
};

struct TiffMemory {
    std::vector<uint8_t> bytes;
    size_t at = 0;
};

inline TIFF* open_for_writing(TiffMemory& memory, const char* mode) {
    const auto read = [](thandle_t handle, void* to, tmsize_t size) -> tmsize_t {
        auto& m = *static_cast<TiffMemory*>(handle);
        const size_t count = std::min(size_t(size), m.bytes.size() - std::min(m.at, m.bytes.size()));
        if (count) std::memcpy(to, m.bytes.data() + m.at, count);
        m.at += count;
        return tmsize_t(count);
    };
    const auto write = [](thandle_t handle, void* from, tmsize_t size) -> tmsize_t {
        auto& m = *static_cast<TiffMemory*>(handle);
        if (m.bytes.size() < m.at + size_t(size)) m.bytes.resize(m.at + size_t(size));
        std::memcpy(m.bytes.data() + m.at, from, size_t(size));
        m.at += size_t(size);
        return size;
    };
    const auto seek = [](thandle_t handle, toff_t offset, int whence) -> toff_t {
        auto& m = *static_cast<TiffMemory*>(handle);
        return m.at = offset + (whence == SEEK_CUR ? m.at : whence == SEEK_END ? m.bytes.size() : 0);
    };
    return TIFFClientOpen(
        "memory", mode, &memory, read, write, seek, [](thandle_t) { return 0; },
        [](thandle_t handle) { return toff_t(static_cast<TiffMemory*>(handle)->bytes.size()); },
        [](thandle_t, void**, toff_t*) { return 0; }, [](thandle_t, void*, toff_t) {});
}

inline void set_tags(TIFF* tiff, const TiffForm& form) {
    TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, form.w);
    TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, form.h);
    TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, form.samples);
    TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, form.bits);
    TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT, form.format);
    TIFFSetField(tiff, TIFFTAG_COMPRESSION, form.compression);
    TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, form.photometric);
    TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, form.planes ? PLANARCONFIG_SEPARATE : PLANARCONFIG_CONTIG);
    if (form.tags) form.tags(tiff);
    if (form.tiles) {
        TIFFSetField(tiff, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tiff, TIFFTAG_TILELENGTH, 16);
    } else {
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, form.compression == COMPRESSION_JPEG ? 8 : 3);  // as JPEG's blocks
    }
}

// Pixels of fewer than 8 bits, or of 12, are packed by the caller, each row by itself.
inline void write_page(TIFF* tiff, const TiffForm& form, const std::vector<uint8_t>& pixels) {
    set_tags(tiff, form);
    const int each = form.planes ? 1 : form.samples;
    const auto bytes_of = [&](size_t count) { return (count * size_t(each * form.bits) + 7) / 8; };
    const size_t row = bytes_of(form.w);
    for (int plane = 0; plane < (form.planes ? form.samples : 1); ++plane) {
        const uint8_t* from = pixels.data() + size_t(plane) * form.h * row;
        if (!form.tiles) {
            for (uint32_t y = 0; y < form.h; ++y)
                require(TIFFWriteScanline(tiff, const_cast<uint8_t*>(from) + y * row, y, uint16_t(plane)) == 1,
                        "a row");
            continue;
        }
        std::vector<uint8_t> tile(16 * bytes_of(16));
        for (uint32_t y = 0; y < form.h; y += 16)
            for (uint32_t x = 0; x < form.w; x += 16) {
                for (uint32_t r = 0; r < std::min(16u, form.h - y); ++r)
                    std::memcpy(tile.data() + r * bytes_of(16), from + (y + r) * row + bytes_of(x),
                                bytes_of(std::min(16u, form.w - x)));
                require(TIFFWriteTile(tiff, tile.data(), x, y, 0, uint16_t(plane)) > 0, "a tile");
            }
    }
}

// Every page has the same pixels.
inline std::vector<uint8_t> encode_tiff(const TiffForm& form, const std::vector<uint8_t>& pixels, int pages = 1) {
    TiffMemory memory;
    TIFF* tiff = open_for_writing(memory, form.mode);
    for (int page = 0; page < pages; ++page) {
        write_page(tiff, form, pixels);
        TIFFWriteDirectory(tiff);
    }
    TIFFClose(tiff);
    return memory.bytes;
}

// A little-endian file with one directory, whose entries have one number each, and 64 bytes of pixels at its end.
struct TiffEntry {
    uint16_t tag, type;  // type 3: 16 bits, 4: 32 bits
    uint32_t count, value;
};
inline std::vector<TiffEntry> gray_8x8() {
    return {{256, 4, 1, 8}, {257, 4, 1, 8}, {258, 3, 1, 8}, {259, 3, 1, 1}, {262, 3, 1, 1},
            {273, 4, 1, 0}, {277, 3, 1, 1}, {278, 4, 1, 8}, {279, 4, 1, 64}};
}
inline std::vector<uint8_t> tiff_of(std::vector<TiffEntry> entries, uint32_t next_directory = 0) {
    std::vector<uint8_t> bytes = {'I', 'I', 42, 0, 8, 0, 0, 0};
    const auto put = [&](uint32_t value, int size) {
        for (int i = 0; i < size; ++i) bytes.push_back(uint8_t(value >> 8 * i));
    };
    const uint32_t pixels = uint32_t(8 + 2 + 12 * entries.size() + 4);
    put(uint32_t(entries.size()), 2);
    for (const TiffEntry& e : entries) {
        put(e.tag, 2);
        put(e.type, 2);
        put(e.count, 4);
        put(e.tag == 273 && e.value == 0 ? pixels : e.value, 4);
    }
    put(next_directory, 4);
    for (uint32_t i = 0; i < 64; ++i) put(i * 3 + 1, 1);
    return bytes;
}
// With one entry's value in place of that of gray_8x8, or added.
inline std::vector<uint8_t> tiff_with(TiffEntry entry) {
    auto entries = gray_8x8();
    for (TiffEntry& e : entries)
        if (e.tag == entry.tag) {
            e = entry;
            return tiff_of(entries);
        }
    entries.push_back(entry);
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.tag < b.tag; });
    return tiff_of(entries);
}

}  // namespace atrous::data::test
