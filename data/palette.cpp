#include "data/palette.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>

#include "base/error.h"
#include "data/mask.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

constexpr int glyph_w = 3, glyph_h = 5;
constexpr std::string_view glyph_names = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:%/_=,";
// Five rows of three dots, the top row first, the left dot highest.
constexpr uint16_t glyphs[] = {
    0b010'101'111'101'101, 0b110'101'110'101'110, 0b011'100'100'100'011, 0b110'101'101'101'110, 0b111'100'110'100'111,
    0b111'100'110'100'100, 0b011'100'101'101'011, 0b101'101'111'101'101, 0b111'010'010'010'111, 0b001'001'001'101'010,
    0b101'101'110'101'101, 0b100'100'100'100'111, 0b101'111'111'101'101, 0b110'101'101'101'101, 0b010'101'101'101'010,
    0b110'101'110'100'100, 0b010'101'101'110'011, 0b110'101'110'101'101, 0b011'100'010'001'110, 0b111'010'010'010'010,
    0b101'101'101'101'111, 0b101'101'101'101'010, 0b101'101'111'111'101, 0b101'101'010'101'101, 0b101'101'010'010'010,
    0b111'001'010'100'111, 0b111'101'101'101'111, 0b010'110'010'010'111, 0b110'001'010'100'111, 0b110'001'010'001'110,
    0b101'101'111'001'001, 0b111'100'110'001'110, 0b011'100'111'101'111, 0b111'001'010'010'010, 0b111'101'111'101'111,
    0b111'101'111'001'110, 0b000'000'000'000'010, 0b000'000'111'000'000, 0b000'010'000'010'000, 0b101'001'010'100'101,
    0b001'001'010'100'100, 0b000'000'000'000'111, 0b000'111'000'111'000, 0b000'000'000'010'100};
static_assert(std::size(glyphs) == glyph_names.size());

void set_pixel(Image& image, int64_t y, int64_t x, uint32_t colour) {
    uint8_t* to = image.u8.data() + (y * image.w + x) * 3;
    to[0] = uint8_t(colour >> 16);
    to[1] = uint8_t(colour >> 8);
    to[2] = uint8_t(colour);
}

Image to_8bit(const Image& image) {
    if (!image.is_16bit()) return image;
    Image out = make_image<uint8_t>(image.h, image.w, image.c);
    for (size_t i = 0; i < image.u16.size(); ++i) out.u8[i] = uint8_t(image.u16[i] / 257);
    return out;
}

void paste(Image& sheet, const Image& cell, int64_t y, int64_t x) {
    for (int64_t r = 0; r < cell.h; ++r)
        std::copy_n(cell.u8.data() + r * cell.w * 3, cell.w * 3, sheet.u8.data() + ((y + r) * sheet.w + x) * 3);
}

}  // namespace

Palette voc_palette() {
    Palette palette(256, 0);
    for (uint32_t id = 0; id < 256; ++id)  // bits 0, 1, 2 of the id go to red, green, blue, highest bit first
        for (uint32_t bit = 0; bit < 8; ++bit)
            for (uint32_t channel = 0; channel < 3; ++channel)
                if (bit * 3 + channel < 8 && id >> (bit * 3 + channel) & 1)
                    palette[id] |= 1u << (7 - bit) << (8 * (2 - channel));
    return palette;
}

Palette mask_palette(int class_count) {
    Palette palette = voc_palette();
    if (class_count <= 2) palette[1] = 0xffffff;
    return palette;
}

Image colourize(const Image& labels, const Palette& palette) {
    require(labels.c == 1 && palette.size() == 256, "colourize: class ids and 256 colours");
    Image out = make_image<uint8_t>(labels.h, labels.w, 3);
    for (int64_t y = 0; y < labels.h; ++y)
        for (int64_t x = 0; x < labels.w; ++x) set_pixel(out, y, x, palette[labels.u8[size_t(y * labels.w + x)]]);
    return out;
}

Image overlay(const Image& image, const Image& labels, const Palette& palette, double opacity) {
    require(image.h == labels.h && image.w == labels.w, "overlay: image and mask of one size");
    require(labels.c == 1 && palette.size() == 256, "overlay: class ids and 256 colours");
    Image out = to_channels(to_8bit(image), 3);
    const int64_t h = labels.h, w = labels.w;
    const auto label = [&](int64_t y, int64_t x) {
        return labels.u8[size_t(std::clamp<int64_t>(y, 0, h - 1) * w + std::clamp<int64_t>(x, 0, w - 1))];
    };
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const uint8_t id = label(y, x);
            const bool edge =
                label(y - 1, x) != id || label(y + 1, x) != id || label(y, x - 1) != id || label(y, x + 1) != id;
            if (id == 0) continue;
            // White would wash the image out, so two-class masks are tinted green.
            const uint32_t tint = id == ignored_class ? 0x808080 : palette[id] == 0xffffff ? 0x20e060 : palette[id];
            const double weight = edge && id != ignored_class ? 1 : opacity;
            uint8_t* to = out.u8.data() + (y * w + x) * 3;
            for (int ch = 0; ch < 3; ++ch)
                to[ch] = uint8_t((1 - weight) * to[ch] + weight * (tint >> (16 - 8 * ch) & 255) + 0.5);
        }
    return out;
}

void draw_text(Image& image, int64_t y, int64_t x, const std::string& text, int scale, uint32_t colour) {
    require(image.c == 3 && !image.is_16bit(), "draw_text: an RGB image of 8 bits");
    for (unsigned char c : text) {
        const size_t at = glyph_names.find(char(std::toupper(c)));
        const uint32_t glyph = at == std::string_view::npos ? 0 : glyphs[at];
        for (int64_t r = 0; r < glyph_h * scale; ++r)
            for (int64_t s = 0; s < glyph_w * scale; ++s) {
                const int64_t dot = glyph_w * glyph_h - 1 - (r / scale * glyph_w + s / scale);
                const bool inside = y + r >= 0 && y + r < image.h && x + s >= 0 && x + s < image.w;
                if (inside && glyph >> dot & 1) set_pixel(image, y + r, x + s, colour);
            }
        x += (glyph_w + 1) * scale;
    }
}

Image contact_sheet(const std::vector<SheetRow>& rows, int class_count, int64_t cell_h) {
    require(!rows.empty() && cell_h > 0, "contact_sheet: at least one row");
    constexpr int64_t gap = 4, text_h = 18, columns = 4;
    constexpr uint32_t paper = 0xf4f4f4, ink = 0x303030;
    const auto cell_w_of = [&](const SheetRow& row) {
        return std::max<int64_t>(1, std::llround(double(row.image.w) * double(cell_h) / double(row.image.h)));
    };
    int64_t cell_w = 1;
    for (const auto& row : rows) cell_w = std::max(cell_w, cell_w_of(row));
    const int64_t row_h = cell_h + text_h + gap;
    Image sheet = make_image<uint8_t>(text_h + gap + int64_t(rows.size()) * row_h, gap + columns * (cell_w + gap), 3);
    for (int64_t i = 0; i < sheet.h * sheet.w; ++i) set_pixel(sheet, 0, i, paper);
    const char* headings[columns] = {"image", "truth", "prediction", "overlay"};
    for (int64_t k = 0; k < columns; ++k) draw_text(sheet, 6, gap + k * (cell_w + gap), headings[k], 2, ink);
    const Palette palette = mask_palette(class_count);
    int64_t y = text_h + gap;
    for (const auto& row : rows) {
        const Image image = to_channels(to_8bit(row.image), 3);
        const Image cells[columns] = {image, row.truth.h ? colourize(row.truth, palette) : Image{},
                                      colourize(row.prediction, palette), overlay(image, row.prediction, palette)};
        for (int64_t k = 0; k < columns; ++k) {
            if (cells[k].h == 0) continue;
            const bool mask = k == 1 || k == 2;
            paste(sheet,
                  mask ? resize_nearest(cells[k], cell_h, cell_w_of(row))
                       : resize_bilinear(cells[k], cell_h, cell_w_of(row)),
                  y, gap + k * (cell_w + gap));
        }
        draw_text(sheet, y + cell_h + 4, gap, row.caption, 2, ink);
        y += row_h;
    }
    return sheet;
}

}  // namespace atrous::data
