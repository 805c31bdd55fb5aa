// What may be written where, what results are called, and logits row by row.
#include "segmentation/outputs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/error.h"
#include "base/philox.h"
#include "data/image.h"
#include "engine/ops/resize.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"
#include "segmentation/result_names.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

class OutputsTest : public testing::Test {
 protected:
    void SetUp() override { fs::create_directories(path("")); }
    void TearDown() override { fs::remove_all(path("")); }
    static std::string path(const std::string& name) {
        return (fs::temp_directory_path() / ("atrous_outputs_" + std::to_string(::getpid())) / name).string();
    }
    static void write(const std::string& name, const std::string& text) { std::ofstream(path(name)) << text; }
    template <class E>
    static void expect_refused(const Outputs& outputs, bool overwrite, const std::string& words) {
        try {
            outputs.check(overwrite);
            FAIL() << "accepted, where it should say: " << words;
        } catch (const E& e) {
            EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
        }
    }
};

TEST_F(OutputsTest, AnOutputIsNoInputHoweverItIsSpelled) {
    write("net.safetensors", "weights");
    fs::create_symlink("net.safetensors", path("link"));
    fs::create_hard_link(path("net.safetensors"), path("hard"));
    for (const char* spelled : {"net.safetensors", ".//net.safetensors", "link", "hard"}) {
        Outputs outputs;
        outputs.reads("--checkpoint", path("net.safetensors")).writes("--json", path(spelled), FileKind::json);
        expect_refused<UsageError>(outputs, true, "the file that --checkpoint reads");
    }
}

TEST_F(OutputsTest, TwoOutputsAreTwoFiles) {
    Outputs outputs;
    outputs.writes("--json", path("a"), FileKind::json).writes("--confusion", path("./a"), FileKind::csv);
    expect_refused<UsageError>(outputs, true, "--json writes this file too");
    fs::create_symlink("new", path("dangling"));
    Outputs linked;
    linked.writes("--json", path("new"), FileKind::json).writes("--confusion", path("dangling"), FileKind::csv);
    expect_refused<UsageError>(linked, true, "--json writes this file too");
}

TEST_F(OutputsTest, OnlyOurFilesOfTheSameKindAreReplaced) {
    write("ours.json", "{\n  \"engine\": \"atrous\",\n  \"dice\": 1\n}");
    write("theirs.json", "{\"name\": 1, \"engine\": \"atrous\"}");
    write("ours.csv", "name,dice,mean_iou,pixel_accuracy\n");
    write("theirs.csv", "name,score\n");
    write("empty", "");
    data::save_png(path("theirs.png"), data::make_image<uint8_t>(2, 2, 1));
    data::save_png(path("ours.png"), data::make_image<uint8_t>(2, 2, 1), {}, data::PngMark::ours);
    EXPECT_TRUE(is_replaceable(path("ours.json"), FileKind::json));
    EXPECT_TRUE(is_replaceable(path("ours.csv"), FileKind::csv));
    EXPECT_TRUE(is_replaceable(path("ours.png"), FileKind::png));
    for (const FileKind kind : {FileKind::json, FileKind::csv, FileKind::png, FileKind::weights}) {
        EXPECT_TRUE(is_replaceable(path("empty"), kind));
        EXPECT_TRUE(is_replaceable(path("new"), kind));
        for (const char* name : {"theirs.json", "theirs.csv", "theirs.png"})
            EXPECT_FALSE(is_replaceable(path(name), kind)) << name;
    }
    EXPECT_FALSE(is_replaceable(path("ours.json"), FileKind::csv));
    Outputs outputs;
    outputs.writes("--json", path("theirs.json"), FileKind::json);
    expect_refused<UsageError>(outputs, false, "`overwrite`");
    EXPECT_NO_THROW(outputs.check(true));
}

TEST_F(OutputsTest, NoOutputIsAnImageOrAMask) {
    write("image.png", "p");
    write("mask.png", "m");
    fs::create_symlink("mask.png", path("link"));
    const std::vector<data::Sample> samples{{path("image.png"), path("mask.png"), "image"}};
    for (const char* name : {"image.png", "link"})
        EXPECT_THROW(Outputs().writes("--sheet", path(name), FileKind::png).check_samples(samples), UsageError);
    EXPECT_NO_THROW(Outputs().writes("--sheet", path("new"), FileKind::png).check_samples(samples));
}

TEST_F(OutputsTest, AFolderThatIsMissingIsSaidBeforeTheWork) {
    Outputs missing, folder;
    missing.writes("--json", path("none/a.json"), FileKind::json);
    expect_refused<IoError>(missing, true, "cannot write to the folder");
    folder.writes("--json", path(""), FileKind::json);
    expect_refused<IoError>(folder, true, "is a folder");
}

TEST(ResultNames, NoTwoAreEqual) {
    const std::string root = (fs::temp_directory_path() / ("atrous_names_" + std::to_string(::getpid()))).string();
    fs::create_directories(root);
    const auto names = [&](std::vector<std::string> files) {
        std::vector<InputImage> images;
        for (const std::string& file : files) images.push_back({root + "/" + file, root});
        return result_names(images);
    };
    using Names = std::vector<std::string>;
    EXPECT_EQ(names({"a.jpg", "b.png"}), (Names{"a", "b"}));
    EXPECT_EQ(names({"a.jpg", "a.png", "b.png"}), (Names{"a.jpg", "a.png", "b"}));
    EXPECT_EQ(names({"a.jpg", "a.png", "a.png.jpg"}), (Names{"a.jpg", "a.png", "a.png.jpg"}));
    EXPECT_EQ(names({"a.jpg", "a.png", "a.png.jpg", "a.png.png"}), (Names{"a.jpg", "a.png", "a.png.jpg", "a.png.png"}));
    EXPECT_EQ(names({"x/a.jpg", "y/a.jpg", "a.jpg"}), (Names{"x/a", "y/a", "a"}));
    EXPECT_EQ(result_names({{"images/a.jpg", "images/a.jpg"}}), (Names{"a"}));
    EXPECT_EQ(result_names({{"x/a.jpg", "x/a.jpg"}, {"y/a.png", "y/a.png"}}), (Names{"a.jpg", "a.png"}));
    EXPECT_THROW(result_names({{"x/a.jpg", "x/a.jpg"}, {"y/a.jpg", "y/a.jpg"}}), UsageError);
    fs::remove_all(root);
}

// Two logits of a net of two classes: the foreground's, whichever is likelier.
TEST(Postprocess, TheProbabilityOfTwoLogitsIsTheForegrounds) {
    const std::vector<float> logits{2, 0, 0, 2, 1, 1};
    EXPECT_EQ(probability_map(logits.data(), 1, 3, 2, true).u8, (std::vector<uint8_t>{30, 225, 128}));
    EXPECT_EQ(class_ids(logits.data(), 1, 3, 2).u8, (std::vector<uint8_t>{0, 1, 0}));
    EXPECT_EQ(probability_map(logits.data(), 1, 2, 3, true).u8[0], 201) << "of three classes the likeliest's";
}

TEST(LogitRowsTest, AreTheBilinearOps) {
    Random random(3, 4);
    for (const auto& [h, w, c, height, width] :
         {std::array<int64_t, 5>{8, 8, 1, 21, 34}, {7, 5, 3, 7, 5}, {9, 12, 4, 4, 30}, {1, 1, 2, 5, 3}}) {
        std::vector<float> logits(size_t(h * w * c));
        for (float& v : logits) v = float(random.normal());
        Tensor small = Tensor::empty({1, h, w, c}, DType::f32, {DeviceKind::cpu});
        small.copy_from_host(logits.data(), small.bytes());
        const auto expected = bilinear(small, height, width, false).to_host<float>();
        LogitRows rows(logits, h, w, c, height, width);
        for (int64_t y = 0; y < height; y += 3) {
            const int64_t count = std::min<int64_t>(3, height - y);
            const float* found = rows.rows(y, count);
            for (int64_t i = 0; i < count * width * c; ++i)  // fused multiply-adds may round otherwise
                ASSERT_NEAR(found[i], expected[size_t(y * width * c + i)], 1e-6) << h << "x" << w << " row " << y;
        }
        EXPECT_GE(rows.rows_at_once(), 1);
        EXPECT_LE(rows.rows_at_once(), height);
    }
}

}  // namespace
}  // namespace atrous
