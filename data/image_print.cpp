#include "data/image_print.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <type_traits>
#include <unordered_map>

namespace atrous::data {

namespace {

constexpr int cells = 9, most_samples = 16;  // samples: a cell's, along a side
constexpr float least_step = 2;              // between cells, for a bit
constexpr float least_spread = 16;           // between the darkest and the brightest cell
constexpr int fewest_bits = 12;              // that are set
constexpr int bands = 4;                     // of 32 bits: 3 different bits leave one of them equal
constexpr size_t most_compared = 500;

struct Grid {
    float luma[cells][cells] = {};
    float rgb[3] = {};
};

// Samples of a cell along a side.
int side_of(int64_t h, int64_t w) { return int(std::clamp<int64_t>(std::min(h, w) / cells, 2, most_samples)); }

// Of the rows of an image of height h: all of them, or those of rows_of_print.
template <class T>
Grid grid_of(const Image& image, int64_t h, bool all_rows, float low, float high) {
    using Sum = std::conditional_t<std::is_same_v<T, float>, double, int64_t>;
    const int side = side_of(h, image.w);
    const int across = cells * side, in_cell = side * side;
    int64_t columns[cells * most_samples];
    for (int s = 0; s < across; ++s) columns[s] = (2 * s + 1) * image.w / (2 * across) * image.c;
    const T* pixels = image.pixels<T>().data();
    const int64_t green = image.c >= 3 ? 1 : 0, blue = image.c >= 3 ? 2 : 0;
    Sum sums[cells][cells][3] = {};
    for (int sy = 0; sy < across; ++sy) {
        const int64_t y = all_rows ? (2 * sy + 1) * h / (2 * across) : sy;
        const T* row = pixels + y * image.w * image.c;
        for (int sx = 0; sx < across; ++sx) {
            const T* p = row + columns[sx];
            Sum* cell = sums[sy / side][sx / side];
            cell[0] += p[0], cell[1] += p[green], cell[2] += p[blue];
        }
    }
    const float scale = sizeof(T) == 1 ? 1 : high > low ? 255 / (high - low) : 0, zero = sizeof(T) == 1 ? 0 : low;
    Grid grid;
    for (int i = 0; i < cells * cells; ++i) {
        float rgb[3];
        for (int ch = 0; ch < 3; ++ch) {
            rgb[ch] = (float(sums[i / cells][i % cells][ch]) / float(in_cell) - zero) * scale;
            grid.rgb[ch] += rgb[ch] / (cells * cells);
        }
        grid.luma[i / cells][i % cells] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
    }
    return grid;
}

uint8_t level(float v) { return uint8_t(std::clamp(v + 0.5f, 0.f, 255.f)); }

// Bit k of a hash lies in band k % 4, so that a flat corner of the image makes no band of zeros.
uint32_t band_of(const ImagePrint& print, int band) {
    uint32_t out = 0;
    for (int word = 0; word < 2; ++word)
        for (int bit = 0; bit < 16; ++bit)
            out |= uint32_t(print.look[size_t(word)] >> (4 * bit + band) & 1) << (16 * word + bit);
    return out;
}

using Places = std::unordered_map<uint32_t, std::vector<uint32_t>>;  // of prints, by a band

void add_alike(std::span<const ImagePrint> first, std::span<const ImagePrint> second, std::vector<Twin>& found,
               std::vector<bool>& has_twin) {
    for (int band = 0; band < bands; ++band) {
        Places places;
        for (size_t i = 0; i < first.size(); ++i)
            if (first[i].has_look) places[band_of(first[i], band)].push_back(uint32_t(i));
        for (size_t k = 0; k < second.size(); ++k) {
            if (!second[k].has_look || has_twin[k]) continue;
            const auto at = places.find(band_of(second[k], band));
            if (at == places.end()) continue;
            const auto end = at->second.begin() + ptrdiff_t(std::min(at->second.size(), most_compared));
            const auto twin =
                std::find_if(at->second.begin(), end, [&](uint32_t i) { return look_alike(first[i], second[k]); });
            if (twin == end) continue;
            found.push_back({*twin, k, false});
            has_twin[k] = true;
        }
    }
}

ImagePrint print_of(const Grid& grid) {
    ImagePrint print;
    float darkest = 255, brightest = 0;
    for (int y = 0; y < cells; ++y)
        for (int x = 0; x < cells; ++x) {
            const float v = grid.luma[y][x];
            darkest = std::min(darkest, v), brightest = std::max(brightest, v);
            if (y < 8 && x < 8) {
                print.look[0] |= uint64_t(grid.luma[y][x + 1] > v + least_step) << (8 * y + x);
                print.look[1] |= uint64_t(grid.luma[y + 1][x] > v + least_step) << (8 * y + x);
            }
        }
    for (int block = 0; block < 9; ++block) {
        float sum = 0;
        for (int i = 0; i < 9; ++i) sum += grid.luma[3 * (block / 3) + i / 3][3 * (block % 3) + i % 3];
        print.tone[size_t(block)] = level(sum / 9);
    }
    for (int ch = 0; ch < 3; ++ch) print.tone[size_t(9 + ch)] = level(grid.rgb[ch]);
    print.has_look = brightest - darkest >= least_spread &&
                     std::popcount(print.look[0]) + std::popcount(print.look[1]) >= fewest_bits;
    return print;
}

}  // namespace

ImagePrint print_of(const Image& image, float low, float high) {
    return print_of(
        dispatch_pixels(image, [&](auto zero) { return grid_of<decltype(zero)>(image, image.h, true, low, high); }));
}

std::vector<int64_t> rows_of_print(int64_t h, int64_t w) {
    const int across = cells * side_of(h, w);
    std::vector<int64_t> rows;
    for (int64_t sy = 0; sy < across; ++sy) rows.push_back((2 * sy + 1) * h / (2 * across));
    return rows;
}

ImagePrint print_of_rows(const Image& rows, int64_t h, float low, float high) {
    return print_of(
        dispatch_pixels(rows, [&](auto zero) { return grid_of<decltype(zero)>(rows, h, false, low, high); }));
}

bool look_alike(const ImagePrint& a, const ImagePrint& b) {
    if (std::popcount(a.look[0] ^ b.look[0]) + std::popcount(a.look[1] ^ b.look[1]) > most_different_bits) return false;
    for (size_t i = 0; i < a.tone.size(); ++i)
        if (std::abs(int(a.tone[i]) - int(b.tone[i])) > most_different_tone) return false;
    return true;
}

std::vector<Twin> twins_between(std::span<const ImagePrint> first, std::span<const ImagePrint> second) {
    std::unordered_map<uint64_t, size_t> by_bytes;
    for (size_t i = 0; i < first.size(); ++i) by_bytes.emplace(first[i].bytes, i);
    std::vector<Twin> found;
    std::vector<bool> has_twin(second.size(), false);
    for (size_t k = 0; k < second.size(); ++k)
        if (const auto at = by_bytes.find(second[k].bytes); at != by_bytes.end()) {
            found.push_back({at->second, k, true});
            has_twin[k] = true;
        }
    add_alike(first, second, found, has_twin);
    std::sort(found.begin(), found.end(), [](const Twin& a, const Twin& b) {
        return std::pair(!a.equal, a.in_second) < std::pair(!b.equal, b.in_second);
    });
    return found;
}

std::vector<Twin> equal_files(std::span<const ImagePrint> prints) {
    std::unordered_map<uint64_t, size_t> seen;
    std::vector<Twin> found;
    for (size_t i = 0; i < prints.size(); ++i)
        if (const auto [at, fresh] = seen.emplace(prints[i].bytes, i); !fresh) found.push_back({at->second, i, true});
    return found;
}

}  // namespace atrous::data
