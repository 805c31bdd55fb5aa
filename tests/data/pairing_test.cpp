// Names of masks, folders and globs that are given, and files that are no images by their names.
#include "data/pairing.h"
#include "data/glob.h"
#include "layout_rows.h"

namespace atrous::data::test {

namespace {

void named(TempDir& dir, const Names& images, const Names& masks) {
    for (const std::string& name : images) add_image(dir / ("images/" + name));
    for (const std::string& name : masks) add_mask(dir / ("masks/" + name));
}

SetRow row(const char* name, Names images, Names masks, std::function<void(const Read&)> accepted, Names refusal = {}) {
    return {name, [=](TempDir& d) { named(d, images, masks); }, std::move(accepted), std::move(refusal),
            [](DatasetOptions& o) { o.val_fraction = 0; }};
}

auto by_rule(const std::string& rule) {
    return [=](const Read& r) {
        EXPECT_EQ(r.dataset.train.size(), 3u);
        EXPECT_TRUE(r.notes("paired by name, " + rule + ";")) << (r.dataset.notes.empty() ? "" : r.dataset.notes[0]);
    };
}

std::vector<SetRow> names() {
    return {
        row("prefix", {"img_0.jpg", "img_1.jpg", "img_10.jpg"}, {"mask_0.png", "mask_1.png", "mask_10.png"},
            by_rule("img_NAME with mask_NAME")),
        row("suffix exchanged", {"100_sat.jpg", "101_sat.jpg", "102_sat.jpg"},
            {"100_mask.png", "101_mask.png", "102_mask.png"}, by_rule("NAME_sat with NAME_mask")),
        row("suffix", {"ISIC_0.jpg", "ISIC_1.jpg", "ISIC_2.jpg"},
            {"ISIC_0_segmentation.png", "ISIC_1_segmentation.png", "ISIC_2_segmentation.png"},
            by_rule("NAME with NAME_segmentation")),
        row("the whole name", {"a 0.jpg", "a 1.jpg", "a 2.jpg"}, {"a 0.jpg.png", "a 1.jpg.png", "a 2.jpg.png"},
            by_rule("NAME with NAME.jpg")),
        row("case", {"Aa0.JPG", "bB1.JPG", "CC2.JPG"}, {"aa0.png", "bb1.png", "cc2.png"},
            [](const Read& r) { EXPECT_TRUE(r.notes("without regard to case")); }),
        row("Unicode's two forms", {"\u00fcber.png", "caf\u00e9.png", "\ud55c.png"},
            {"u\u0308ber.png", "cafe\u0301.png", "\u1112\u1161\u11ab.png"},
            [](const Read& r) { EXPECT_EQ(r.dataset.train.size(), 3u); }),
        row("a mask more", {"100_sat.jpg", "101_sat.jpg"}, {"100_mask.png", "101_mask.png", "999_mask.png"},
            [](const Read& r) { EXPECT_TRUE(r.notes("1 masks have no image: 999_mask.png")); }),
        row("one image whose mask shares a part", {"0_in.png"}, {"0_ids.png"},
            [](const Read& r) { EXPECT_EQ(r.dataset.train.size(), 1u); }),
        row("one image and a mask of a like prefix", {"img_cat.png"}, {"mask_cat.png", "mask_dog.png"},
            [](const Read& r) { EXPECT_TRUE(r.dataset.train.at(0).mask_path.ends_with("mask_cat.png")); }),
        row("one image that shares a letter", {"cat.png"}, {"dark.png"}, {}, {"1 of 1 images", "cat.png", "dark.png"}),
        row("one image that shares a separator", {"my_cat.png"}, {"a_dog.png"}, {}, {"1 of 1 images", "my_cat.png"}),
        row("one image that shares the end of a word", {"in_cat.png"}, {"out_scat.png"}, {}, {"1 of 1 images"}),
        row("a number is no part of another", {"1.png", "2.png"}, {"11.png", "12.png"}, {}, {"2 of 2 images"}),
        row("a name that is left over", {"left.png", "right_eye.png"}, {"left.png", "right_ey.png", "z.png"}, {},
            {"1 of 2 images", "right_eye.png", "of 2 masks left over, right_ey.png is nearest to right_eye.png",
             "`train-list`"}),
        row("several masks of each image", {"0_in.png", "1_in.png"},
            {"0_ids.png", "0_color.png", "1_ids.png", "1_color.png"}, {},
            {"each image has several masks", "NAME", "color", "ids", "`masks`"}),
    };
}

std::vector<SetRow> given() {
    const auto set = [](const char* images, const char* masks) {
        return [=](DatasetOptions& o) { o.images = images, o.masks = masks; };
    };
    const auto photos = [](TempDir& d) { flat(d, 4, "photos/", "truth/"); };
    const auto kinds = [](TempDir& d) {
        for (const char* n : {"0", "1"}) {
            add_image(d / fmt::format("in/{}.png", n));
            add_mask(d / fmt::format("out/{}_ids.png", n));
            add_colours(d / fmt::format("out/{}_color.png", n), {0x010203});
        }
    };
    return {
        {"folders",
         photos,
         counts(3, 1, 0, 2),
         {},
         [=](DatasetOptions& o) { set("photos", "truth")(o), o.val_fraction = .25; }},
        {"a folder that is not there",
         photos,
         {},
         {"`images` pictures", "no such folder", "photos/, truth/"},
         set("pictures", "truth")},
        {"images alone", photos, {}, {"`images` and `masks` belong together", "masks"}, set("photos", "")},
        {"val-masks alone",
         photos,
         {},
         {"`val-masks` belongs to `val-images`"},
         [=](DatasetOptions& o) { set("photos", "truth")(o), o.val_masks = "truth"; }},
        {"a glob of one kind", kinds, counts(1, 1, 0, 2), {}, set("in", "out/*_ids.png")},
        {"all kinds", kinds, {}, {"several masks", "NAME_color, NAME_ids"}, set("in", "out")},
        {"a glob of nothing", kinds, {}, {"`masks` out/*.bmp", "no images"}, set("in", "out/*.bmp")},
        {"one folder by globs",
         [](TempDir& d) { flat(d, 3, "all/", "all/", "_mask"); },
         counts(2, 1, 0, 2),
         {},
         set("all/*.jpg", "all/*_mask.png")},
        {"one folder twice",
         [](TempDir& d) { flat(d, 3, "all/", "all/", "_mask"); },
         counts(2, 1, 0, 2),
         {},
         set("all", "all")},
        {"one folder whose names do not differ",
         [](TempDir& d) { flat(d, 3, "all/", "masks2/"); },
         {},
         {"`images` and `masks` are the same 3 files", "*_mask.png"},
         set("all", "all")},
        {"any depth",
         [](TempDir& d) { flat(d, 3, "a/site/x/", "b/site/x/"); },
         counts(2, 1, 0, 2),
         {},
         set("a/**/*.jpg", "b")},
        {"parts that share masks",
         [](TempDir& d) {
             flat(d, 3, "tr/", "truth/");
             add_image(d / "va/v.png");
             add_mask(d / "truth/v.png");
             add_image(d / "te/t.png");
             add_mask(d / "truth/t.png");
         },
         [](const Read& r) {
             counts(3, 1, 1, 2)(r);
             EXPECT_FALSE(r.notes("have no image"));
         },
         {},
         [=](DatasetOptions& o) { set("tr", "truth")(o), o.val_images = "va", o.test_images = "te"; }},
        {"a part within the others",
         [](TempDir& d) {
             flat(d, 3, "all/", "truth/");
             add_image(d / "all/held/v.png");
             add_mask(d / "truth/held/v.png");
         },
         [](const Read& r) {
             counts(3, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("1 of the images that `images` takes are in another part"));
         },
         {},
         [=](DatasetOptions& o) { set("all", "truth")(o), o.val_images = "all/held", o.val_masks = "truth/held"; }},
        {"half-sized masks",
         [](TempDir& d) {
             add_image(d / "images/a.png");
             add_mask(d / "masks/a.png", 3, 4);
         },
         {},
         {"masks/a.png", "4x3", "8x6"}},
    };
}

std::vector<SetRow> contents() {
    const auto heic = std::string(
        "\0\0\0\x18"
        "ftypheic",
        12);
    return {
        {"JPEG under other names",
         [](TempDir& d) {
             flat(d, 2);
             for (const char* name : {"x.jfif", "y.picture"})
                 write_file(d / fmt::format("images/{}", name), encode_jpeg(pattern(6, 8, 3)));
             add_mask(d / "masks/x.png");
             add_mask(d / "masks/y.png");
         },
         [](const Read& r) { EXPECT_EQ(r.report.samples, 4); }},
        {"images that are not read",
         [=](TempDir& d) {
             flat(d, 2);
             write_text(d / "images/x.heic", heic);
         },
         {},
         {"1 of 3 images are of a kind that is not read", "1 HEIC (x.heic)", "convert"}},
        {"masks that are not read",
         [=](TempDir& d) {
             add_image(d / "images/x.png");
             write_text(d / "masks/x.heic", heic);
         },
         {},
         {"1 of 1 masks", "HEIC"}},
        {"texts beside images", [](TempDir& d) { flat(d, 3), write_text(d / "images/readme", "x"); },
         counts(2, 1, 0, 2)},
    };
}

}  // namespace

TEST(Pairing, ByNames) { run_rows(names()); }
TEST(Pairing, OfGivenFolders) { run_rows(given()); }
TEST(Pairing, ByContents) { run_rows(contents()); }

TEST(Pairing, GlobsOfFolders) {
    EXPECT_TRUE(matches_glob("a/b/c.png", "**/*.png"));
    EXPECT_TRUE(matches_glob("c.png", "**/*.png"));
    EXPECT_TRUE(matches_glob("a/b/c.png", "*/b"));
    EXPECT_TRUE(matches_glob("a/b/c.png", "a/**/c.*"));
    EXPECT_FALSE(matches_glob("a/b/c.png", "*.png"));
    EXPECT_FALSE(matches_glob("a/b/c.png", "b/*"));
}

TEST(Pairing, FoldedNames) {
    EXPECT_EQ(folded("\u00c9T\u00c9"), "ete");
    EXPECT_EQ(folded("E\u0301te\u0301"), "ete");
    EXPECT_EQ(folded("\u041f\u0439"), folded("\u043f\u0438\u0306"));
    EXPECT_EQ(folded("\xff\x01"), "\xff\x01");
    EXPECT_NE(folded("a"), folded("b"));
}

TEST(Pairing, UnreadImagesAreSkippedInPredictions) {
    TempDir dir;
    add_image(dir / "a.png");
    write_text(dir / "b.heic", std::string("\0\0\0\x18"
                                           "ftypheic",
                                           12));
    const ImageList list = find_images(dir.path().string());
    EXPECT_EQ(list.images.size(), 1u);
    ASSERT_EQ(list.skipped.size(), 1u);
    EXPECT_NE(list.skipped[0].find("b.heic (HEIC)"), std::string::npos);
}

}  // namespace atrous::data::test
