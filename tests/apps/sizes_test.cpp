// Images that are not square, and the ways in which they become what a net sees.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <regex>

#include "data/image.h"
#include "segmentation/load_net.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

class SizesTest : public testing::Test {
 protected:
    SizesTest() {
        for (int64_t i = 0; i < 12; ++i) draw(i < 8 ? "train" : "val", i);
    }
    ~SizesTest() override { fs::remove_all(root_); }

    // A bright block on a dark ground, off the middle, in an image of 60x36.
    void draw(const std::string& part, int64_t i) const {
        constexpr int64_t h = 36, w = 60;
        data::Image image = data::make_image<uint8_t>(h, w, 3), mask = data::make_image<uint8_t>(h, w, 1);
        for (int64_t p = 0; p < h * w; ++p) {
            const int64_t y = p / w - 3 - i % 5, x = p % w - 4 * i % 25;
            const bool inside = y >= 0 && y < 16 && x >= 0 && x < 24;
            mask.u8[size_t(p)] = inside ? 255 : 0;
            for (int ch = 0; ch < 3; ++ch) image.u8[size_t(3 * p + ch)] = uint8_t((inside ? 170 : 60) + 7 * (p % 5));
        }
        for (const auto& [kind, drawn] : {std::pair{"images", &image}, {"masks", &mask}}) {
            fs::create_directories(root_ / "set" / part / kind);
            data::save_png((root_ / "set" / part / kind / ("p" + std::to_string(10 + i) + ".png")).string(), *drawn);
        }
    }
    Outcome run(const std::string& words) const {
        return shell("cd '" + root_.string() + "' && " + program() + " " + words);
    }
    Outcome train(const std::string& more) const {
        return run("train --data set --base-channels 4 --depth 2 --epochs 12 -b 4 --lr 1e-2 --threads 1 --workers 0 " +
                   more);
    }
    static double dice(const std::string& output, const std::string& before) {
        std::smatch found;
        return std::regex_search(output, found, std::regex(before + "Dice ([0-9.]+)")) ? std::stod(found[1]) : -1;
    }
    // Of the masks that `predict` writes for the validation's images, each of its image's size.
    double predicted_dice(const std::string& checkpoint, const std::string& more = "") const {
        const Outcome predicted = run(
            "predict set/val/images --save binary -o out --overwrite --threads 1 --checkpoint " + checkpoint + more);
        EXPECT_EQ(predicted.code, 0) << predicted.output;
        int64_t both = 0, sum = 0;
        for (const auto& entry : fs::directory_iterator(root_ / "set/val/masks")) {
            const data::Image truth = data::load_image(entry.path().string()),
                              found = data::load_image(
                                  (root_ / "out" / (entry.path().stem().string() + "_binary.png")).string());
            EXPECT_EQ(found.h, truth.h);
            EXPECT_EQ(found.w, truth.w);
            for (int64_t p = 0; p < truth.h * truth.w; ++p) {
                const bool t = truth.u8[size_t(p)] > 0, f = found.u8[size_t(p)] > 0;
                both += t && f;
                sum += int64_t(t) + int64_t(f);
            }
        }
        return 2.0 * double(both) / double(sum);
    }
    ModelCard card(const std::string& run_folder) const {
        return model_card_of(io::SafetensorsFile((root_ / run_folder / "best.safetensors").string()));
    }

    const fs::path root_ = fs::temp_directory_path() / ("atrous sizes " + std::to_string(getpid()));
};

// What training scored, evaluation scores; what evaluation scores at native size is what prediction writes.
void agree(double trained, double scored, double native, double predicted) {
    EXPECT_GT(trained, 0.8) << "something was learnt, so that places matter";
    EXPECT_NEAR(scored, trained, 5e-4);
    EXPECT_NEAR(native, predicted, 5e-4);
}

TEST_F(SizesTest, ASizeOfTwoSidesGoesThroughEveryVerb) {
    const Outcome trained = train("--size 46x28 --output-dir run");
    ASSERT_EQ(trained.code, 0) << trained.output;
    EXPECT_NE(trained.output.find("images of 48x28 at once"), std::string::npos) << "padded to multiples of 4, wide\n";
    EXPECT_EQ(card("run").width, 46);
    EXPECT_EQ(card("run").height, 28);
    const Outcome scored = run("eval --data set --checkpoint run --native --threads 1 --sheet s.png --json s.json");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_NE(scored.output.find("4 images of set at 46x28"), std::string::npos) << scored.output;
    agree(dice(trained.output, "held-out images\n  "), dice(scored.output, "\n"), dice(scored.output, "own sizes: "),
          predicted_dice("run"));
    const Outcome other = run("train --resume run --size 28x46 --epochs 13");
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.output.find("--size \"46x28\"; the settings here are --size \"28x46\""), std::string::npos)
        << other.output;
    EXPECT_EQ(run("train --resume run --epochs 13").code, 0);
    const Outcome summary = run("summary --checkpoint run --device cpu");
    EXPECT_NE(summary.output.find("8 images of 46x28"), std::string::npos) << summary.output;
    EXPECT_NE(run("summary --base-channels 4 --depth 2 --size 46x28 --device cpu").output.find("8x28x48x4"),
              std::string::npos);
    EXPECT_NE(run("bench step --base-channels 4 --depth 2 --size 46x28 -b 2 --steps 1 --device cpu --json -")
                  .output.find("\"size\":\"46x28\""),
              std::string::npos);
}

TEST_F(SizesTest, ALetterboxKeepsProportionsAndIsTakenOffAgain) {
    const Outcome trained = train("--size 40 --resize letterbox --output-dir run");
    ASSERT_EQ(trained.code, 0) << trained.output;
    EXPECT_EQ(card("run").resize, data::ResizeMode::letterbox);
    const Outcome scored = run("eval --data set --checkpoint run --native --threads 1 --per-image i.csv");
    ASSERT_EQ(scored.code, 0) << scored.output;
    agree(dice(trained.output, "held-out images\n  "), dice(scored.output, "\n"), dice(scored.output, "own sizes: "),
          predicted_dice("run"));
    const Outcome other = run("train --resume run --resize stretch --epochs 13");
    EXPECT_EQ(other.code, 2);
    EXPECT_NE(other.output.find("--resize \"letterbox\""), std::string::npos) << other.output;
}

TEST_F(SizesTest, CropsOfImagesAsTheyAreTrainAndWindowsScore) {
    const Outcome trained = train("--size 32x24 --resize none --output-dir run");
    ASSERT_EQ(trained.code, 0) << trained.output;
    const Outcome scored = run("eval --data set --checkpoint run --native --threads 1");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_NE(scored.output.find("by windows of 32x24"), std::string::npos) << scored.output;
    agree(dice(trained.output, "held-out images\n  "), dice(scored.output, "\n"), dice(scored.output, "own sizes: "),
          predicted_dice("run"));
    EXPECT_NEAR(dice(scored.output, "\n"), dice(scored.output, "own sizes: "), 1e-9) << "nothing was resized";
    const Outcome whole = run("eval --data set --checkpoint run --native --threads 1 --windows off");
    ASSERT_EQ(whole.code, 0) << whole.output;
    EXPECT_NE(whole.output.find("at their own sizes"), std::string::npos) << whole.output;
    EXPECT_NEAR(dice(whole.output, "own sizes: "), predicted_dice("run", " --windows off"), 5e-4);
}

// Images smaller than the crop are padded with ignored pixels; those of other sizes are validated one by one.
TEST_F(SizesTest, SmallImagesAsTheyAre) {
    const Outcome trained = train("--size 80x64 --resize none --output-dir run");
    ASSERT_EQ(trained.code, 0) << trained.output;
    const Outcome scored = run("eval --data set --checkpoint run --threads 1");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_NEAR(dice(scored.output, "\n"), dice(trained.output, "held-out images\n  "), 5e-4);
}

TEST_F(SizesTest, ALoaderIsTimedWithoutANet) {
    const std::string bench = "bench loader --data set --size 32x24 -b 2 --timed-images 4 --repetitions 1 ";
    const Outcome table = run(bench + "--workers 0 1 --resize letterbox --scale 0.5 2");
    ASSERT_EQ(table.code, 0) << table.output;
    for (const char* words : {"8 samples of set, to 32x24 in batches of 2", "workers  images/s", "decode mask", "sum",
                              "augmented on the host", "augmented on the device", "upload"})
        EXPECT_NE(table.output.find(words), std::string::npos) << words << "\n" << table.output;
    const Outcome json = run(bench + "--workers 2 --json -");
    EXPECT_NE(json.output.find("\"kind\":\"loader\""), std::string::npos) << json.output;
    EXPECT_NE(json.output.find("\"images_per_s\":{\"2\":"), std::string::npos) << json.output;
    const Outcome other = run(bench + "--workers 0 --json - --resize none --crop 16 --normalize none --vflip 0.25");
    for (const char* words : {"\"resize\":\"none\"", "\"crop\":\"16\"", "\"normalize\":\"none\"", "\"vflip\":\"0.25\""})
        EXPECT_NE(other.output.find(words), std::string::npos) << words << "\n" << other.output;
    EXPECT_EQ(run("bench loader --size 32").code, 2) << "no data set";
}

// The values of a known layout are those of its classes, which a guess would refuse: ids with gaps.
TEST_F(SizesTest, ALoaderIsTimedOnAKnownLayout) {
    for (const std::string part : {"train", "val"})
        for (int i = 0; i < 3; ++i) {
            const fs::path name = fs::path(part) / "city" / ("city_00000" + std::to_string(i) + "_000019_");
            data::Image image = data::make_image<uint8_t>(12, 16, 3), labels = data::make_image<uint8_t>(12, 16, 1);
            for (size_t k = 0; k < image.u8.size(); ++k) image.u8[k] = uint8_t(k * (2 * size_t(i) + 3));
            labels.u8[0] = 7, labels.u8[1] = 26, labels.u8[2] = 4;
            for (const auto& [folder, drawn] : {std::pair{"leftImg8bit", &image}, {"gtFine", &labels}}) {
                const std::string path = (root_ / "streets" / folder / name).string() +
                                         (drawn == &image ? "leftImg8bit.png" : "gtFine_labelIds.png");
                fs::create_directories(fs::path(path).parent_path());
                data::save_png(path, *drawn);
            }
        }
    const Outcome timed =
        run("bench loader --data streets --size 16 -b 2 --timed-images 4 --repetitions 1 --workers 0");
    ASSERT_EQ(timed.code, 0) << timed.output;
    EXPECT_NE(timed.output.find("3 samples of streets"), std::string::npos) << timed.output;
}

// A checkpoint of a square is what it was before sizes had two sides.
TEST_F(SizesTest, SquareStretchedCheckpointsSayNothingNew) {
    const Outcome trained = train("--size 32 --epochs 1 --output-dir run");
    ASSERT_EQ(trained.code, 0) << trained.output;
    const std::string text = text_of(card("run"));
    EXPECT_EQ(text.find("resize"), std::string::npos);
    EXPECT_NE(text.find("\"height\":32"), std::string::npos);
}

}  // namespace
}  // namespace atrous
