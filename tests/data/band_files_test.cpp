// Images whose channels are files: which files belong together, in which order, and what is refused.
#include "data/band_files.h"

#include "data/band_names.h"
#include "data/sample_check.h"
#include "data/transform.h"
#include "layout_rows.h"

namespace atrous::data::test {

namespace {

Image band(int64_t h, int64_t w, int number) {
    Image image = make_image<uint16_t>(h, w, 1);
    for (size_t i = 0; i < image.u16.size(); ++i) image.u16[i] = uint16_t(1000 * number + 7 * int(i));
    return image;
}

// Names with a star for the band.
void draw_tiles(TempDir& d, const std::vector<std::string>& tiles, const Names& bands) {
    for (const std::string& tile : tiles)
        for (const std::string& name : bands) {
            std::string path = tile;
            path.replace(path.find('*'), 1, name);
            save_png(d / path, band(6, 8, int(tile.size() + name.size())));
        }
}

void draw_masks(TempDir& d, const Names& names) {
    for (const std::string& name : names) add_mask(d / ("masks/" + name + ".png"));
}

auto has_bands(size_t train, const Names& bands, const std::string& first) {
    return [=](const Read& r) {
        EXPECT_EQ(r.dataset.train.size() + r.dataset.val.size(), train);
        EXPECT_EQ(r.dataset.bands, bands);
        EXPECT_EQ(r.report.channels, int(bands.size()));
        EXPECT_EQ(r.report.deep_images, int64_t(train));
        EXPECT_EQ(r.dataset.train[0].name, first);
        EXPECT_EQ(r.dataset.train[0].bands.size(), bands.size());
        EXPECT_TRUE(r.notes("channels are in this order: ")) << "what was guessed is said";
    };
}

const auto no_split = [](DatasetOptions& o) { o.val_fraction = 0; };

std::function<void(DatasetOptions&)> given(const std::string& images, const std::string& bands) {
    return [=](DatasetOptions& o) { o.images = images, o.masks = "masks", o.bands = bands, o.val_fraction = 0; };
}

}  // namespace

TEST(BandFiles, AreFoundByTheirNamesOrAsAskedFor) {
    run_rows({
        {"Sentinel-2, a file a band, by numbers",
         [](TempDir& d) {
             draw_tiles(d, {"images/T31_2020_*_10m.png", "images/T32_2020_*_10m.png"}, {"B8A", "B03", "B08", "B11"});
             draw_masks(d, {"T31_2020", "T32_2020"});
         },
         has_bands(2, {"B03", "B08", "B8A", "B11"}, "images/T31_2020"),
         {},
         no_split},
        {"Landsat, capitals and no leading zeros",
         [](TempDir& d) {
             draw_tiles(d, {"images/LC08_190031_SR_*.png", "images/LC08_190032_SR_*.png"}, {"B10", "B2", "B5"});
             draw_masks(d, {"LC08_190031_SR", "LC08_190032_SR"});
         },
         has_bands(2, {"B2", "B5", "B10"}, "images/LC08_190031_SR"),
         {},
         no_split},
        {"a folder a band",
         [](TempDir& d) {
             draw_tiles(d, {"images/*/a.png", "images/*/b.png"}, {"B02", "B04"});
             draw_masks(d, {"a", "b"});
         },
         has_bands(2, {"B02", "B04"}, "images/a"),
         {},
         no_split},
        {"a folder an image",
         [](TempDir& d) {
             draw_tiles(d, {"images/a/*.png", "images/b/*.png"}, {"band1", "band2"});
             draw_masks(d, {"a", "b"});
         },
         has_bands(2, {"band1", "band2"}, "images/a"),
         {},
         no_split},
        {"parts of the data set have the same bands",
         [](TempDir& d) {
             draw_tiles(d, {"train/images/a_*.png", "val/images/b_*.png"}, {"B1", "B2"});
             add_mask(d / "train/masks/a.png"), add_mask(d / "val/masks/b.png");
         },
         has_bands(2, {"B1", "B2"}, "train/images/a")},
        {"words of one's own, another order",
         [](TempDir& d) {
             draw_tiles(d, {"x_*.png", "y_*.png"}, {"nir", "red", "qa"});
             draw_masks(d, {"x", "y"});
         },
         [](const Read& r) {
             has_bands(2, {"red", "nir"}, "x")(r);
             EXPECT_TRUE(r.notes("2 files have none of the bands' names")) << "qa";
             EXPECT_TRUE(r.dataset.train[0].bands[0].ends_with("x_red.png"));
         },
         {},
         given("*.png", "red,nir")},
        {"the band's word in the folder and in the name",
         [](TempDir& d) {
             for (const char* band : {"2", "4"})
                 draw_tiles(d, {std::string("images/B0") + band + "/a_*.png"}, {std::string("b") + band});
             draw_masks(d, {"a"});
         },
         has_bands(1, {"B02", "B04"}, "images/a"),
         {},
         no_split},
        {"files among them that are no bands",
         [](TempDir& d) {
             draw_tiles(d, {"images/a_*.png"}, {"B1", "B2", "B3", "TCI", "QA_PIXEL"});
             draw_masks(d, {"a"});
         },
         [](const Read& r) {
             has_bands(1, {"B1", "B2", "B3"}, "images/a")(r);
             EXPECT_TRUE(r.notes("2 files have none of the bands' names and are passed over: "));
         },
         {},
         no_split},
        {"one band is one channel",
         [](TempDir& d) {
             draw_tiles(d, {"images/a_*.png"}, {"B1", "B2"});
             draw_masks(d, {"a"});
         },
         has_bands(1, {"B2"}, "images/a"),
         {},
         [](DatasetOptions& o) { o.bands = "B2", o.val_fraction = 0; }},
        {"some of those that the layout found",
         [](TempDir& d) {
             draw_tiles(d, {"images/a_*.png"}, {"B1", "B2", "B3"});
             draw_masks(d, {"a"});
         },
         has_bands(1, {"B3", "B01"}, "images/a"),
         {},
         [](DatasetOptions& o) { o.bands = "B3,B01", o.val_fraction = 0; }},
        {"wells of a plate are images, for their masks have the words too",
         [](TempDir& d) {
             draw_tiles(d, {"images/plate_*.png", "masks/plate_*.png"}, {"B02", "B03"});
         },
         [](const Read& r) {
             EXPECT_TRUE(r.dataset.bands.empty());
             EXPECT_EQ(r.dataset.train.size(), 2u);
         },
         {},
         no_split,
         "binary:3000"},
    });
}

TEST(BandFiles, AreRefusedInOneLine) {
    const auto two = [](TempDir& d) {
        draw_tiles(d, {"images/a_*.png", "images/b_*.png"}, {"B1", "B2"});
        draw_masks(d, {"a", "b"});
    };
    run_rows({
        {"missing of some images",
         [&](TempDir& d) {
             two(d);
             fs::remove(d / "images/b_B1.png");
         },
         {},
         {"images lack bands: b (no B1)", "`bands`"}},
        {"twice",
         [&](TempDir& d) {
             two(d);
             save_png(d / "images/a_B1_20m.png", band(6, 8, 1));
         },
         {},
         {"a_B1", "are both the band B1 of one image", "`images`"}},
        {"of another size",
         [&](TempDir& d) {
             two(d);
             save_png(d / "images/b_B2.png", band(5, 8, 1));
         },
         {},
         {"b_B2.png: 8x5 pixels", "has 8x6", "resample it"}},
        {"of another type",
         [&](TempDir& d) {
             two(d);
             save_png(d / "images/b_B2.png", pattern(6, 8, 1));
         },
         {},
         {"b_B2.png: 8 bits", "b_B1.png has 16 bits"}},
        {"in colour",
         [&](TempDir& d) {
             two(d);
             save_png(d / "images/b_B2.png", pattern(6, 8, 3));
         },
         {},
         {"b_B2.png: 3 channels; a band is a gray image"}},
        {"asked for, and not there",
         two,
         {},
         {"`bands` B7: this data set has no band B7; it has B1,B2"},
         [](DatasetOptions& o) { o.bands = "B7"; }},
        {"asked for, and each image is a file",
         [](TempDir& d) { flat(d, 3); },
         {},
         {"`bands` B1,B2: in this data set"},
         [](DatasetOptions& o) { o.bands = "B1,B2"; }},
        {"none, of a layout that has them",
         two,
         {},
         {"`bands` none", "`images` and `masks`"},
         [](DatasetOptions& o) { o.bands = "none"; }},
        {"a word that no file has", two, {}, {"none of 4 files has one of the bands red"}, given("images", "red")},
    });
    for (const auto& [text, why] : {std::pair{"B1,,B2", "'' is no word"},
                                    {"B1,B01", "B01 is there twice"},
                                    {"B1,b 2", "'b 2' is no word"},
                                    {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "at most 16 channels"}})
        expect_error<UsageError>([&] { parse_band_rule(text); }, {why});
}

TEST(BandFiles, OneWithHalfTheSizeIsEnlargedBilinearly) {
    TempDir dir;
    save_png(dir / "x_B2.png", band(6, 8, 1));
    save_png(dir / "x_B5.png", band(3, 4, 2));
    const std::vector<std::string> files{dir / "x_B5.png", dir / "x_B2.png"};
    const Image whole = load_bands(files), half = resize_bilinear(band(3, 4, 2), 6, 8), full = band(6, 8, 1);
    ASSERT_EQ(whole.c, 2);
    EXPECT_TRUE(whole.bands);
    for (size_t p = 0; p < 48; ++p) {
        EXPECT_EQ(whole.u16[2 * p], half.u16[p]);
        EXPECT_EQ(whole.u16[2 * p + 1], full.u16[p]);
    }
    EXPECT_EQ(band_of_full_size(files), dir / "x_B2.png");
    const auto rows = open_bands(files);
    EXPECT_EQ(rows->height(), 6);
    std::vector<uint16_t> joined;
    while (rows->left() > 0) {
        const Image some = rows->next(1);
        joined.insert(joined.end(), some.u16.begin(), some.u16.end());
    }
    EXPECT_EQ(joined, whole.u16);
    EXPECT_EQ(rows->again()->next(6).u16, whole.u16);
    for (const Columns columns : {Columns{0, 3}, {3, 1}, {4, 4}})
        EXPECT_EQ(rows->again(columns)->next(6).u16, crop(whole, 0, columns.first, 6, columns.count).u16);
}

TEST(BandFiles, ACheckLooksAtEachOfThem) {
    TempDir dir;
    draw_tiles(dir, {"images/a_*.png"}, {"B1", "B2"});
    draw_masks(dir, {"a"});
    const Sample sample = find(dir, no_split).train[0];
    const SampleKey before = key_of(sample);
    const SampleFacts facts = look_at(sample, parse_mask_rule("auto"));
    EXPECT_EQ(facts.image.c, 2);
    save_png(dir / "images/a_B2.png", band(6, 8, 9));
    EXPECT_NE(key_of(sample).state, before.state);
    EXPECT_EQ(key_of(sample).name, before.name);
    EXPECT_NE(look_at(sample, parse_mask_rule("auto")).print.bytes, facts.print.bytes);
}

}  // namespace atrous::data::test
