// Labels in bits: masks of classes that overlap, joined from folders, runs and polygons; what a check says of them.
#include <gtest/gtest.h>

#include "data/check_index.h"
#include "data/drawn_mask.h"
#include "data/loader.h"
#include "data/palette.h"
#include "data/sample_check.h"
#include "sets.h"

namespace atrous::data {
namespace {

using test::expect_error;
using test::gray;
using test::TempDir;

// A row of four pixels.
void save_row(const std::string& path, const std::vector<uint8_t>& values) { save_png(path, gray(1, 4, values)); }

// Classes edge and liver, which share the second pixel of the first image.
void draw_folders(const TempDir& dir) {
    for (const char* name : {"a", "b", "c"})
        save_png(dir / (std::string("images/") + name + ".png"), test::pattern(1, 4, 3));
    save_row(dir / "masks/edge/a.png", {255, 255, 0, 0});
    save_row(dir / "masks/liver/a.png", {0, 255, 255, 0});
    save_row(dir / "masks/liver/b.png", {255, 0, 0, 0});
    save_row(dir / "masks/edge/c.png", {0, 0, 0, 255});
    save_row(dir / "masks/liver/c.png", {0, 0, 0, 255});
}

Dataset find_bits(const TempDir& dir, const std::function<void(DatasetOptions&)>& change = {}) {
    return test::find(dir, [&](DatasetOptions& o) {
        o.multi_label = true;
        o.val_fraction = 0;
        if (change) change(o);
    });
}

std::vector<uint8_t> labels_of(const Sample& sample, int classes) {
    MaskRule rule = parse_mask_rule("bits");
    rule.class_count = classes;
    return apply_mask_rule(rule, load_mask(sample, 1, 4), sample.mask_path).u8;
}

TEST(MultiLabel, FoldersOfClassesKeepEveryClassOfAPixel) {
    TempDir dir;
    draw_folders(dir);
    const Dataset set = find_bits(dir);
    EXPECT_EQ(set.class_names, (test::Names{"edge", "liver"})) << "no class is the background";
    EXPECT_EQ(set.mask_values, "bits");
    ASSERT_EQ(set.train.size(), 3u);
    EXPECT_EQ(labels_of(set.train[0], 2), (std::vector<uint8_t>{1, 3, 2, 0}));
    EXPECT_EQ(labels_of(set.train[1], 2), (std::vector<uint8_t>{2, 0, 0, 0}));
    EXPECT_NE(set.notes[0].find("where classes overlap a pixel is of each"), std::string::npos) << set.notes[0];

    const Dataset exclusive = test::find(dir, [](DatasetOptions& o) { o.val_fraction = 0; });
    EXPECT_EQ(load_mask(exclusive.train[0], 1, 4).image.u8, (std::vector<uint8_t>{1, 2, 2, 0}))
        << "the later one covers";
}

// The two ways to read the same files must not be taken for each other in the index of earlier checks.
TEST(MultiLabel, AnIndexOfChecksTellsBitsFromIds) {
    TempDir dir;
    draw_folders(dir);
    const Sample bits = find_bits(dir).train[0], ids = test::find(dir).train[0];
    EXPECT_NE(key_of(bits).state, key_of(ids).state);
}

TEST(MultiLabel, RunsAndTheListThatValidatesKeepEveryClass) {
    TempDir dir;
    for (const char* name : {"a", "b"}) save_png(dir / (std::string(name) + ".png"), test::pattern(1, 4, 3));
    test::write_text(dir / "train.csv", "image,class,rle\na.png,tumour,1 3\na.png,liver,2 1\n");
    test::write_text(dir / "val.csv", "image,class,rle\nb.png,liver,4 1\nb.png,tumour,4 1\n");
    const Dataset set = find_bits(dir, [&](DatasetOptions& o) {
        o.train_list = dir / "train.csv", o.val_list = dir / "val.csv";
        o.rle_order = "rows";
    });
    EXPECT_EQ(set.class_names, (test::Names{"liver", "tumour"}));
    EXPECT_EQ(labels_of(set.train.at(0), 2), (std::vector<uint8_t>{2, 3, 2, 0}));
    EXPECT_EQ(labels_of(set.val.at(0), 2), (std::vector<uint8_t>{0, 0, 0, 3}));
}

// Numbers name bits from 1 on; the set keeps the rule and the names that its folders gave it.
TEST(MultiLabel, AListOfNumbersThatValidatesKeepsTheBits) {
    TempDir dir;
    draw_folders(dir);
    save_png(dir / "more/d.png", test::pattern(1, 4, 3));
    test::write_text(dir / "val.csv", "image,class,rle\nmore/d.png,2,1 2\nmore/d.png,1,2 2\n");
    const Dataset set = find_bits(dir, [&](DatasetOptions& o) { o.val_list = dir / "val.csv", o.rle_order = "rows"; });
    EXPECT_EQ(set.mask_values, "bits");
    EXPECT_EQ(set.class_names, (test::Names{"edge", "liver"}));
    EXPECT_EQ(labels_of(set.val.at(0), 2), (std::vector<uint8_t>{2, 3, 1, 0}));
}

// Which values of masks are the classes is nothing to say of masks of classes apart, nor of bits.
TEST(MultiLabel, NamesComeWithoutARuleOfValues) {
    TempDir dir;
    draw_folders(dir);
    test::write_text(dir / "classes.toml",
                     "[[class]]\nname = 'background'\nvalues = [0]\n[[class]]\nname = 'rim'\nvalues = [7]\n"
                     "[[class]]\nname = 'organ'\nvalues = [9]\n");
    expect_error([&] { find_bits(dir); }, {"classes.toml", "`multi-label`", "leave `values` out of it"});
    test::write_text(dir / "classes.toml",
                     "[[class]]\nname = 'background'\ncolour = '#000000'\n[[class]]\nname = 'rim'\n"
                     "colour = '#ff0000'\n[[class]]\nname = 'organ'\ncolour = '#00ff00'\n");
    const Dataset set = find_bits(dir);
    EXPECT_EQ(set.mask_values, "bits");
    EXPECT_EQ(set.class_names, (test::Names{"rim", "organ"}));
    EXPECT_EQ(set.palette, (Palette{0xff0000, 0x00ff00}));
    EXPECT_TRUE(set.warnings.empty()) << set.warnings[0];
    for (const std::string& note : set.notes) EXPECT_EQ(note.find("`mask-values` says otherwise"), std::string::npos);
}

TEST(MultiLabel, ABackgroundAmongBitsIsWarnedOf) {
    TempDir dir;
    save_png(dir / "images/a.png", test::pattern(1, 4, 3));
    save_row(dir / "masks/a.png", {0, 3, 255, 4});
    test::write_text(dir / "classes.txt", "background\nliver\ntumour\n");
    DatasetOptions o;
    o.root = dir.path().string(), o.multi_label = true, o.val_fraction = 0;
    const CheckOptions looking{.rule = parse_mask_rule("bits")};
    const Dataset set = find_dataset(o, looking);
    ASSERT_EQ(set.warnings.size(), 1u);
    EXPECT_NE(set.warnings[0].find("bit 0 of the masks, is called background"), std::string::npos);
    o.class_names = "organ,liver,tumour";
    EXPECT_TRUE(find_dataset(o, looking).warnings.empty());
}

TEST(MultiLabel, PolygonsKeepEveryClass) {
    TempDir dir;
    save_png(dir / "train/a.png", test::pattern(1, 4, 3));
    test::write_text(dir / "train/_annotations.coco.json",
                     R"({"images":[{"id":1,"file_name":"a.png","width":4,"height":1}],
                         "categories":[{"id":1,"name":"liver"},{"id":2,"name":"tumour"}],
                         "annotations":[
                           {"id":1,"image_id":1,"category_id":1,"iscrowd":0,"segmentation":[[0,0,3,0,3,1,0,1]]},
                           {"id":2,"image_id":1,"category_id":2,"iscrowd":0,"segmentation":[[2,0,4,0,4,1,2,1]]}]})");
    const Dataset set = find_bits(dir);
    EXPECT_EQ(set.class_names, (test::Names{"liver", "tumour"}));
    EXPECT_EQ(labels_of(set.train.at(0), 2), (std::vector<uint8_t>{1, 1, 3, 2}));
}

TEST(MultiLabel, IgnoredPixelsStaySo) {
    uint8_t label = 0;
    mark(label, 3, LabelForm::bits), mark(label, 1, LabelForm::bits);
    EXPECT_EQ(label, 5);
    mark(label, 255, LabelForm::bits), mark(label, 2, LabelForm::bits);
    EXPECT_EQ(label, 255);
}

TEST(MultiLabel, AFileMayHoldBits) {
    TempDir dir;
    save_png(dir / "images/a.png", test::pattern(1, 4, 3));
    save_row(dir / "masks/a.png", {0, 3, 255, 4});
    expect_error([&] { find_bits(dir); }, {"a.png", "exclude each other", "`mask-values` bits"});
    DatasetOptions o;
    o.root = dir.path().string(), o.multi_label = true, o.val_fraction = 0;
    const CheckOptions looking{.rule = parse_mask_rule("bits")};
    const DatasetReport report = check_dataset(find_dataset(o, looking).train, looking);
    EXPECT_EQ(report.rule.class_count, 3);
    EXPECT_EQ(report.pixels, (std::vector<int64_t>{1, 1, 1}));
    EXPECT_EQ(report.ignored_pixels, 1);
}

// A pixel of two classes is one pixel of the whole.
TEST(MultiLabel, ACheckCountsEachClass) {
    TempDir dir;
    draw_folders(dir);
    const Dataset set = find_bits(dir);
    const DatasetReport report =
        check_dataset(set.train, {.rule = parse_mask_rule("bits"), .train_count = 2, .named_classes = 2});
    EXPECT_EQ(report.pixels, (std::vector<int64_t>{3, 4}));
    EXPECT_EQ(report.samples_with, (std::vector<int64_t>{2, 3}));
    EXPECT_EQ(report.train_with, (std::vector<int64_t>{1, 2}));
    EXPECT_EQ(report.counted_pixels, 12);
    EXPECT_NE(report.text().find("33.33 % of pixels, in 3 of 3"), std::string::npos) << report.text();
}

// Class 0 takes the first 25 columns, with class 1 in every other: no value of a label takes more than half of a crop.
// Crops are drawn until class 0 has at most 0.6 of them.
TEST(MultiLabel, ACropIsDrawnAgainWhereOneClassTakesTooMuch) {
    TempDir dir;
    Image mask = make_image<uint8_t>(40, 40, 1);
    for (size_t p = 0; p < mask.u8.size(); ++p) mask.u8[p] = p % 40 >= 25 ? 0 : p % 2 ? 3 : 1;
    save_png(dir / "wide.png", test::pattern(40, 40, 3));
    save_png(dir / "wide_mask.png", mask);
    const std::vector<Sample> same(60, Sample{dir / "wide.png", dir / "wide_mask.png", "wide"});
    MaskRule rule = parse_mask_rule("bits");
    rule.class_count = 2;
    LoaderOptions o;
    o.batch_size = 1, o.seed = 42, o.augment = true, o.crop_h = o.crop_w = 10;
    o.augmentations = {{"crop-class-share", "0.6"}};
    const auto loader = make_loader(same, rule, o);
    loader->start_epoch(0, 0);
    int later = 0;
    for (HostBatch batch; loader->next(batch);) {
        Random place(o.seed, 0, uint64_t(batch.indices.at(0)), crop_stream);
        uint64_t row = 0, column = 0;
        int draws = 0;
        do {
            row = place.below(31);
            column = place.below(31);
        } while (++draws < 11 && column < 19);
        ASSERT_EQ(batch.labels, crop(mask, int64_t(row), int64_t(column), 10, 10).u8) << batch.indices[0];
        later += draws > 1;
    }
    EXPECT_GT(later, 0);
}

TEST(MultiLabel, WhatABitCannotSayIsRefused) {
    TempDir dir;
    save_png(dir / "images/a.png", test::pattern(1, 4, 3));
    for (int c = 0; c < 8; ++c) save_row(dir / ("masks/class" + std::to_string(c) + "/a.png"), {255, 0, 0, 0});
    expect_error([&] { find_bits(dir); }, {"class7/a.png", "class 8", "at most 7", "leave out `multi-label`"});
    const auto drawn = drawn_mask({.drawings = {{.id = 8, .rings = {{{0, 0}, {1, 0}, {1, 1}}}}}})->in_bits();
    expect_error([&] { drawn->draw(1, 4, "eight.json"); }, {"eight.json", "class 8", "at most 7"});

    MaskRule rule = parse_mask_rule("bits");
    rule.class_count = 2;
    expect_error(
        [&] {
            apply_mask_rule(rule, {gray(1, 2, {0, 4}), {}}, "m.png");
        },
        {"m.png", "(1, 0)", "value 4", "0 to 3, the bits of 2 classes"});
    expect_error([&] { resolve_mask_rule(parse_mask_rule("bits"), {{.value = 1}}, "m.png"); },
                 {"m.png", "1 class,", "leave out `multi-label`"});
    expect_error<UsageError>([&] { resolve_mask_rule(parse_mask_rule("bits"), {{.value = 1}}, "m.png", 0, 9); },
                             {"9 classes", "at most 7"});
    EXPECT_EQ(text_of(rule), "bits");
    EXPECT_EQ(rule.classes_of(3), (std::vector<int>{0, 1}));
    EXPECT_TRUE(rule.classes_of(255).empty());
}

TEST(MultiLabel, ColoursOfClassesBlend) {
    const Palette p = blended_palette({0xff0000, 0x0000ff, 0x00ff00});
    EXPECT_EQ(p[0], 0u);
    EXPECT_EQ(p[2], 0x0000ffu);
    EXPECT_EQ(p[3], 0x800080u);
    EXPECT_EQ(p[7], 0x555555u);
    EXPECT_EQ(p.size(), 256u);
}

}  // namespace
}  // namespace atrous::data
