// The page of results: what stands where, its size for odd images, its legend.
#include "data/contact_sheet.h"

#include <algorithm>

#include "data/palette.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

const SheetClasses two{{"background", "foreground"}, {0x000000, 0xffffff}};
constexpr int64_t left = 16, pitch = 200;      // of the columns, on a page whose images are 192 wide
constexpr int64_t top = 16 + 2 * 20 + 8 + 20;  // of the first row: margin, two lines of legend, gap, headings
constexpr uint32_t paper = 0xfafafa;

Image labels(int64_t h, int64_t w, uint8_t id = 0) {
    Image image = make_image<uint8_t>(h, w, 1);
    std::fill(image.u8.begin(), image.u8.end(), id);
    return image;
}

// Of `id` inside the rectangle.
Image rectangle(int64_t x, int64_t w, uint8_t id = 1) {
    Image image = labels(192, 192);
    for (int64_t r = 50; r < 150; ++r)
        for (int64_t s = x; s < x + w; ++s) image.u8[size_t(r * 192 + s)] = id;
    return image;
}

SheetRow row_of(Image truth, Image prediction, const std::string& name = "one") {
    Image image = make_image<uint8_t>(prediction.h, prediction.w, 3);
    std::fill(image.u8.begin(), image.u8.end(), uint8_t(100));
    return {std::move(image), std::move(truth), std::move(prediction), name, "Dice 0.5000"};
}

uint32_t pixel(const Image& sheet, int64_t y, int64_t x) {
    const uint8_t* p = sheet.u8.data() + (y * sheet.w + x) * 3;
    return uint32_t(p[0] << 16 | p[1] << 8 | p[2]);
}

bool is_paper(const Image& sheet, int64_t y, int64_t x, int64_t h, int64_t w) {
    for (int64_t r = y; r < y + h; ++r)
        for (int64_t s = x; s < x + w; ++s)
            if (pixel(sheet, r, s) != paper) return false;
    return true;
}

// An image of one value tinted as overlays are.
uint32_t tinted(uint32_t colour) {
    uint32_t out = 0;
    for (int ch = 16; ch >= 0; ch -= 8) out = out << 8 | uint32_t(0.45 * 100 + 0.55 * (colour >> ch & 255) + 0.5);
    return out;
}

uint32_t colour_of(const LegendLine& line, const std::string& name) {
    for (const LegendEntry& entry : line.entries)
        if (entry.name == name) return entry.colour;
    ADD_FAILURE() << name << " is not in the legend";
    return 0;
}

std::string names_of(const LegendLine& line) {
    std::string names;
    for (const LegendEntry& entry : line.entries) names += entry.name + ";";
    return names + line.rest;
}

}  // namespace

TEST(ContactSheet, ShowsEveryCell) {
    SheetRow first = row_of(rectangle(40, 60), rectangle(70, 60));
    first.image = pattern(192, 192, 3);
    const Image sheet = contact_sheet({first, row_of({}, rectangle(70, 60))}, two);
    EXPECT_EQ(sheet.c, 3);
    EXPECT_EQ(sheet.w, 2 * left + 4 * 192 + 3 * 8);
    EXPECT_EQ(sheet.h, top + 2 * (192 + 20) + 12 + 16);
    const auto value = [](const Image& ids, int64_t p) { return ids.u8[size_t(p)] ? 0xffffffu : 0u; };
    for (int64_t y = 0; y < 192; ++y)
        for (int64_t x = 0; x < 192; ++x) {
            const int64_t p = y * 192 + x;
            ASSERT_EQ(pixel(sheet, top + y, left + x), pixel(first.image, y, x));
            ASSERT_EQ(pixel(sheet, top + y, left + pitch + x), value(first.truth, p));
            ASSERT_EQ(pixel(sheet, top + y, left + 2 * pitch + x), value(first.prediction, p));
        }
    const int64_t second = top + 192 + 20 + 12;
    EXPECT_TRUE(is_paper(sheet, second, left + pitch, 192, 192)) << "no truth";
    EXPECT_EQ(pixel(sheet, second + 60, left + 2 * pitch + 80), 0xffffffu);
    EXPECT_FALSE(is_paper(sheet, top + 194, left, 20, 60)) << "the name";
    EXPECT_FALSE(is_paper(sheet, top + 194, sheet.w - left - 60, 20, 60)) << "the score";
    EXPECT_TRUE(is_paper(sheet, 0, 0, sheet.h, left - 1) && is_paper(sheet, 0, sheet.w - left + 1, sheet.h, left - 1));
}

TEST(ContactSheet, TheOverlayOfTwoClassesTellsHitsFromErrors) {
    SheetRow row = row_of(rectangle(40, 60), rectangle(70, 60));
    for (int64_t p = 0; p < 20 * 192; ++p) row.truth.u8[size_t(p)] = 255;
    const Image sheet = contact_sheet({row}, two);
    const auto legend = legend_of({row}, two);
    ASSERT_EQ(legend.size(), 2u);
    const auto shown = [&](int64_t y, int64_t x) { return pixel(sheet, top + y, left + 3 * pitch + x); };
    EXPECT_EQ(shown(100, 55), tinted(colour_of(legend[1], "truth only")));
    EXPECT_EQ(shown(100, 85), tinted(colour_of(legend[1], "truth and prediction")));
    EXPECT_EQ(shown(100, 115), tinted(colour_of(legend[1], "prediction only")));
    EXPECT_EQ(shown(100, 150), 0x646464u);
    EXPECT_EQ(shown(10, 100), tinted(colour_of(legend[0], "ignored")));
    EXPECT_EQ(pixel(sheet, top + 10, left + pitch + 100), colour_of(legend[0], "ignored"));
}

TEST(ContactSheet, ImagesKeepTheirProportions) {
    const auto is = [](CellSize s, int64_t h, int64_t w) { return s.h == h && s.w == w; };
    EXPECT_TRUE(is(cell_size(1280, 1918), 128, 192));
    EXPECT_TRUE(is(cell_size(640, 320), 288, 144)) << "no higher than that";
    EXPECT_TRUE(is(cell_size(20, 10), 288, 144)) << "small ones are enlarged";
    EXPECT_TRUE(is(cell_size(1, 1), 192, 192));
    EXPECT_TRUE(is(cell_size(1, 4000), 1, 192));
    EXPECT_TRUE(is(cell_size(4000, 1), 288, 1));
    const int64_t line = 20, apart = 12, rest = top + 16;
    const auto page = [](std::vector<std::pair<int64_t, int64_t>> sizes) {
        std::vector<SheetRow> rows;
        for (const auto& [h, w] : sizes) rows.push_back(row_of(labels(h, w, 1), labels(h, w)));
        return contact_sheet(rows, two);
    };
    const Image mixed = page({{1, 4000}, {4000, 1}, {1, 1}, {1280, 1918}});
    EXPECT_EQ(mixed.w, 2 * left + 4 * 192 + 3 * 8);
    EXPECT_EQ(mixed.h, rest + 1 + 288 + 192 + 128 + 4 * line + 3 * apart);
    EXPECT_EQ(pixel(mixed, top, left + pitch), 0xffffffu) << "a row of one pixel is there";
    EXPECT_EQ(page({{4000, 1}}).w, 2 * left + 4 * 112 + 3 * 8) << "a narrow page";
}

// A large image shrinks by filtering, masks by taking pixels; what the net gave at another size is brought to it.
TEST(ContactSheet, FilteredImagesAndNearestMasks) {
    SheetRow row = row_of(labels(384, 384), labels(64, 64, 1));
    row.image = make_image<uint16_t>(384, 384, 4);
    for (size_t p = 0; p < 384 * 384; ++p) {
        std::fill_n(row.image.u16.begin() + int64_t(4 * p), 4, p % 2 ? uint16_t(65535) : uint16_t(0));
        row.truth.u8[p] = p % 2 ? 1 : 0;
    }
    const SheetRow small = fitted(row);
    for (const Image* image : {&small.image, &small.truth, &small.prediction}) {
        EXPECT_EQ(image->h, 192);
        EXPECT_EQ(image->w, 192);
    }
    EXPECT_EQ(small.image.c, 3);
    EXPECT_FALSE(small.image.is_16bit());
    EXPECT_NEAR(small.image.u8[3 * (100 * 192 + 100)], 127, 1);
    EXPECT_TRUE(std::all_of(small.truth.u8.begin(), small.truth.u8.end(), [](uint8_t id) { return id == 1; }));
    const SheetRow again = fitted(small);
    EXPECT_EQ(again.image.u8, small.image.u8);
    EXPECT_EQ(again.truth.u8, small.truth.u8);
}

TEST(ContactSheet, TheLegendNamesTwoClassesAndTheOverlay) {
    const auto legend = legend_of({row_of(labels(4, 4), labels(4, 4))}, two);
    ASSERT_EQ(legend.size(), 2u);
    EXPECT_EQ(names_of(legend[0]), "background;foreground;");
    EXPECT_EQ(names_of(legend[1]), "truth and prediction;truth only;prediction only;");
    const Image sheet = contact_sheet({row_of(labels(4, 4), labels(4, 4))}, two);
    for (const LegendLine& line : legend)
        for (const LegendEntry& entry : line.entries) {
            int64_t found = 0;
            for (int64_t y = 16; y < top - 28; ++y)
                for (int64_t x = left; x < sheet.w - left; ++x) found += pixel(sheet, y, x) == entry.colour;
            EXPECT_GE(found, 100) << "the swatch of " << entry.name;
        }
}

TEST(ContactSheet, TheLegendNamesThreeClasses) {
    const SheetClasses three{{"sky", "road", "tree"}, {0x102030, 0x405060, 0x708090}};
    const SheetRow row = row_of(rectangle(40, 60, 2), rectangle(70, 60, 1));
    const auto legend = legend_of({row}, three);
    ASSERT_EQ(legend.size(), 1u);
    EXPECT_EQ(names_of(legend[0]), "sky;road;tree;") << "all of them, there or not";
    EXPECT_EQ(colour_of(legend[0], "tree"), 0x708090u);
    const Image sheet = contact_sheet({row}, three);
    EXPECT_EQ(pixel(sheet, top - 20 + 100, left + pitch + 50), 0x708090u) << "one line of legend";
    EXPECT_EQ(pixel(sheet, top - 20 + 100, left + 3 * pitch + 100), tinted(0x405060)) << "the prediction's";
}

TEST(ContactSheet, OfManyClassesTheLegendNamesThosePresent) {
    SheetClasses many;
    for (int id = 0; id < 256; ++id) many.names.push_back("class " + std::to_string(id));
    SheetRow row = row_of(rectangle(40, 60, 200), rectangle(70, 60, 7));
    EXPECT_EQ(names_of(legend_of({row}, many)[0]), "class 0;class 7;class 200;and 252 more classes");
    row.truth.u8[0] = 255;
    EXPECT_EQ(names_of(legend_of({row}, many)[0]), "class 0;class 7;class 200;ignored;and 252 more classes");
    for (size_t p = 0; p < row.truth.u8.size(); ++p) row.truth.u8[p] = uint8_t(p % 256);
    const LegendLine line = legend_of({row}, many)[0];
    EXPECT_EQ(line.entries.size(), 24u + 1) << "no more than that, and the ignored";
    EXPECT_EQ(line.rest, "and 231 more classes");
    EXPECT_EQ(line.entries[1].name, "class 1");
    many.names[0] = std::string(255, 'w');
    EXPECT_EQ(contact_sheet({row}, many).w, 2 * left + 4 * 192 + 3 * 8);
}

TEST(ContactSheet, LongAndBrokenNamesStayInTheirPlace) {
    const Image plain = contact_sheet({row_of(labels(192, 192), labels(192, 192))}, two);
    std::string bytes;
    for (int b = 1; b < 256; ++b) bytes += char(b);
    for (const std::string& name : {std::string(255, 'w'), bytes, std::string(255, '\xff'), std::string()}) {
        const Image sheet = contact_sheet({row_of(labels(192, 192), labels(192, 192), name)}, two);
        ASSERT_EQ(sheet.w, plain.w);
        ASSERT_EQ(sheet.h, plain.h);
        const int64_t score = plain.w - left - 80;  // it stands right of this
        for (int64_t y = 0; y < sheet.h; ++y)
            for (int64_t x = 0; x < sheet.w; ++x)
                if (y < top + 192 || x < left || x >= score) {
                    ASSERT_EQ(pixel(sheet, y, x), pixel(plain, y, x)) << y << " " << x;
                }
    }
}

}  // namespace atrous::data::test
