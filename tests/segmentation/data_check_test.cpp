// What a check of a data set says: each fault with its place and what to do.
#include "segmentation/data_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/philox.h"
#include "data/check_index.h"
#include "data/synth.h"
#include "data/transform.h"
#include "segmentation/data_sheet.h"
#include "segmentation/evaluation_data.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using data::Image, data::make_image;

class DataCheckTest : public testing::Test {
 protected:
    DataCheckTest() {
        for (const char* part : {"images", "masks"}) fs::create_directories(fs::path(folder_) / part);
        e_.data.root = folder_;
        e_.data.check_cache = "none";
        e_.size = 32;
    }
    ~DataCheckTest() override { fs::remove_all(folder_); }

    std::string image(const std::string& name) const { return folder_ + "/images/" + name + ".png"; }
    std::string mask(const std::string& name) const { return folder_ + "/masks/" + name + ".png"; }
    // An image unlike the others, and a mask with a square of `value`.
    void add(const std::string& name, int64_t side = 64, uint8_t value = 255, int64_t square = 20) {
        Random random(name_hash(name));
        Image small = make_image<uint8_t>(6, 6, 3);
        for (uint8_t& v : small.u8) v = uint8_t(random.below(256));
        data::save_png(image(name), data::resize_bilinear(small, side, side));
        data::save_png(mask(name), square_of(side, value, square));
    }
    static Image square_of(int64_t side, uint8_t value, int64_t square) {
        Image labels = make_image<uint8_t>(side, side, 1);
        for (int64_t y = 8; y < 8 + square; ++y)
            for (int64_t x = 8; x < 8 + square; ++x) labels.u8[size_t(y * side + x)] = value;
        return labels;
    }
    DataCheck checked() { return check_data(e_, silent_); }
    static std::string joined(const std::vector<std::string>& lines) {
        std::string text;
        for (const auto& line : lines) text += line + "\n";
        return text;
    }
    void expect_warning(const std::vector<std::string>& parts) {
        const std::string warnings = joined(checked().warnings);
        for (const auto& part : parts)
            EXPECT_NE(warnings.find(part), std::string::npos) << part << "\nin\n" << warnings;
    }

    std::string folder_ = fs::temp_directory_path() / ("atrous_data_check_" + std::to_string(getpid()));
    Experiment e_;
    NoMessages silent_;
};

TEST_F(DataCheckTest, AGoodSetHasNothingToSay) {
    for (int i = 0; i < 10; ++i) add("s" + std::to_string(i));
    const DataCheck check = checked();
    EXPECT_TRUE(check.can_train());
    EXPECT_TRUE(check.warnings.empty()) << joined(check.warnings);
    const auto parts = classes_of_parts(check);
    ASSERT_EQ(parts.size(), 2u);
    EXPECT_EQ(parts[0].samples, 9);
    EXPECT_EQ(parts[1].samples_with, (std::vector<int64_t>{1, 1}));
    EXPECT_EQ(parts[1].pixels, (std::vector<int64_t>{64 * 64 - 400, 400}));
    const std::string text = text_of(check);
    for (const char* part : {"9 train, 1 validate", "images: 64x64, 3 channels of 8 bits",
                             "0 is class 0, 255 is class 1", "9.77 % in 9 of 9", "a training can take"})
        EXPECT_NE(text.find(part), std::string::npos) << part << "\nin\n" << text;
    const nlohmann::json json = json_of(check);
    EXPECT_EQ(json["classes"][1]["train"]["masks"], 9);
    EXPECT_TRUE(json["can_train"]);
}

// The others are still looked at, so that one run shows all there is.
TEST_F(DataCheckTest, NamesEveryFileThatCannotBeUsed) {
    for (int i = 0; i < 6; ++i) add("s" + std::to_string(i));
    data::save_png(mask("s1"), square_of(32, 255, 4));
    fs::resize_file(image("s4"), 40);
    const DataCheck check = checked();
    EXPECT_FALSE(check.can_train());
    ASSERT_EQ(check.problems.size(), 2u) << joined(check.problems);
    const std::string problems = joined(check.problems);
    EXPECT_NE(problems.find("s1.png: the mask is 32x32"), std::string::npos) << problems;
    EXPECT_NE(problems.find("s4.png"), std::string::npos) << problems;
    ASSERT_TRUE(check.report);
    EXPECT_EQ(check.report->samples, 4);
    EXPECT_NE(text_of(check).find("would refuse this data set: 2 problems"), std::string::npos);
    EXPECT_THROW(data_sheet(e_, check, 3, false), DataError);
}

TEST_F(DataCheckTest, SaysWhatMasksCouldBeWhereItCannotTell) {
    for (int i = 0; i < 4; ++i) add("s" + std::to_string(i), 64, i % 2 ? 255 : 127);
    const DataCheck check = checked();
    ASSERT_EQ(check.problems.size(), 1u);
    EXPECT_NE(check.problems[0].find("`mask-values` 0=0,127=1,255=2"), std::string::npos) << check.problems[0];
    EXPECT_NE(text_of(check).find("images: 64x64"), std::string::npos) << "what can be said is";
}

TEST_F(DataCheckTest, ObjectsThinnerThanTheShrinkAreNamed) {
    for (int i = 0; i < 4; ++i) add("s" + std::to_string(i), 256, 255, i == 2 ? 5 : 40);
    expect_warning({"class 1 may vanish at `size` 32", "in 1 of 4 masks", "5 of 8 pixels in " + mask("s2")});
    e_.size = 64;
    EXPECT_TRUE(checked().warnings.empty()) << "5 pixels are more than 4";
}

TEST_F(DataCheckTest, PalettesThatDisagreeAreNamed) {
    for (int i = 0; i < 4; ++i) {
        const std::string name = "s" + std::to_string(i);
        add(name);
        data::Palette palette{0x000000, i == 3 ? 0x00ff00u : 0xff0000u, i == 1 ? 0x123456u : 0x0000ffu};
        data::save_png(mask(name), square_of(64, 1, 20), palette);
    }
    expect_warning({"the palettes of 1 masks", "1 is #ff0000 in", "#00ff00 in " + mask("s3"), "`mask-values`"});
}

TEST_F(DataCheckTest, AShapeInTheAlphaIsNamed) {
    for (int i = 0; i < 4; ++i) {
        const std::string name = "s" + std::to_string(i);
        add(name);
        Image rgba = make_image<uint8_t>(64, 64, 4);
        const Image shape = square_of(64, 255, 20);
        for (size_t p = 0; p < shape.u8.size(); ++p) rgba.u8[4 * p + 3] = shape.u8[p];
        data::save_png(mask(name), rgba);
    }
    const DataCheck check = checked();
    EXPECT_FALSE(check.can_train());
    EXPECT_NE(joined(check.warnings).find("4 masks have one colour everywhere and a shape in their alpha"),
              std::string::npos)
        << joined(check.warnings);
}

// A training never looks at the part test, so that its faults are no reason to refuse the set. They are counted whatever
// else there is to say.
TEST_F(DataCheckTest, FaultsOfThePartTestAreWarnings) {
    for (const char* part : {"images", "masks"}) fs::create_directories(fs::path(folder_) / "test" / part);
    for (int i = 0; i < 60; ++i) {
        const std::string name = "t" + std::to_string(i);
        add(name, 64, i < 30 ? 255 : 3);
        if (i < 7) fs::resize_file(image(name), 40);
        for (const char* part : {"images", "masks"})
            fs::rename(fs::path(folder_) / part / (name + ".png"), fs::path(folder_) / "test" / part / (name + ".png"));
    }
    for (int i = 0; i < 10; ++i) add("s" + std::to_string(i));
    e_.data.images = "images", e_.data.masks = "masks";
    e_.data.test_images = "test/images", e_.data.test_masks = "test/masks";
    const DataCheck check = checked();
    EXPECT_TRUE(check.can_train()) << joined(check.problems);
    EXPECT_EQ(check.parts, (std::vector<size_t>{9, 1, 53}));
    expect_warning({"7 of 60 test samples cannot be read, so that `split` test cannot be scored", "t0.png",
                    "and 2 more", "30 of 53 test masks have values that stand for no class", "has the value 3",
                    "and 25 more"});
}

TEST_F(DataCheckTest, SoftEdgesUnderBinaryAreNamed) {
    for (int i = 0; i < 4; ++i) {
        const std::string name = "s" + std::to_string(i);
        add(name);
        Image soft = square_of(64, 255, 20);
        for (size_t k = 0; k < 28; ++k) soft.u8[7 * 64 + 4 + k] = uint8_t(40 + 7 * k);
        data::save_png(mask(name), soft);
    }
    e_.mask_values = "binary";
    expect_warning({"4 masks have soft edges", "binary:128"});
    e_.mask_values = "binary:128";
    EXPECT_TRUE(checked().warnings.empty());
}

TEST_F(DataCheckTest, CopiesAndIgnoredMasksAreNamed) {
    for (int i = 0; i < 6; ++i) add("s" + std::to_string(i), 64, 1);
    fs::copy_file(image("s0"), image("s1"), fs::copy_options::overwrite_existing);
    data::save_png(mask("s2"), Image(square_of(64, 0, 0)));
    Image ignored = square_of(64, 0, 0);
    std::fill(ignored.u8.begin(), ignored.u8.end(), uint8_t(255));
    data::save_png(mask("s3"), ignored);
    e_.mask_values = "ids";
    expect_warning({"1 images are copies of others, byte for byte: " + image("s1") + " and " + image("s0"),
                    "1 masks are ignored everywhere, and teach nothing: " + mask("s3")});
}

// A class that no validation sample holds, by its name where it has one.
TEST_F(DataCheckTest, ClassesThatTheValidationLacksAreNamed) {
    for (int i = 0; i < 10; ++i) add("s" + std::to_string(i), 64, i < 2 ? 2 : 1);
    std::FILE* names = std::fopen((folder_ + "/class_names.txt").c_str(), "w");
    std::fputs("ground\nroad\ncar\n", names);
    std::fclose(names);
    e_.data.val_pattern = "s9.png";
    expect_warning({"no validation sample holds class 2 (car): its scores will be absent"});
    e_.data.val_pattern = "";
    e_.data.split_by_class = true;
    EXPECT_TRUE(checked().warnings.empty()) << joined(checked().warnings);
}

// A split by class is that of the training, by whatever rule the masks are scored; where it does not matter, no mask is
// read for it.
TEST_F(DataCheckTest, TheSplitThatIsScoredGoesByTheTrainingsRule) {
    for (int i = 0; i < 12; ++i) add("s" + std::to_string(i), 64, i == 3 || i == 8 ? 2 : 1);
    e_.data.split_by_class = true;
    const auto names = [](const data::Dataset& set) {
        std::vector<std::string> names;
        for (const data::Sample& sample : set.val) names.push_back(sample.name);
        return names;
    };
    bool differs = false;
    for (e_.data.seed = 0; e_.data.seed < 8; ++e_.data.seed) {
        data::CheckOptions looking{.rule = data::parse_mask_rule("binary"), .class_count = 3};
        const auto trained = names(data::find_dataset(e_.data, {}));
        EXPECT_EQ(names(find_to_score(e_.data, "val", {}, "ids", looking)), trained) << e_.data.seed;
        differs = differs || names(data::find_dataset(e_.data, {.rule = looking.rule})) != trained;
        data::CheckIndex index("");
        looking.index = &index;
        for (const char* split : {"all", "test"}) find_to_score(e_.data, split, {}, "ids", looking);
        EXPECT_EQ(index.added(), 0);
    }
    EXPECT_TRUE(differs) << "the rule matters";
}

TEST_F(DataCheckTest, TheSheetShowsWhatTrainingSees) {
    for (int i = 0; i < 10; ++i) add("s" + std::to_string(i));
    const DataCheck check = checked();
    const Image sheet = data_sheet(e_, check, 4, false);
    EXPECT_GT(sheet.h, 4 * 192);
    EXPECT_EQ(sheet.w, 3 * 192 + 2 * 8 + 2 * 16) << "image, mask, overlay";
    e_.augmentations.set("rotate", "90");
    EXPECT_EQ(data_sheet(e_, check, 4, false).u8, sheet.u8);
    EXPECT_NE(data_sheet(e_, check, 4, true).u8, sheet.u8);
}

}  // namespace
}  // namespace atrous
