// A sample is its image's file: whatever the path or the links that lead to it, it trains or validates, and once.
#include "data/dataset.h"
#include "sets.h"

namespace atrous::data::test {

namespace {

// train/ and val/ of three and two samples.
void split_set(const TempDir& dir) {
    flat(dir, 3, "train/images/", "train/masks/");
    flat(dir, 2, "val/images/", "val/masks/");
}

Dataset with_val_list(const TempDir& dir, const std::string& text) {
    write_text(dir / "held-out.txt", text);
    return find(dir, [&](auto& o) { o.val_list = dir / "held-out.txt"; });
}

std::string line(const std::string& image, const std::string& mask) { return image + "\t" + mask + "\n"; }

const Names all_train = {"train/images/a0", "train/images/b1", "train/images/c2"};

}  // namespace

TEST(SameFile, AValListIsTakenFromTrainingHoweverItSpellsItsPaths) {
    TempDir dir;
    split_set(dir);
    fs::create_directory_symlink("val", dir.path() / "linked");
    fs::create_symlink("../val/images/a0.jpg", dir.path() / "train" / "link.jpg");
    for (const char* folder : {"val/", "./val/", "val//", "././val/.//", "linked/"}) {
        SCOPED_TRACE(folder);
        const auto at = [&](const char* file) { return std::string(folder) + file; };
        const Dataset dataset = with_val_list(
            dir, line(at("images/a0.jpg"), at("masks/a0.png")) + line(at("images//b1.jpg"), at("masks/b1.png")));
        EXPECT_EQ(names(dataset.train), all_train);
        const std::string part = std::string(folder) == "linked/" ? "linked" : "val";
        EXPECT_EQ(names(dataset.val), (Names{part + "/images/a0", part + "/images/b1"}));
        EXPECT_TRUE(dataset.warnings.empty()) << "that a list takes from a layout needs no word";
    }
    const Dataset dataset = with_val_list(dir, line("train/link.jpg", "val/masks/a0.png"));
    EXPECT_EQ(dataset.train.size(), 4u) << "a link to one file";
    EXPECT_EQ(names(dataset.val), (Names{"train/link"}));
}

TEST(SameFile, WhatBothListsNameValidatesAndIsSaid) {
    TempDir dir;
    flat(dir, 9);
    std::string all, held_out;
    for (int i = 0; i < 9; ++i) {
        const std::string stem = std::string(1, char('a' + i)) + std::to_string(i);
        all += line("images/" + stem + ".jpg", "masks/" + stem + ".png");
        if (i < 7) held_out += line("./images//" + stem + ".jpg", "masks/" + stem + ".png");
    }
    write_text(dir / "all.txt", all);
    write_text(dir / "held-out.txt", held_out);
    const Dataset dataset = find(dir, [&](auto& o) {
        o.train_list = dir / "all.txt";
        o.val_list = dir / "held-out.txt";
    });
    EXPECT_EQ(names(dataset.train), (Names{"images/h7", "images/i8"}));
    EXPECT_EQ(dataset.val.size(), 7u);
    ASSERT_EQ(dataset.warnings.size(), 1u);
    for (const char* part : {"7 images", "all.txt", "held-out.txt", "images/a0, images/b1", "and 2 more", "validate"})
        EXPECT_NE(dataset.warnings[0].find(part), std::string::npos) << dataset.warnings[0];
}

TEST(SameFile, TwiceInAListIsRefused) {
    TempDir dir;
    split_set(dir);
    fs::create_directory_symlink("val", dir.path() / "linked");
    const std::string first = line("val/images/a0.jpg", "val/masks/a0.png");
    for (const char* again : {"./val/images/a0.jpg", "val//images/a0.jpg", "linked/images/a0.jpg"})
        expect_error([&] { with_val_list(dir, first + line(again, "val/masks/a0.png")); },
                     {"1 images", "twice", "val/images/a0"});
}

// Programs that find equal files join them so. One that validates must not train all the same.
TEST(SameFile, HardLinksWithinAPartAreSaid) {
    TempDir dir;
    split_set(dir);
    fs::create_hard_link(dir.path() / "val/images/a0.jpg", dir.path() / "val/hard.jpg");
    const Dataset set =
        with_val_list(dir, line("val/images/a0.jpg", "val/masks/a0.png") + line("val/hard.jpg", "val/masks/a0.png"));
    EXPECT_EQ(set.val.size(), 2u);
    ASSERT_EQ(set.warnings.size(), 1u);
    EXPECT_NE(set.warnings[0].find("1 images are hard links"), std::string::npos) << set.warnings[0];
    fs::create_hard_link(dir.path() / "val/images/b1.jpg", dir.path() / "train/images/z9.jpg");
    fs::copy(dir.path() / "val/masks/b1.png", dir.path() / "train/masks/z9.png");
    expect_error([&] { find(dir); }, {"1 images", "the same file as train/images/z9"});
}

TEST(SameFile, ALayoutWhoseTrainingImagesAreLinkedForValidationIsRefused) {
    TempDir dir;
    split_set(dir);
    fs::remove(dir.path() / "val/images/b1.jpg");
    fs::create_symlink("../../train/images/c2.jpg", dir.path() / "val/images/b1.jpg");
    expect_error([&] { find(dir); }, {"1 images", "val/images/b1 (the same file as train/images/c2)"});
}

TEST(SameFile, KeysAreOneForEverySpelling) {
    TempDir dir;
    add_image(dir / "a/b.png");
    fs::create_directory_symlink("a", dir.path() / "linked");
    const auto key = [&](const std::string& below) {
        Sample sample;
        sample.image_path = dir / below;
        return file_key(sample);
    };
    EXPECT_EQ(key("a/b.png"), fs::canonical(dir.path() / "a/b.png").string());
    EXPECT_EQ(key("a//./b.png"), key("a/b.png"));
    EXPECT_EQ(key("linked/b.png"), key("a/b.png"));
}

// Names key the split: those of a plain data set stay as they are, however its root is given.
TEST(SameFile, NamesDoNotDependOnTheSpellingOfTheRoot) {
    TempDir dir;
    split_set(dir);
    for (const char* end : {"", "/", "//", "/.", "/train/.."})
        EXPECT_EQ(names(find(dir, [&](auto& o) { o.root += end; }).train), all_train) << end;
}

}  // namespace atrous::data::test
