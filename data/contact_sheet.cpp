#include "data/contact_sheet.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "data/font.h"
#include "data/mask.h"
#include "data/palette.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

constexpr int64_t margin = 16, gap = 8, line_height = 20, row_gap = 12, swatch = 12, min_column = 112;
constexpr double text_size = 12.8;  // small letters are 7 pixels high, capitals 9
constexpr int64_t capitals = 9;
constexpr uint32_t paper = 0xfafafa, ink = 0x202020, faint_ink = 0x707070, hairline = 0xd0d0d0;

// In the overlay of two classes; told apart with red-green blindness too.
constexpr uint32_t agreed = 0x00c48c, missed = 0x3c8cff, invented = 0xff6a13, ignored = 0xe0e0c0;
constexpr double opacity = 0.55;
enum Agreement : uint8_t { neither, both, truth_only, prediction_only, not_counted };

Palette palette_of(const SheetClasses& classes) {
    Palette palette = mask_palette(int(classes.names.size()));
    std::copy_n(classes.colours.begin(), std::min(classes.colours.size(), palette.size()), palette.begin());
    palette[ignored_class] = ignored;
    return palette;
}

Image agreement(const SheetRow& row) {
    const Image& shown = row.prediction.h ? row.prediction : row.truth;
    Image out = make_image<uint8_t>(shown.h, shown.w, 1);
    for (size_t i = 0; i < out.u8.size(); ++i) {
        const uint8_t truth = row.truth.h ? row.truth.u8[i] : 0;
        const bool object = shown.u8[i] != 0;
        out.u8[i] = truth == ignored_class ? not_counted
                    : truth != 0           ? (object ? both : truth_only)
                                           : (object ? prediction_only : neither);
    }
    return out;
}

bool has_prediction(const std::vector<SheetRow>& rows) {
    return std::any_of(rows.begin(), rows.end(), [](const SheetRow& row) { return row.prediction.h > 0; });
}

// On the image in gray, whose own colours would mix with those of the legend.
Image overlay_of(const SheetRow& row, const SheetClasses& classes, const Palette& palette) {
    const Image gray = to_channels(to_channels(row.image, 1), 3);
    if (classes.names.size() > 2) return overlay(gray, row.prediction.h ? row.prediction : row.truth, palette, opacity);
    Palette colours(256, 0);  // of an Agreement
    colours[both] = agreed;
    colours[truth_only] = missed;
    colours[prediction_only] = invented;
    colours[not_counted] = ignored;
    return overlay(gray, agreement(row), colours, opacity);
}

// ---- drawing

void fill(Image& sheet, int64_t y, int64_t x, int64_t h, int64_t w, uint32_t colour) {
    for (int64_t r = y; r < y + h; ++r)
        for (int64_t s = x; s < x + w; ++s)
            for (int ch = 0; ch < 3; ++ch)
                sheet.u8[size_t((r * sheet.w + s) * 3 + ch)] = uint8_t(colour >> (16 - 8 * ch));
}

// With a thin frame around it, so that what is as white as the paper is seen to be there.
void paste(Image& sheet, const Image& cell, int64_t y, int64_t x) {
    fill(sheet, y - 1, x - 1, cell.h + 2, cell.w + 2, hairline);
    for (int64_t r = 0; r < cell.h; ++r)
        std::copy_n(cell.u8.data() + r * cell.w * 3, cell.w * 3, sheet.u8.data() + ((y + r) * sheet.w + x) * 3);
}

// `y` is the upper edge of a line.
void write(Image& sheet, int64_t y, int64_t x, const std::string& text, uint32_t colour) {
    draw_text(sheet, y + (line_height + capitals) / 2, x, text, text_size, colour);
}

int64_t width_of(const std::string& text) { return int64_t(std::ceil(text_width(text, text_size))); }

// ---- the legend: titles in a column, entries in others of one width

struct LegendWord {
    int64_t y, x;
    std::string text;
    uint32_t colour;
    bool has_swatch;
};
constexpr int64_t beside_swatch = swatch + 6;

// Its words, and the height that they take of a page of this width inside its margins.
std::pair<std::vector<LegendWord>, int64_t> lay_out(const std::vector<LegendLine>& legend, int64_t width) {
    constexpr int64_t space = 18, longest = 168;
    const auto shown = [](const std::string& name) { return shortened(name, text_size, longest); };
    int64_t indent = 0, pitch = 1;
    for (const LegendLine& line : legend) {
        indent = std::max(indent, width_of(line.title) + space);
        for (const LegendEntry& entry : line.entries)
            pitch = std::max(pitch, beside_swatch + width_of(shown(entry.name)) + space);
        pitch = std::max(pitch, width_of(line.rest) + space);
    }
    const int64_t across = std::max<int64_t>(1, (width - indent + space) / pitch);
    std::vector<LegendWord> words;
    int64_t y = 0;
    for (const LegendLine& line : legend) {
        words.push_back({y, 0, line.title, faint_ink, false});
        int64_t count = 0;
        const auto put = [&](const std::string& text, uint32_t colour, bool has_swatch) {
            words.push_back(
                {y + count / across * line_height, indent + count % across * pitch, text, colour, has_swatch});
            ++count;
        };
        for (const LegendEntry& entry : line.entries) put(shown(entry.name), entry.colour, true);
        if (!line.rest.empty()) put(line.rest, faint_ink, false);
        y += (count + across - 1) / across * line_height;
    }
    return {words, y};
}

void draw(Image& sheet, int64_t top, const std::vector<LegendWord>& legend) {
    for (const LegendWord& word : legend) {
        const int64_t y = top + word.y, x = margin + word.x;
        if (!word.has_swatch) {
            write(sheet, y, x, word.text, word.colour);
            continue;
        }
        const int64_t upper = y + (line_height - swatch) / 2;
        fill(sheet, upper, x, swatch, swatch, hairline);
        fill(sheet, upper + 1, x + 1, swatch - 2, swatch - 2, word.colour);
        write(sheet, y, x + beside_swatch, word.text, ink);
    }
}

void draw(Image& sheet, int64_t y, int64_t column, const SheetRow& row, const SheetClasses& classes, bool predicted) {
    const Palette palette = palette_of(classes);
    std::vector<Image> cells{row.image, row.truth.h ? colourize(row.truth, palette) : Image{}};
    if (predicted) cells.push_back(row.prediction.h ? colourize(row.prediction, palette) : Image{});
    if (row.truth.h || row.prediction.h) cells.push_back(overlay_of(row, classes, palette));
    for (size_t k = 0; k < cells.size(); ++k)
        if (cells[k].h) paste(sheet, cells[k], y, margin + int64_t(k) * (column + gap));
    const int64_t right = sheet.w - margin, score_w = width_of(row.score), below = y + row.image.h + 2;
    write(sheet, below, margin, shortened(row.name, text_size, double(right - margin - score_w - 2 * gap)), ink);
    write(sheet, below, right - score_w, row.score, ink);
}

// Pixels by class, of all rows.
std::array<int64_t, 256> pixels_of(const std::vector<SheetRow>& rows) {
    std::array<int64_t, 256> pixels{};
    for (const SheetRow& row : rows)
        for (const Image* ids : {&row.truth, &row.prediction})
            for (uint8_t id : ids->u8) ++pixels[id];
    return pixels;
}

// The classes that the legend names, in their order.
std::vector<size_t> named_classes(const std::array<int64_t, 256>& pixels, size_t count) {
    constexpr size_t all_up_to = 12, most = 24;
    std::vector<size_t> ids;
    for (size_t id = 0; id < count; ++id)
        if (count <= all_up_to || pixels[id] > 0) ids.push_back(id);
    if (ids.size() <= most) return ids;
    std::stable_sort(ids.begin(), ids.end(), [&](size_t a, size_t b) { return pixels[a] > pixels[b]; });
    ids.resize(most);
    std::sort(ids.begin(), ids.end());
    return ids;
}

}  // namespace

CellSize cell_size(int64_t h, int64_t w) {
    require(h > 0 && w > 0, "cell_size: a positive size");
    const double scale = std::min(double(cell_width) / double(w), double(cell_height) / double(h));
    const auto scaled = [scale](int64_t pixels) { return std::max<int64_t>(1, std::llround(double(pixels) * scale)); };
    return {scaled(h), scaled(w)};
}

SheetRow fitted(SheetRow row) {
    const auto [h, w] = cell_size(row.image.h, row.image.w);
    row.image = to_8bit_rgb(resize_bilinear(row.image, h, w), row.range);
    row.range = {};
    if (row.truth.h) row.truth = resize_nearest(row.truth, h, w);
    if (row.prediction.h) row.prediction = resize_nearest(row.prediction, h, w);
    return row;
}

std::vector<LegendLine> legend_of(const std::vector<SheetRow>& rows, const SheetClasses& classes) {
    const Palette palette = palette_of(classes);
    const std::array<int64_t, 256> pixels = pixels_of(rows);
    const size_t count = std::min(classes.names.size(), size_t(max_classes));
    std::vector<LegendLine> legend{{count > 2 ? "classes" : "masks", {}, ""}};
    const std::vector<size_t> ids = named_classes(pixels, count);
    for (size_t id : ids) legend[0].entries.push_back({classes.names[id], palette[id]});
    if (pixels[ignored_class]) legend[0].entries.push_back({"ignored", ignored});
    if (const size_t others = count - ids.size())
        legend[0].rest = fmt::format("and {} more class{}", others, others == 1 ? "" : "es");
    if (count <= 2 && !has_prediction(rows))
        legend.push_back({"overlay", {{count == 2 ? classes.names[1] : "object", agreed}}, ""});
    else if (count <= 2)
        legend.push_back(
            {"overlay", {{"truth and prediction", agreed}, {"truth only", missed}, {"prediction only", invented}}, ""});
    return legend;
}

Image contact_sheet(const std::vector<SheetRow>& given, const SheetClasses& classes) {
    require(!given.empty(), "contact_sheet: at least one row");
    std::vector<SheetRow> rows;
    int64_t column = min_column, height = 0;
    for (const SheetRow& row : given) {
        rows.push_back(fitted(row));
        column = std::max(column, rows.back().image.w);
        height += rows.back().image.h + line_height + row_gap;
    }
    const bool predicted = has_prediction(rows);
    const std::vector<std::string> headings = predicted
                                                  ? std::vector<std::string>{"image", "truth", "prediction", "overlay"}
                                                  : std::vector<std::string>{"image", "mask", "overlay"};
    const auto columns = int64_t(headings.size());
    const int64_t inside = columns * column + (columns - 1) * gap;
    const auto [legend, legend_h] = lay_out(legend_of(rows, classes), inside);
    const int64_t first = margin + legend_h + gap + line_height;
    Image sheet = make_image<uint8_t>(first + height - row_gap + margin, inside + 2 * margin, 3);
    fill(sheet, 0, 0, sheet.h, sheet.w, paper);
    draw(sheet, margin, legend);
    for (int64_t k = 0; k < columns; ++k)
        write(sheet, first - line_height, margin + k * (column + gap), headings[size_t(k)], faint_ink);
    int64_t y = first;
    for (const SheetRow& row : rows) {
        draw(sheet, y, column, row, classes, predicted);
        y += row.image.h + line_height + row_gap;
    }
    return sheet;
}

}  // namespace atrous::data
