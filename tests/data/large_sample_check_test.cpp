// Samples that are looked at row by row: the same facts as of whole ones.
#include "data/large_sample_check.h"

#include "data/mask_rows.h"
#include "data/transform.h"
#include "png_bytes.h"
#include "sets.h"
#include "tiff_bytes.h"

namespace atrous::data::test {

namespace {

Image values(int64_t h, int64_t w, const std::vector<uint8_t>& of) {
    Image mask = make_image<uint8_t>(h, w, 1);
    for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = of[(i / 7 + i * i / 31) % of.size()];
    return mask;
}

// A PNG of 90 everywhere, whose alpha depends on the row. Stored blocks of deflate hold a row each.
std::vector<uint8_t> gray_and_alpha_png(uint32_t h, uint32_t w, const std::function<uint8_t(int64_t)>& alpha) {
    std::vector<uint8_t> png = encode_png(make_image<uint8_t>(h, w, 1)), data{0x78, 1};
    uint32_t a = 1, b = 0;  // of Adler-32
    for (uint32_t y = 0; y < h; ++y) {
        std::vector<uint8_t> row{0};
        for (uint32_t x = 0; x < w; ++x) row.insert(row.end(), {90, alpha(y)});
        const auto n = uint16_t(row.size());
        const uint8_t last = y + 1 == h;
        data.insert(data.end(), {last, uint8_t(n), uint8_t(n >> 8), uint8_t(~n), uint8_t(~n >> 8)});
        data.insert(data.end(), row.begin(), row.end());
        for (const uint8_t byte : row) a = (a + byte) % 65521, b = (b + a) % 65521;
    }
    data.resize(data.size() + 4);
    put_big32(data, data.size() - 4, b << 16 | a);
    const size_t header = find_chunk(png, "IHDR");
    png[header + 8 + 9] = 4;  // gray with alpha
    put_crc(png, header);
    png.resize(find_chunk(png, "IDAT"));
    const std::vector<uint8_t> end{0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
    png.insert(png.end(), end.begin(), end.end());
    return with_chunk(std::move(png), "IDAT", data, "IEND");
}

void expect_same(const SampleFacts& rows, const SampleFacts& whole) {
    EXPECT_EQ(rows.problem, whole.problem);
    EXPECT_EQ(rows.image.h, whole.image.h);
    EXPECT_EQ(rows.image.w, whole.image.w);
    EXPECT_EQ(rows.image.c, whole.image.c);
    EXPECT_EQ(rows.image.bands, whole.image.bands);
    EXPECT_EQ(rows.image.deep, whole.image.deep);
    EXPECT_EQ(rows.image.low, whole.image.low);
    EXPECT_EQ(rows.image.high, whole.image.high);
    EXPECT_EQ(rows.print.look, whole.print.look);
    EXPECT_EQ(rows.print.tone, whole.print.tone);
    EXPECT_EQ(rows.print.has_look, whole.print.has_look);
    EXPECT_EQ(rows.all_values, whole.all_values);
    EXPECT_EQ(rows.paletted, whole.paletted);
    EXPECT_EQ(rows.soft, whole.soft);
    EXPECT_EQ(rows.alpha_mask, whole.alpha_mask);
    ASSERT_EQ(rows.values.size(), whole.values.size());
    for (size_t i = 0; i < rows.values.size(); ++i) {
        const RawValue &a = rows.values[i], &b = whole.values[i];
        EXPECT_EQ(std::tuple(a.value, a.count, a.x, a.y, a.colour), std::tuple(b.value, b.count, b.x, b.y, b.colour));
    }
}

}  // namespace

TEST(LargeSamples, HaveTheFactsOfWholeOnes) {
    TempDir dir;
    std::vector<uint8_t> many(200);
    for (size_t i = 0; i < many.size(); ++i) many[i] = uint8_t(i);
    Image colours = pattern(150, 90, 3);
    std::fill_n(colours.u8.begin(), 3 * 90 * 80, uint8_t(40));  // gray rows above others
    for (size_t i = 3 * 90 * 80; i < colours.u8.size(); ++i) colours.u8[i] = uint8_t(colours.u8[i] & 0xc0);
    const std::vector<std::pair<Image, Palette>> masks{{values(150, 90, {0, 1, 255}), {}},
                                                       {values(150, 90, {0, 0, 0, 255, 255, 90, 140, 200}), {}},
                                                       {values(150, 90, {0, 1, 2}), {0, 0xff0000, 0x00ff00}},
                                                       {values(150, 90, many), {}},
                                                       {colours, {}}};
    save_png(dir / "deep.png", [] {
        Image image = make_image<uint16_t>(150, 90, 1);
        for (size_t i = 0; i < image.u16.size(); ++i) image.u16[i] = uint16_t(300 + i * 3);
        return image;
    }());
    save_png(dir / "colour.png", pattern(150, 90, 3));
    for (size_t i = 0; i < masks.size(); ++i) {
        const std::string mask = dir / ("mask" + std::to_string(i) + ".png");
        save_png(mask, masks[i].first, masks[i].second);
        for (const char* image : {"deep.png", "colour.png"})
            for (const char* rule : {"auto", "ids", "binary:3"}) {
                SCOPED_TRACE(mask + " " + image + " " + rule);
                const Sample sample{dir / image, mask, "x"};
                EXPECT_FALSE(is_large(sample));
                expect_same(look_at_rows(sample, parse_mask_rule(rule)), look_at(sample, parse_mask_rule(rule)));
            }
    }
}

TEST(LargeSamples, HaveAllPixelsOfMasksOfManyLevels) {
    TempDir dir;
    save_png(dir / "image.png", pattern(150, 90, 3));
    Image levels = make_image<uint16_t>(150, 90, 1), colours = make_image<uint8_t>(150, 90, 3);
    for (size_t i = 0; i < levels.u16.size(); ++i) levels.u16[i] = uint16_t(3 * i);
    for (size_t i = 3 * 64 * 90; i < colours.u8.size(); ++i)  // gray rows above others
        colours.u8[i] = uint8_t(i % 3 == 0 ? i / 3 % 100 : i % 3 == 1 ? i / 300 % 256 : i / 7 % 256);
    save_png(dir / "levels.png", levels);
    save_png(dir / "colours.png", colours);
    for (const auto& [mask, rule] : {std::pair{"levels.png", "binary:30000"},
                                     {"levels.png", "40000=1,*=0"},
                                     {"levels.png", "ids"},
                                     {"colours.png", "binary:100"},
                                     {"colours.png", "#000000,#403020,within=90"}}) {
        SCOPED_TRACE(std::string(mask) + " " + rule);
        const Sample sample{dir / "image.png", dir / mask, "x"};
        const SampleFacts rows = look_at_rows(sample, parse_mask_rule(rule));
        EXPECT_FALSE(rows.all_values);
        expect_same(rows, look_at(sample, parse_mask_rule(rule)));
    }
}

TEST(LargeSamples, SeeAnAlphaThatChangesBetweenRows) {
    TempDir dir;
    save_png(dir / "image.png", pattern(128, 90, 3));
    Image rgba = make_image<uint8_t>(128, 90, 4);
    for (size_t i = 0; i < rgba.u8.size(); ++i) rgba.u8[i] = i % 4 < 3 || i / 4 < 64 * 90 ? 200 : 7;
    save_png(dir / "rgba.png", rgba);
    const std::vector<uint8_t> gray = gray_and_alpha_png(128, 90, [](int64_t y) { return uint8_t(y < 64 ? 9 : 255); });
    write_file(dir / "gray.png", gray);
    for (const char* mask : {"rgba.png", "gray.png"}) {
        const Sample sample{dir / "image.png", dir / mask, "x"};
        const MaskRule rule = parse_mask_rule("auto");
        EXPECT_TRUE(look_at(sample, rule).alpha_mask) << mask;
        EXPECT_TRUE(look_at_rows(sample, rule).alpha_mask) << mask;
    }
}

TEST(LargeSamples, MayHaveASmallFirstBand) {
    TempDir dir;
    save_png(dir / "small.png", pattern(10, 10, 1));
    const auto draw = [&](const char* name, uint32_t side, int bits, uint16_t format) {
        TIFF* tiff = TIFFOpen((dir / name).c_str(), "w");
        set_tags(tiff, {.h = side, .w = side, .bits = bits, .format = format, .compression = COMPRESSION_LZW});
        std::vector<uint8_t> row(size_t(side) * size_t(bits / 8));
        for (uint32_t y = 0; y < side; ++y) {
            for (size_t x = 0; x < row.size(); ++x) row[x] = uint8_t(x / 100 * (y + 1));
            TIFFWriteScanline(tiff, row.data(), y, 0);
        }
        TIFFClose(tiff);
    };
    draw("pixels.tif", 8200, 8, SAMPLEFORMAT_UINT);
    draw("bytes.tif", 3000, 32, SAMPLEFORMAT_IEEEFP);
    const auto is_large_with = [&](const std::string& last, size_t bands) {
        Sample sample{dir / "small.png", "", "x"};
        sample.bands.assign(bands, dir / "small.png");
        sample.bands.back() = dir / last;
        return is_large(sample);
    };
    EXPECT_TRUE(is_large_with("pixels.tif", 2));
    EXPECT_FALSE(is_large_with("small.png", 16));
    EXPECT_TRUE(is_large_with("bytes.tif", 16)) << "9 million pixels of 64 bytes";
    EXPECT_FALSE(is_large_with("bytes.tif", 13)) << "of 52 bytes";
}

TEST(LargeSamples, LabelsByRowsAreThoseOfWholeMasks) {
    TempDir dir;
    const Image ids = values(97, 61, {0, 1, 2, 255});
    save_png(dir / "png.png", ids, Palette(256, 0x102030));
    write_file(dir / "tiles.tif", encode_tiff({.h = 97, .w = 61, .tiles = true}, ids.u8));
    write_file(dir / "bits.tif",
               encode_tiff({.h = 97, .w = 61, .bits = 8, .photometric = PHOTOMETRIC_MINISWHITE}, ids.u8));
    save_png(dir / "image.png", pattern(97, 61, 3));
    const MaskRule rule = parse_mask_rule("0=0,1=1,2=2,253=2,254=1,255=ignore");
    for (const char* file : {"png.png", "tiles.tif", "bits.tif"})
        for (const ImageSize size : {ImageSize(97, 61), ImageSize(40, 30), ImageSize(200, 111)}) {
            const Sample sample{dir / "image.png", dir / file, "x"};
            const Image whole = resize_nearest(apply_mask_rule(rule, load_mask(sample, 97, 61), sample.mask_path),
                                               size.height, size.width);
            LabelRows rows(MaskRows(sample, 97, 61), rule, {97, 61}, size, {0, size.width});
            std::vector<uint8_t> joined;
            for (int64_t y = 0; y < size.height; y += 7) {
                const Image some = rows.next(std::min<int64_t>(7, size.height - y));
                joined.insert(joined.end(), some.u8.begin(), some.u8.end());
            }
            EXPECT_EQ(joined, whole.u8) << file << " " << size.height;
            for (const Columns columns : {Columns{0, 9}, {9, 1}, {10, size.width - 10}})
                EXPECT_EQ(LabelRows(MaskRows(sample, 97, 61), rule, {97, 61}, size, columns).next(size.height).u8,
                          crop(whole, 0, columns.first, size.height, columns.count).u8)
                    << file << " " << size.width << " wide, from column " << columns.first;
        }
    const Sample odd{dir / "image.png", dir / "png.png", "x"};
    const auto allowed = parse_mask_rule("0=0,1=1,255=ignore");
    const auto column_of_2 = [&](Columns columns) -> std::string {
        try {
            LabelRows(MaskRows(odd, 97, 61), allowed, {97, 61}, {97, 61}, columns).next(1);
        } catch (const DataError& e) {
            return e.what();
        }
        return "";
    };
    const auto first = int64_t(std::find(ids.u8.begin() + 20, ids.u8.begin() + 61, 2) - ids.u8.begin());
    ASSERT_LT(first, 61);
    EXPECT_NE(column_of_2({20, 41}).find("pixel (" + std::to_string(first) + ", 0)"), std::string::npos)
        << column_of_2({20, 41}) << ": by its place in the file";
    expect_error(
        [&] {
            MaskRows(Sample{dir / "image.png", dir / "png.png", "x"}, 96, 61);
        },
        {"the mask is 61x97, but its image"});
}

TEST(LargeSamples, AreFoundBeforeTheyAreDecodedAndDoNotTrain) {
    TempDir dir;
    // 16385 x 16385 pixels of nothing, in rows that LZW makes small.
    const uint32_t side = 16385;
    TIFF* tiff = TIFFOpen((dir / "images/a.tif").c_str(), "w8");
    TiffForm form{.h = side, .w = side, .bits = 8, .compression = COMPRESSION_LZW};
    set_tags(tiff, form);
    TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 64);
    std::vector<uint8_t> row(side);
    for (uint32_t y = 0; y < side; ++y) {
        for (uint32_t x = 0; x < side; ++x) row[x] = uint8_t((x < 10000 ? 0 : 100) + y / 1000);
        TIFFWriteScanline(tiff, row.data(), y, 0);
    }
    TIFFClose(tiff);
    fs::create_directories(dir.path() / "masks");
    fs::copy(dir / "images/a.tif", dir / "masks/a.tif");
    const std::vector<Sample> samples = find(dir, [](DatasetOptions& o) { o.val_fraction = 0; }).train;
    EXPECT_TRUE(is_large(samples[0]));
    CheckOptions options;
    options.rule = parse_mask_rule("binary:100");
    expect_error([&] { check_dataset(samples, options); }, {"a.tif: 16385x16385 pixels exceed the limit"});
    options.by_rows = true;
    const DatasetReport report = check_dataset(samples, options);
    EXPECT_EQ(report.max_h, side);
    EXPECT_EQ(report.pixels[0] + report.pixels[1], int64_t(side) * side);
    EXPECT_EQ(report.pixels[0], 10000LL * side) << "columns below 10,000 have less than 100";
}

}  // namespace atrous::data::test
