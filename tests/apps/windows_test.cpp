// A net trained on tiles, and an image ten times as large as one.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <regex>

#include "data/image.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

class WindowsTest : public testing::Test {
 protected:
    WindowsTest() {
        for (int i = 0; i < 12; ++i) draw("tiles", "t" + std::to_string(10 + i), tile, i);
        draw("whole", "large", large, 3);
    }
    ~WindowsTest() override { fs::remove_all(root_); }

    static constexpr int64_t tile = 24, large = 240;

    // Bright squares of 6 pixels on a dark checked ground, on a grid of 12 shifted by `shift`.
    static bool inside(int64_t y, int64_t x, int64_t shift) { return (y + shift) % 12 < 6 && (x + 2 * shift) % 12 < 6; }

    void draw(const std::string& set, const std::string& name, int64_t side, int64_t shift) {
        for (const char* folder : {"images", "masks"}) fs::create_directories(root_ / set / folder);
        data::Image image = data::make_image<uint8_t>(side, side, 3), mask = data::make_image<uint8_t>(side, side, 1);
        for (int64_t p = 0; p < side * side; ++p) {
            const int64_t y = p / side, x = p % side;
            mask.u8[size_t(p)] = inside(y, x, shift) ? 255 : 0;
            for (int ch = 0; ch < 3; ++ch)
                image.u8[size_t(3 * p + ch)] = uint8_t((inside(y, x, shift) ? 170 : 60) + 20 * ((y + x) % 3));
        }
        data::save_png((root_ / set / "images" / (name + ".png")).string(), image);
        data::save_png((root_ / set / "masks" / (name + ".png")).string(), mask);
    }
    std::string at(const std::string& path) const { return "'" + (root_ / path).string() + "'"; }
    Outcome train() {
        return shell(program() + " train --data " + at("tiles") +
                     " --size 24 --base-channels 4 --depth 1 --epochs 12 " +
                     "-b 3 --lr 1e-2 --threads 1 --workers 0 --val-fraction 0.25 --output-dir " + at("run"));
    }
    Outcome predict(const std::string& more) {
        return shell(program() + " predict " + at("whole/images/large.png") + " --checkpoint " + at("run") + " -o " +
                     at("out") + " --save binary --overwrite --threads 1 " + more);
    }
    Outcome eval(const std::string& more) {
        return shell(program() + " eval --data " + at("whole") + " --split all --checkpoint " + at("run") +
                     " --threads 1 --overwrite --sheet " + at("sheet.png") + " " + more);
    }
    // Of the predicted mask of the large image.
    double dice() {
        const data::Image ids = data::load_image((root_ / "out" / "large_binary.png").string());
        EXPECT_EQ(ids.h, large);
        int64_t both = 0, sum = 0;
        for (int64_t p = 0; p < large * large; ++p) {
            const bool truth = inside(p / large, p % large, 3), found = ids.u8[size_t(ids.c * p)] > 0;
            both += truth && found;
            sum += int64_t(truth) + int64_t(found);
        }
        return 2.0 * double(both) / double(sum);
    }
    static double dice_of(const Outcome& scored) {
        std::smatch found;
        return std::regex_search(scored.output, found, std::regex("\nDice ([0-9.]+)")) ? std::stod(found[1]) : -1;
    }
    static bool says(const Outcome& o, const std::string& words) { return o.output.find(words) != std::string::npos; }

    const fs::path root_ = fs::temp_directory_path() / ("atrous windows " + std::to_string(getpid()));
};

}  // namespace

TEST_F(WindowsTest, ALargeImageIsSeenAtTheScaleOfTheTraining) {
    const Outcome trained = train();
    ASSERT_EQ(trained.code, 0) << trained.output;

    const Outcome predicted = predict("");
    ASSERT_EQ(predicted.code, 0) << predicted.output;
    EXPECT_TRUE(says(predicted, "169 windows of 24x24")) << predicted.output;  // 240 = 24 + 12 * 18, a quarter shared
    EXPECT_GT(dice(), 0.9) << "on the tiles themselves this small net reaches 0.95";
    const Outcome scored = eval("");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_TRUE(says(scored, "by windows of 24x24")) << scored.output;
    EXPECT_NEAR(dice_of(scored), dice(), 1e-4) << "both see the same windows\n" << scored.output;

    const Outcome shrunk = predict("--windows off");
    EXPECT_TRUE(says(shrunk, "shrunk 10.0 times as much as the training's largest images; --windows on"))
        << shrunk.output;
    EXPECT_LT(dice(), 0.8) << "squares of less than a pixel";
}

TEST_F(WindowsTest, ImagesLikeTheTrainingsAreOneWindow) {
    ASSERT_EQ(train().code, 0);
    const auto masks = [&](const std::string& more) {
        shell(program() + " predict " + at("tiles/images") + " --checkpoint " + at("run") + " -o " + at("out") +
              " --save probability --overwrite --threads 1 " + more);
        return data::load_image((root_ / "out" / "t13_probability.png").string()).u8;
    };
    EXPECT_EQ(masks("--windows auto"), masks("--windows off"));
    EXPECT_EQ(masks("--windows on"), masks("--windows off")) << "the scale of the training's images is theirs";
}

}  // namespace atrous
