// Discovery, lists, splits and the check before training.
#include "data/dataset.h"

#include "data/list.h"
#include "data/split.h"

#include <algorithm>
#include <set>

#include "sets.h"

namespace atrous::data::test {

namespace {

DatasetReport check(const std::vector<Sample>& samples, const std::string& rule = "auto", int class_count = 0) {
    return check_dataset(samples, {parse_mask_rule(rule), class_count, 2});
}

}  // namespace

// Ten thousand different values, half of them of each class, those of class 1 last: none may be lost.
TEST(Dataset, CountsByClassHoweverManyValuesThereAre) {
    TempDir dir;
    Image deep = make_image<uint16_t>(100, 100, 1), colours = make_image<uint8_t>(100, 100, 3);
    for (size_t i = 0; i < 10000; ++i) {
        deep.u16[i] = uint16_t(6 * i);
        const uint8_t half = i < 5000 ? 0 : 128;
        colours.u8[3 * i] = half;
        colours.u8[3 * i + 1] = uint8_t(i % 5000 % 100);
        colours.u8[3 * i + 2] = uint8_t(i % 5000 / 100);
    }
    add_image(dir / "a.png", 100, 100);
    save_png(dir / "deep.png", deep);
    save_png(dir / "colours.png", colours);
    for (const auto& [mask, rule] : {std::pair{"deep.png", "binary:30000"}, {"colours.png", "binary:128"}}) {
        Sample sample;
        sample.image_path = dir / "a.png";
        sample.mask_path = dir / mask;
        const DatasetReport report = check({sample}, rule);
        EXPECT_EQ(report.pixels, (std::vector<int64_t>{5000, 5000})) << mask;
        EXPECT_EQ(report.samples_with, (std::vector<int64_t>{1, 1})) << mask;
        EXPECT_TRUE(report.warnings.empty()) << report.text();
    }
    EXPECT_EQ(raw_values(load_mask(dir / "deep.png"), {}).size(), 4096u) << "auto looks at no more";
}

TEST(Dataset, FolderPairsAndSuffixes) {
    for (const auto& [images, masks] : {std::pair{"images/", "masks/"},
                                        {"imgs/", "masks/"},
                                        {"image/", "label/"},
                                        {"images/", "labels/"},
                                        {"train/", "train_masks/"},
                                        {"img_dir/", "ann_dir/"}})
        for (const char* suffix : {"", "_mask", "_label"}) {
            TempDir dir;
            flat(dir, 4, images, masks, suffix);
            const Dataset dataset = find(dir, [](auto& o) { o.val_fraction = 0.25; });
            ASSERT_EQ(dataset.train.size(), 3u) << images;
            ASSERT_EQ(dataset.val.size(), 1u);
            for (const auto& sample : dataset.train) {
                EXPECT_TRUE(fs::exists(sample.mask_path));
                EXPECT_EQ(fs::path(sample.mask_path).stem().string(),
                          fs::path(sample.image_path).stem().string() + suffix);
            }
        }
}

TEST(Dataset, TrainAndValFolders) {
    TempDir dir;
    flat(dir, 3, "train/images/", "train/masks/");
    flat(dir, 2, "val/images/", "val/masks/");
    const Dataset dataset = find(dir);
    EXPECT_EQ(names(dataset.train), (Names{"train/images/a0", "train/images/b1", "train/images/c2"}));
    EXPECT_EQ(names(dataset.val), (Names{"val/images/a0", "val/images/b1"}));
}

TEST(Dataset, FoldersBesideTheirAnnotations) {
    TempDir dir;
    flat(dir, 3, "train/", "trainannot/");
    flat(dir, 2, "val/", "valannot/");
    EXPECT_EQ(find(dir).train.size(), 3u);
    EXPECT_EQ(find(dir).val.size(), 2u);
}

TEST(Dataset, SplitsInsideThePair) {
    TempDir dir;
    flat(dir, 3, "images/train/", "annotations/train/");
    flat(dir, 2, "images/val/", "annotations/val/");
    EXPECT_EQ(find(dir).train.size(), 3u);
    EXPECT_EQ(find(dir).val.size(), 2u);
}

TEST(Dataset, PascalVoc) {
    TempDir dir;
    const std::string voc = "VOCdevkit/VOC2012/";
    flat(dir, 4, voc + "JPEGImages/", voc + "SegmentationClass/");
    add_image(dir / (voc + "JPEGImages/unlabelled.jpg"));  // VOC has many
    write_text(dir / (voc + "ImageSets/Segmentation/train.txt"), "a0\nc2\n");
    write_text(dir / (voc + "ImageSets/Segmentation/val.txt"), "b1\n");
    EXPECT_EQ(names(find(dir).train), (Names{"JPEGImages/a0", "JPEGImages/c2"}));
    EXPECT_EQ(names(find(dir).val), (Names{"JPEGImages/b1"}));
}

TEST(Dataset, ListsWithCommentsSpacesAndStems) {
    TempDir dir;
    flat(dir, 3);
    add_image(dir / "images/größe 图.jpg");
    add_mask(dir / "masks/größe 图.png");
    write_text(dir / "train.txt",
               "# image mask\nimages/a0.jpg masks/a0.png\n\nimages/größe 图.jpg\tmasks/größe 图.png # last\r\n");
    write_text(dir / "val.txt", "b1\n");
    const Dataset dataset = find(dir);
    EXPECT_EQ(names(dataset.train), (Names{"images/a0", "images/größe 图"}));
    EXPECT_EQ(names(dataset.val), (Names{"images/b1"}));
    EXPECT_EQ(check(dataset.train).samples, 2);
}

TEST(Dataset, AHashInANameIsNoComment) {
    TempDir dir;
    for (const char* name : {"img#1", "b#", "c"}) {
        add_image(dir / (std::string("images/") + name + ".jpg"));
        add_mask(dir / (std::string("masks/") + name + ".png"));
    }
    write_text(dir / "train.txt", "images/img#1.jpg masks/img#1.png # the first\n  # all of this\nb#\t#c\n");
    write_text(dir / "val.txt", "c #b#\n");
    EXPECT_EQ(names(find(dir).train), (Names{"images/img#1", "images/b#"}));
    EXPECT_EQ(names(find(dir).val), (Names{"images/c"}));
}

TEST(Dataset, BadListsAreRefusedByLine) {
    TempDir dir;
    flat(dir, 2);
    const auto with = [&](const std::string& text) {
        write_text(dir / "train.txt", text);
        return [&dir] { find(dir); };
    };
    expect_error(with("images/a0.jpg ../masks/a0.png\n"), {"train.txt:1", "../masks/a0.png", ".."});
    expect_error(with("a0\n/etc/passwd masks/a0.png\n"), {"train.txt:2", "/etc/passwd"});
    expect_error(with("images/a0.jpg masks/a0.png extra\n"), {"train.txt:1", "tab"});
    expect_error(with("images/zz.jpg masks/a0.png\n"), {"train.txt", "zz.jpg", "line 1"});
    expect_error(with("nobody\n"), {"train.txt:1", "nobody"});
    expect_error(with("# nothing\n"), {"train.txt", "no sample"});
    expect_error(with("a0\na0\n"), {"twice", "a0"});
}

TEST(Dataset, AMissingMaskIsNamed) {
    TempDir dir;
    flat(dir, 3);
    for (const char* name : {"x", "y"}) add_image(dir / (std::string("images/") + name + ".jpg"));
    expect_error([&] { find(dir); }, {"2 of 5 images", "x.jpg, y.jpg", "_mask"});
}

TEST(Dataset, AMaskWithoutAnImageIsAWarning) {
    TempDir dir;
    flat(dir, 3);
    add_mask(dir / "masks/alone.png");
    const Dataset dataset = find(dir);
    ASSERT_EQ(dataset.warnings.size(), 1u);
    EXPECT_NE(dataset.warnings[0].find("alone.png"), std::string::npos);
}

TEST(Dataset, TwoFilesOfOneStemAreRefused) {
    TempDir dir;
    flat(dir, 2);
    add_image(dir / "images/a0.png");
    expect_error([&] { find(dir); }, {"a0.jpg", "a0.png"});
}

TEST(Dataset, WhatIsNoDatasetSaysWhatWasFound) {
    TempDir dir;
    write_text(dir / "notes.md", "x");
    fs::create_directories(dir.path() / "photos");
    expect_error([&] { find(dir); }, {"notes.md, photos/", "images/"});
    expect_error([&] { find(dir, [](auto& o) { o.root += "/absent"; }); }, {"absent", "no such folder"});
    fs::create_directories(dir.path() / "images");
    fs::create_directories(dir.path() / "masks");
    expect_error([&] { find(dir); }, {"images", "no images"});
}

TEST(Dataset, HiddenFilesAreNotImages) {
    TempDir dir;
    flat(dir, 2);
    write_text(dir / "images/._a0.jpg", "finder");
    write_text(dir / "images/Thumbs.db", "explorer");
    EXPECT_EQ(find(dir).train.size() + find(dir).val.size(), 2u);
}

TEST(Split, IsAFunctionOfSeedAndNames) {
    Dataset dataset;
    for (int i = 0; i < 100; ++i) dataset.train.push_back({"", "", "sample" + std::to_string(i)});
    const auto val_of = [&](uint64_t seed, int without = -1) {
        Dataset copy = dataset;
        if (without >= 0) copy.train.erase(copy.train.begin() + without);
        split_by_fraction(copy, 0.2, seed);
        EXPECT_EQ(copy.val.size(), 20u);
        EXPECT_EQ(copy.train.size(), without >= 0 ? 79u : 80u);
        const auto list = names(copy.val);
        return std::set<std::string>(list.begin(), list.end());
    };
    EXPECT_EQ(val_of(1), val_of(1));
    EXPECT_NE(val_of(1), val_of(2));
    const auto before = val_of(1), after = val_of(1, 50);
    Names moved;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(), std::back_inserter(moved));
    EXPECT_LE(moved.size(), 1u);
}

TEST(Split, SmallSetsKeepOneEach) {
    Dataset dataset;
    for (const char* name : {"a", "b"}) dataset.train.push_back({"", "", name});
    split_by_fraction(dataset, 0.01, 0);
    EXPECT_EQ(dataset.train.size(), 1u);
    EXPECT_EQ(dataset.val.size(), 1u);
}

TEST(Split, ByPatternAndList) {
    TempDir dir;
    flat(dir, 5);
    EXPECT_EQ(names(find(dir, [](auto& o) { o.val_pattern = "*[13].jpg"; }).val), (Names{"images/b1", "images/d3"}));
    write_text(dir / "held-out.txt", "c2\n");
    const Dataset dataset = find(dir, [&](auto& o) { o.val_list = dir / "held-out.txt"; });
    EXPECT_EQ(names(dataset.val), (Names{"images/c2"}));
    EXPECT_EQ(dataset.train.size(), 4u);
    expect_error([&] { find(dir, [](auto& o) { o.val_pattern = "*9.png"; }); }, {"*9.png", "none"});
}

TEST(Check, ReportsClassesAndSizes) {
    TempDir dir;
    add_image(dir / "images/a.png", 4, 4);
    add_image(dir / "images/b.png", 6, 5);
    Image a = make_image<uint8_t>(4, 4, 1), b = make_image<uint8_t>(6, 5, 1);
    a.u8[3] = 1, a.u8[4] = 255, b.u8[7] = 3;
    save_png(dir / "masks/a.png", a);
    save_png(dir / "masks/b.png", b);
    const Dataset dataset = find(dir, [](auto& o) { o.val_fraction = 0; });
    const DatasetReport report = check(dataset.train);
    EXPECT_EQ(report.rule.class_count, 4);
    EXPECT_EQ(report.pixels, (std::vector<int64_t>{43, 1, 0, 1}));
    EXPECT_EQ(report.samples_with, (std::vector<int64_t>{2, 1, 0, 1}));
    EXPECT_EQ(report.ignored_pixels, 1);
    EXPECT_EQ(report.min_h, 4);
    EXPECT_EQ(report.max_w, 5);
    EXPECT_FALSE(report.one_size());
    EXPECT_NE(report.text().find("no pixel has class 2"), std::string::npos);
}

TEST(Check, ClassesThatVanishAmongIgnoredPixelsAreAWarning) {
    TempDir dir;
    flat(dir, 3);
    for (const char* name : {"a0", "b1", "c2"}) {
        Image mask = make_image<uint8_t>(6, 8, 1);
        for (size_t i = 0; i < 12; ++i) mask.u8[i] = 255;
        save_png(dir / (std::string("masks/") + name + ".png"), mask);
    }
    const auto samples = find(dir, [](auto& o) { o.val_fraction = 0; }).train;
    EXPECT_NE(check(samples, "ids", 3).text().find("25 % of the pixels are ignored while no pixel has class 1, 2"),
              std::string::npos)
        << check(samples, "ids", 3).text();
    EXPECT_EQ(check(samples, "0=0,255=1").text().find("are ignored"), std::string::npos);
}

// Of ten samples only the first and the last show class 1, only the last class 2; nobody shows class 3.
TEST(Check, SaysWhichClassesAPartLacks) {
    TempDir dir;
    flat(dir, 10);
    for (int i = 0; i < 10; ++i) {
        Image mask = make_image<uint8_t>(6, 8, 1);
        if (i == 0 || i == 9) mask.u8[5] = 1;
        if (i == 9) mask.u8[6] = 2;
        save_png(dir / ("masks/" + std::string(1, char('a' + i)) + std::to_string(i) + ".png"), mask);
    }
    auto samples = find(dir, [](auto& o) { o.val_fraction = 0; }).train;
    const auto split = [&](int64_t train_count) {
        return check_dataset(samples, {parse_mask_rule("ids"), 4, 2, train_count});
    };
    using Counts = std::vector<int64_t>;
    const std::string nowhere = "no pixel has class 3",
                      val = "no validation sample holds class 1, 2: its scores will be absent",
                      train = "no training sample holds class 2: it cannot be learnt";
    const DatasetReport lacking = split(9);
    EXPECT_EQ(lacking.train_with, (Counts{9, 1, 0, 0}));
    EXPECT_EQ(lacking.val_with, (Counts{1, 1, 1, 0}));
    EXPECT_EQ(lacking.warnings, (Names{nowhere, train}));
    std::swap(samples[5], samples[9]);
    EXPECT_EQ(split(6).train_with, (Counts{6, 2, 1, 0}));
    EXPECT_EQ(split(6).val_with, (Counts{4, 0, 0, 0}));
    EXPECT_EQ(split(6).warnings, (Names{nowhere, val}));
    for (int64_t whole : {-1, 0, 10}) {
        const DatasetReport report = split(whole);
        EXPECT_EQ(report.warnings, Names{nowhere}) << "there is one part";
        EXPECT_EQ(report.train_with, whole == 10 ? report.samples_with : Counts{});
        EXPECT_EQ(report.val_with, whole == 0 ? report.samples_with : Counts{});
    }
}

TEST(Check, ManyAbsentClassesAreNotAllNamed) {
    TempDir dir;
    flat(dir, 2);
    Image mask = make_image<uint8_t>(6, 8, 1);
    save_png(dir / "masks/b1.png", mask);
    for (size_t i = 0; i < 40; ++i) mask.u8[i] = uint8_t(i);
    save_png(dir / "masks/a0.png", mask);
    const auto samples = find(dir, [](auto& o) { o.val_fraction = 0; }).train;
    EXPECT_EQ(check_dataset(samples, {parse_mask_rule("ids"), 60, 2, 1}).warnings,
              (Names{"no pixel has class 40, 41, 42, 43, 44 and 15 more",
                     "no validation sample holds class 1, 2, 3, 4, 5 and 34 more: its scores will be absent"}));
}

TEST(Check, FindsEveryFaultBeforeTraining) {
    TempDir dir;
    flat(dir, 6);
    const auto samples = find(dir, [](auto& o) { o.val_fraction = 0; }).train;
    EXPECT_EQ(check(samples).samples, 6);
    add_mask(dir / "masks/b1.png", 6, 9);
    expect_error([&] { check(samples); }, {"masks/b1.png", "9x6", "images/b1.jpg", "8x6"});
    const auto bytes = read_file(dir / "images/d3.jpg");
    write_file(dir / "images/d3.jpg", std::span(bytes).first(bytes.size() / 2));
    expect_error([&] { check(samples); }, {"masks/b1.png", "images/d3.jpg", "2 of 6 samples"});
}

TEST(Check, LabelsOutOfRangeNameFileAndPixel) {
    TempDir dir;
    flat(dir, 3);
    Image mask = make_image<uint8_t>(6, 8, 1);
    mask.u8[8 * 2 + 5] = 9;
    save_png(dir / "masks/c2.png", mask);
    const auto samples = find(dir, [](auto& o) { o.val_fraction = 0; }).train;
    expect_error([&] { check(samples, "ids", 5); }, {"masks/c2.png", "(5, 2)", "value 9", "0 to 4"});
    expect_error([&] { check(samples, "0=0,255=1"); }, {"masks/c2.png", "(5, 2)", "value 9"});
    expect_error<UsageError>([&] { check(samples, "ids", 300); }, {"`classes` 300"});
    expect_error<UsageError>([&] { check(samples, "0,9,255", 2); }, {"4 classes", "`classes` is 2"});
}

TEST(Images, OfAFolderAndOfAFile) {
    TempDir dir;
    add_image(dir / "b.png");
    add_image(dir / "a.jpg");
    write_text(dir / "readme.txt", "");
    EXPECT_EQ(find_images(dir.path().string()).images, (Names{dir / "a.jpg", dir / "b.png"}));
    EXPECT_EQ(find_images(dir / "b.png").images, (Names{dir / "b.png"}));
    add_image(dir / "more/c.png");
    EXPECT_EQ(find_images(dir.path().string()).images.size(), 2u);
    EXPECT_EQ(find_images(dir.path().string(), true).images, (Names{dir / "a.jpg", dir / "b.png", dir / "more/c.png"}));
    expect_error([&] { find_images(dir / "c.png").images; }, {"c.png", "no such"});
}

}  // namespace atrous::data::test
