// Public data sets as they lie on disk, in small: which layout is recognized, what its classes are, and what is refused.
#include "data/class_names.h"
#include "layout_rows.h"

namespace atrous::data::test {

namespace {

void cityscapes(TempDir& dir, const Names& kinds) {
    for (const auto& [split, city] : {std::pair{"train", "aachen"}, {"train", "bochum"}, {"val", "lindau"}}) {
        const std::string name = std::string(split) + "/" + city + "/" + city + "_000000_000019_";
        add_image(dir / ("leftImg8bit/" + name + "leftImg8bit.png"));
        for (const std::string& kind : kinds)
            add_values(dir / ("gtFine/" + name + "gtFine_" + kind + ".png"),
                       kind == "labelIds" ? std::vector<uint8_t>{7, 26, 4} : std::vector<uint8_t>{0, 13, 255});
    }
}

void voc(TempDir& dir, const std::string& year, const Names& names) {
    std::string list;
    for (const std::string& name : names) {
        add_image(dir / (year + "JPEGImages/" + name + ".jpg"));
        add_values(dir / (year + "SegmentationClass/" + name + ".png"), {0, 1, 2, 255});
        list += name + "\n";
    }
    write_text(dir / (year + "ImageSets/Segmentation/train.txt"), list);
}

const auto is_voc = [](const Read& r) {
    counts(2, 0, 0, 21)(r);
    EXPECT_EQ(r.dataset.class_names, voc_class_names());
    EXPECT_EQ(r.dataset.palette[1], 0x800000u);
};

std::vector<SetRow> single_sets() {
    const auto no_split = [](DatasetOptions& o) { o.val_fraction = 0; };
    return {
        {"Cityscapes, train ids beside label ids",
         [](TempDir& d) {
             cityscapes(d, {"color", "labelIds", "labelTrainIds"});
         },
         [](const Read& r) {
             counts(2, 1, 0, 19)(r);
             EXPECT_EQ(r.dataset.class_names[13], "car");
             EXPECT_EQ(r.report.ignored_pixels, 48);
             EXPECT_TRUE(r.notes("train ids"));
             EXPECT_TRUE(r.notes("no pixel has class")) << "17 are absent";
             EXPECT_FALSE(r.notes("do these masks follow")) << "a third is ignored, as the set's own rule says";
         }},
        {"Cityscapes, label ids alone", [](TempDir& d) { cityscapes(d, {"labelIds"}); },
         [](const Read& r) {
             counts(2, 1, 0, 19)(r);
             EXPECT_EQ(r.report.pixels[0], 48);
             EXPECT_EQ(r.report.pixels[13], 48);
             EXPECT_EQ(r.report.ignored_pixels, 48);
             EXPECT_FALSE(r.notes("do these masks follow"));
             EXPECT_FALSE(r.notes("hold 255"));
         }},
        {"Cityscapes, label ids of another city, without a road",
         [](TempDir& d) {
             cityscapes(d, {"labelIds"});
             for (const char* name : {"train/aachen/aachen", "train/bochum/bochum", "val/lindau/lindau"})
                 add_values(d / ("gtFine/" + std::string(name) + "_000000_000019_gtFine_labelIds.png"), {26, 21, 4});
         },
         [](const Read& r) { EXPECT_FALSE(r.notes("do the ids start at 1")); }},
        {"Cityscapes, train ids that are called label ids",
         [](TempDir& d) {
             cityscapes(d, {"labelIds"});
             add_values(d / "gtFine/train/bochum/bochum_000000_000019_gtFine_labelIds.png", {0, 13, 255});
         },
         [](const Read& r) {
             EXPECT_TRUE(r.notes("1 of 3 masks hold 255")) << "the second one";
             EXPECT_TRUE(r.notes("bochum_000000_000019_gtFine_labelIds.png"));
             EXPECT_TRUE(r.notes("if these are class ids: `mask-values` ids"));
         }},
        {"Cityscapes, train ids that are called label ids and read as what they are",
         [](TempDir& d) {
             cityscapes(d, {"labelIds"});
             for (const char* name : {"train/aachen/aachen", "train/bochum/bochum", "val/lindau/lindau"})
                 add_values(d / ("gtFine/" + std::string(name) + "_000000_000019_gtFine_labelIds.png"), {0, 13, 255});
         },
         [](const Read& r) { EXPECT_FALSE(r.notes("hold 255")) << "the advice is taken"; },
         {},
         {},
         "ids"},
        {"Cityscapes, masks of an object in place of label ids",
         [](TempDir& d) {
             cityscapes(d, {"labelTrainIds"});
             for (const char* name : {"train/aachen/aachen", "train/bochum/bochum", "val/lindau/lindau"})
                 add_values(d / ("gtFine/" + std::string(name) + "_000000_000019_gtFine_labelTrainIds.png"), {0, 255});
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("do these masks follow")) << "one class, and the rest ignored"; }},
        {"Ids that nobody vouches for",
         [](TempDir& d) {
             add_image(d / "images/a.png");
             add_values(d / "masks/a.png", {0, 2, 255});
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("do these masks follow")) << "class 1 is absent, a third ignored"; },
         {},
         no_split,
         "ids"},
        {"Cityscapes, an image without labels",
         [](TempDir& d) {
             cityscapes(d, {"labelTrainIds"});
             add_image(d / "leftImg8bit/train/aachen/aachen_000009_000019_leftImg8bit.png");
         },
         {},
         {"1 of 3 images", "aachen_000009_000019_leftImg8bit.png"}},
        {"ADE20K",
         [](TempDir& d) {
             for (const char* part : {"training", "validation"}) {
                 add_image(d / ("ADEChallengeData2016/images/" + std::string(part) + "/a.jpg"));
                 add_values(d / ("ADEChallengeData2016/annotations/" + std::string(part) + "/a.png"), {0, 1, 3});
             }
             write_text(d / "ADEChallengeData2016/objectInfo150.txt",
                        "Idx\tRatio\tTrain\tVal\tStuff\tName\n1\t0.1\t1\t1\t1\twall, x\n2\t0.1\t1\t1\t1\tbuilding\n"
                        "3\t0.1\t1\t1\t1\tsky\n");
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"wall", "building", "sky"}));
             EXPECT_EQ(r.report.ignored_pixels, 32);
             EXPECT_TRUE(r.notes("`mask-values` ids"));
         }},
        {"CVAT",
         [](TempDir& d) {
             add_image(d / "JPEGImages/a.jpg");
             add_colours(d / "SegmentationClass/a.png", {0, 0xff0000, 0x0000ff});
             write_text(d / "labelmap.txt",
                        "# label:color_rgb:parts:actions\ncar:255,0,0::\nbackground:0,0,0::\nman:0,0,255::\n");
             write_text(d / "ImageSets/Segmentation/default.txt", "a\n");
         },
         [](const Read& r) {
             counts(1, 0, 0, 3)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "car", "man"}));
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{16, 16, 16}));
         }},
        {"VOC from its parent",
         [](TempDir& d) {
             voc(d, "VOCdevkit/VOC2012/", {"2007_000032", "2007_000039"});
         },
         is_voc,
         {},
         no_split},
        {"VOC from VOCdevkit",
         [](TempDir& d) {
             voc(d, "VOC2007/", {"000032", "000039"});
         },
         is_voc,
         {},
         no_split},
        {"VOC's year",
         [](TempDir& d) {
             voc(d, "VOC2007/", {"000032", "000039"});
         },
         is_voc,
         {},
         [](DatasetOptions& o) { o.root += "/VOC2007", o.val_fraction = 0; }},
        {"VOC's folders with other images",
         [](TempDir& d) {
             voc(d, "VOC2007/", {"scan1", "scan2"});
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_TRUE(r.dataset.class_names.empty());
         }},
        {"comma10k",
         [](TempDir& d) {
             for (const char* name : {"0000_0085e9e41513078a_2018-08-19--13-26-08_11_864",
                                      "0001_a23b0de0bc12dcba_2018-06-24--00-29-19_17_79"}) {
                 add_image(d / ("imgs/" + std::string(name) + ".png"));
                 add_colours(d / ("masks/" + std::string(name) + ".png"), {0x402020, 0xff0000, 0x808060});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 5)(r);
             EXPECT_EQ(r.dataset.val[0].name, "imgs/0001_a23b0de0bc12dcba_2018-06-24--00-29-19_17_79");
             EXPECT_EQ(r.dataset.class_names[1], "lane markings");
         }},
        {"Oxford Pets",
         [](TempDir& d) {
             for (const char* name : {"Abyssinian_0", "beagle_1"}) {
                 add_image(d / ("images/" + std::string(name) + ".jpg"));
                 add_values(d / ("annotations/trimaps/" + std::string(name) + ".png"), {1, 2, 2, 3});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{48, 24, 24}));
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "pet", "border"}));
         }},
        {"Oxford Pets with its lists",
         [](TempDir& d) {
             for (const char* name : {"a_0", "a_1", "a_2"}) {
                 add_image(d / ("images/" + std::string(name) + ".jpg"));
                 add_values(d / ("annotations/trimaps/" + std::string(name) + ".png"), {1, 2, 3});
             }
             write_text(d / "annotations/trainval.txt", "a_0 1 1 1\na_2 1 1 1\n");
             write_text(d / "annotations/test.txt", "a_1 1 1 1\n");
         },
         counts(1, 1, 1, 3)},
        {"DRIVE with its fields of view",
         [](TempDir& d) {
             add_image(d / "training/images/21_training.png");
             add_mask(d / "training/1st_manual/21_manual1.png");
             add_mask(d / "training/mask/21_training_mask.png");
         },
         {},
         {"training/1st_manual (the vessels)", "training/mask",
          "`images` training/images `masks` training/1st_manual"}},
        {"DRIVE as its message says",
         [](TempDir& d) {
             for (const char* n : {"21", "22", "31"}) {
                 add_image(d / ("training/images/" + std::string(n) + "_training.png"));
                 add_mask(d / ("training/1st_manual/" + std::string(n) + "_manual1.png"));
                 add_mask(d / ("training/mask/" + std::string(n) + "_training_mask.png"));
             }
         },
         [](const Read& r) {
             counts(2, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("NAME_training with NAME_manual1"));
         },
         {},
         [](DatasetOptions& o) { o.images = "training/images", o.masks = "training/1st_manual"; }},
        {"DRIVE without fields of view",
         [](TempDir& d) {
             add_image(d / "training/images/21_training.png");
             add_mask(d / "training/1st_manual/21_manual1.png");
         },
         counts(1, 0, 0, 2)},
        {"ISIC",
         [](TempDir& d) {
             for (const char* part : {"Training", "Validation"})
                 for (const char* n : {"0", "1"}) {
                     add_image(d / fmt::format("ISIC-2017_{}_Data/ISIC_000{}.jpg", part, n));
                     add_mask(d / fmt::format("ISIC-2017_{}_Part1_GroundTruth/ISIC_000{}_segmentation.png", part, n));
                 }
         },
         [](const Read& r) {
             counts(2, 2, 0, 2)(r);
             EXPECT_TRUE(r.notes("NAME with NAME_segmentation"));
         }},
        {"DSB2018 from its parent",
         [](TempDir& d) {
             for (const char* id : {"aa", "bb"}) {
                 add_image(d / fmt::format("stage1_train/{0}/images/{0}.png", id));
                 add_values(d / fmt::format("stage1_train/{}/masks/1.png", id), {255, 0, 0, 0});
                 add_values(d / fmt::format("stage1_train/{}/masks/2.png", id), {0, 255, 0, 0});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{48, 48}));
         }},
        {"DSB2018, an object's mask of another size",
         [](TempDir& d) {
             add_image(d / "aa/images/aa.png");
             add_values(d / "aa/masks/1.png", {255, 0});
             add_values(d / "aa/masks/2.png", {255, 0}, 3, 4);
         },
         {},
         {"masks/2.png", "4x3", "8x6"}},
        {"DSB2018, no masks",
         [](TempDir& d) {
             add_image(d / "aa/images/aa.png");
             fs::create_directories(d.path() / "aa/masks");
         },
         {},
         {"aa/masks", "no masks of objects"}},
    };
}

std::vector<SetRow> folders() {
    return {
        {"Roboflow's semantic masks",
         [](TempDir& d) {
             for (const char* part : {"train", "valid", "test"}) {
                 const std::string stem = fmt::format("{}/photo_jpg.rf.{}", part, part);
                 add_image(d / (stem + ".jpg"));
                 add_values(d / (stem + "_mask.png"), {0, 1, 2});
                 write_text(d / (std::string(part) + "/_classes.csv"),
                            "Pixel Value, Class\n0, background\n1, cat\n2, dog\n3, tree");
             }
         },
         [](const Read& r) {
             counts(1, 1, 1, 4)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "cat", "dog", "tree"}));
         }},
        {"BUSI",
         [](TempDir& d) {
             for (const char* kind : {"benign", "normal"})
                 for (int i = 1; i < 3; ++i) {
                     add_image(d / fmt::format("{0}/{0} ({1}).png", kind, i));
                     add_mask(d / fmt::format("{0}/{0} ({1})_mask.png", kind, i));
                 }
         },
         counts(3, 1, 0, 2),
         {},
         [](DatasetOptions& o) { o.val_fraction = 0.25; }},
        {"BUSI, an image with two masks",
         [](TempDir& d) {
             for (const char* n : {"a", "b"}) add_image(d / fmt::format("benign/{}.png", n));
             add_values(d / "benign/a_mask.png", {255, 0, 0, 0});
             add_values(d / "benign/a_mask_1.png", {0, 255, 0, 0});
             add_values(d / "benign/b_mask.png", {255, 0, 0, 0});
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{60, 36}));
             EXPECT_TRUE(r.notes("several numbered masks"));
         }},
        {"two folders of masks",
         [](TempDir& d) {
             flat(d, 2);
             flat(d, 2, "images/", "labels/");
         },
         [](const Read& r) {
             EXPECT_TRUE(r.notes("masks is taken, but labels could be meant too: `images` images `masks` labels"));
         }},
        {"Carvana in one folder", [](TempDir& d) { flat(d, 3, "", "", "_mask"); }, counts(2, 1, 0, 2)},
        {"Carvana as four folders",
         [](TempDir& d) {
             flat(d, 3, "train_images/", "train_masks/", "_mask");
             flat(d, 2, "val_images/", "val_masks/", "_mask");
         },
         counts(3, 2, 0, 2)},
        {"DeepGlobe",
         [](TempDir& d) {
             for (const char* n : {"100", "101", "102"}) {
                 add_image(d / fmt::format("train/{}_sat.jpg", n));
                 add_mask(d / fmt::format("train/{}_mask.png", n));
             }
             add_image(d / "valid/7_sat.jpg");
         },
         [](const Read& r) {
             counts(2, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("the 1 images of the part 'val' have no masks"));
         }},
        {"one folder, an image without mask",
         [](TempDir& d) {
             flat(d, 3, "", "", "_mask");
             add_image(d / "zz.jpg");
         },
         {},
         {"1 of 4 images", "zz.jpg"}},
        {"FASSEG's folders",
         [](TempDir& d) {
             add_image(d / "Train_RGB/1.png");
             add_mask(d / "Train_Labels/1.png");
         },
         counts(1, 0, 0, 2)},
        {"folders of patients",
         [](TempDir& d) {
             flat(d, 2, "images/p01/", "masks/p01/");
             flat(d, 2, "images/p02/", "masks/p02/");
         },
         [](const Read& r) {
             EXPECT_EQ(r.dataset.train.size() + r.dataset.val.size(), 4u);
             for (const Sample& s : r.dataset.train)
                 EXPECT_EQ(fs::path(s.image_path).parent_path().filename(),
                           fs::path(s.mask_path).parent_path().filename());
         }},
        {"images in folders beside images",
         [](TempDir& d) {
             flat(d, 2);
             add_image(d / "images/more/x.png");
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("1 images in folders within it are not taken")); }},
        {"train, val and test",
         [](TempDir& d) {
             for (const char* part : {"train", "val", "test"})
                 flat(d, 2, std::string(part) + "/images/", std::string(part) + "/masks/");
         },
         counts(2, 2, 2, 2)},
        {"a test that is trained on",
         [](TempDir& d) {
             flat(d, 2, "train/images/", "train/masks/");
             fs::create_directory_symlink(d.path() / "train", d.path() / "test");
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("2 images of the part test also train or validate")); }},
        {"a folder of masks for each image",
         [](TempDir& d) {
             for (const char* n : {"x", "y"}) {
                 add_image(d / fmt::format("images/{}.png", n));
                 add_values(d / fmt::format("masks/{}/0.png", n), {255, 0, 0, 0});
                 add_values(d / fmt::format("masks/{}/1.png", n), {0, 0, 255, 0});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{48, 48}));
             EXPECT_TRUE(r.notes("a folder of masks for each image"));
         }},
        {"a folder of masks for each class",
         [](TempDir& d) {
             for (const char* n : {"x", "y"}) {
                 add_image(d / fmt::format("images/{}.png", n));
                 add_values(d / fmt::format("masks/road/{}.png", n), {255, 0, 0, 255});
                 add_values(d / fmt::format("masks/sky/{}.png", n), {0, 0, 255, 255});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{24, 24, 48}));
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "road", "sky"}));
             EXPECT_TRUE(r.notes("1 road, 2 sky"));
         }},
        {"folders of classes of which a part lacks one",
         [](TempDir& d) {
             for (const char* part : {"train", "val"}) {
                 add_image(d / fmt::format("{}/images/x.png", part));
                 add_values(d / fmt::format("{}/masks/sky/x.png", part), {255, 0, 255, 0});
             }
             add_values(d / "train/masks/road/x.png", {0, 255, 0, 0});
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "road", "sky"}));
             const Sample& val = r.dataset.val[0];
             EXPECT_EQ(load_mask(val, 6, 8).value(0), 2u) << "sky has the id that it trains with";
         }},
        {"folders of classes of which a part has one more",
         [](TempDir& d) {
             for (const char* part : {"train", "val"})
                 for (const char* name : {"road", part[0] == 't' ? "sky" : "tree"}) {
                     add_image(d / fmt::format("{}/images/x.png", part));
                     add_values(d / fmt::format("{}/masks/{}/x.png", part, name), {255, 0, 255, 0});
                 }
         },
         {},
         {"val/masks", "tree", "background, road, sky"}},
        {"a folder of the background beside those of classes",
         [](TempDir& d) {
             for (const char* n : {"x", "y"}) {
                 add_image(d / fmt::format("images/{}.png", n));
                 add_values(d / fmt::format("masks/background/{}.png", n), {255, 0, 0, 255});
                 add_values(d / fmt::format("masks/sky/{}.png", n), {0, 255, 255, 0});
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "sky"}));
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{48, 48}));
         }},
        {"a folder of masks for each image, and others",
         [](TempDir& d) {
             for (const char* n : {"x", "y", "z"}) add_mask(d / fmt::format("masks/{}/0.png", n));
             for (const char* n : {"x", "y"}) add_image(d / fmt::format("images/{}.png", n));
             add_mask(d / "masks/w/more/0.png");
             fs::create_symlink("nowhere.png", d / "images/z.png");
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("masks: 2 masks have no image: w/more/0.png, z/0.png"));
             EXPECT_TRUE(r.notes("1 files cannot be looked at and are left out"));
         }},
        {"a folder of masks for each class, and masks of other names",
         [](TempDir& d) {
             for (const char* n : {"x", "y"}) add_image(d / fmt::format("images/{}.png", n));
             for (const char* n : {"road/x", "road/y", "sky/x", "sky/why"})
                 add_mask(d / fmt::format("masks/{}.png", n));
             fs::create_symlink("nowhere.png", d / "images/z.png");
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_TRUE(r.notes("masks: 1 masks have no image: sky/why.png"));
             EXPECT_TRUE(r.notes("1 files cannot be looked at and are left out"));
         }},
        {"a folder of a class that belongs to no image",
         [](TempDir& d) {
             for (const char* n : {"x", "y"}) {
                 add_image(d / fmt::format("images/{}.png", n));
                 for (const char* name : {"road/{}", "sky/{}", "tree/{}-1"})
                     add_mask(d / fmt::format("masks/{}.png", fmt::format(fmt::runtime(name), n)));
             }
         },
         {},
         {"masks/tree: none of its 2 masks", "images", "x-1"}},
        {"macOS's files",
         [](TempDir& d) {
             flat(d, 3);
             write_text(d / "images/._a0.jpg", "finder");
             write_text(d / "__MACOSX/images/a0.jpg", "finder");
         },
         counts(2, 1, 0, 2)},
        {"names of classes in the root",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "class_names.txt", "background\ncell\n");
         },
         [](const Read& r) {
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "cell"}));
         }},
        {"a classes.txt that is a list",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "classes.txt", "a0.jpg\nb1.jpg\n");
         },
         [](const Read& r) { EXPECT_TRUE(r.dataset.class_names.empty()); }},
        {"annotations.json beside masks",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "annotations.json", "{}");
         },
         counts(1, 1, 0, 2)},
        {"names and colours of class_dict.csv",
         [](TempDir& d) {
             for (const char* n : {"a", "b"}) {
                 add_image(d / fmt::format("images/{}.png", n));
                 add_colours(d / fmt::format("masks/{}.png", n), {0x808080, 0x800000});
             }
             write_text(d / "class_dict.csv", "name,r,g,b\nSky,128,128,128\nBuilding,128,0,0\nPole,192,192,128\n");
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.report.pixels, (std::vector<int64_t>{48, 48, 0}));
         }},
        {"a labelmap.txt of another form",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "labelmap.txt", "0 background\n1 cat\n");
             write_text(d / "classes.txt", "none\ncat\n");
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("labelmap.txt:1: not the names of classes"));
             EXPECT_EQ(r.dataset.class_names, (Names{"none", "cat"})) << "the search goes on";
         }},
        {"a labelmap.txt of names and ids in CVAT's place",
         [](TempDir& d) {
             flat(d, 2, "JPEGImages/", "SegmentationClass/");
             write_text(d / "labelmap.txt", "background: 0\ncat: 1\n");
         },
         [](const Read& r) {
             counts(1, 1, 0, 2)(r);
             EXPECT_TRUE(r.notes("labelmap.txt:1: not the names of classes"));
         }},
        {"a labelmap.txt of CVAT with a wrong colour",
         [](TempDir& d) {
             flat(d, 2, "JPEGImages/", "SegmentationClass/");
             write_text(d / "labelmap.txt", "background:0,0,0::\ncat:1,2,300::\n");
         },
         {},
         {"labelmap.txt:2", "0 to 255"}},
        {"a labels.txt that has a label for each image",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "labels.txt", "cat\ndog\ncat\n");
         },
         [](const Read& r) { EXPECT_TRUE(r.dataset.class_names.empty()); }},
        {"a class_dict.csv that is none",
         [](TempDir& d) {
             flat(d, 2);
             write_text(d / "class_dict.csv", "name,r,g,b\nSky,128,300,1\n");
         },
         {},
         {"class_dict.csv:2", "0 to 255"}},
        {"nothing that is known",
         [](TempDir& d) {
             add_image(d / "photos/a.jpg");
             add_image(d / "truth/b.png");
         },
         {},
         {"no data set", "photos/ (1), truth/ (1)", "`images` and `masks`"}},
        {"CVAT's XML",
         [](TempDir& d) {
             add_image(d / "images/a.jpg");
             write_text(d / "annotations.xml", "<annotations/>");
         },
         {},
         {"annotations.xml", "Segmentation mask 1.1"}},
    };
}

}  // namespace

TEST(Layouts, OfSingleSets) { run_rows(single_sets()); }
TEST(Layouts, OfFolders) { run_rows(folders()); }

}  // namespace atrous::data::test
