// Large images, exact windows, averages and memory limits, as a user meets them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "data/palette.h"
#include "data/row_writer.h"
#include "data/transform.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

// One training for all tests: bright squares of 6 pixels.
class ScaleTest : public testing::Test {
 protected:
    static void SetUpTestSuite() {
        root() = fs::temp_directory_path() / ("atrous scale " + std::to_string(getpid()));
        for (int i = 0; i < 8; ++i) draw("tiles", "t" + std::to_string(i), 24, 24, i);
        draw("whole", "large", 240, 200, 3);
        for (const char* run : {"run", "second"}) {
            const Outcome trained =
                shell(program() + " train --data " + at("tiles") +
                      " --size 24 --base-channels 4 --depth 1 --epochs 8 -b 3 --lr 1e-2 --threads 1 "
                      "--workers 0 --val-fraction 0.25 --seed " +
                      (run[0] == 'r' ? "1" : "2") + " --output-dir " + at(run));
            ASSERT_EQ(trained.code, 0) << trained.output;
        }
    }
    static void TearDownTestSuite() { fs::remove_all(root()); }
    static fs::path& root() {
        static fs::path path;
        return path;
    }
    static std::string at(const std::string& path) { return "'" + (root() / path).string() + "'"; }
    static bool inside(int64_t y, int64_t x, int64_t shift) { return (y + shift) % 12 < 6 && (x + 2 * shift) % 12 < 6; }
    static void draw(const std::string& set, const std::string& name, int64_t h, int64_t w, int64_t shift) {
        for (const char* folder : {"images", "masks"}) fs::create_directories(root() / set / folder);
        data::Image image = data::make_image<uint8_t>(h, w, 3), mask = data::make_image<uint8_t>(h, w, 1);
        for (int64_t p = 0; p < h * w; ++p) {
            const int64_t y = p / w, x = p % w;
            mask.u8[size_t(p)] = inside(y, x, shift) ? 255 : 0;
            for (int ch = 0; ch < 3; ++ch)
                image.u8[size_t(3 * p + ch)] = uint8_t((inside(y, x, shift) ? 170 : 60) + 20 * ((y + x) % 3));
        }
        data::save_png((root() / set / "images" / (name + ".png")).string(), image);
        data::save_png((root() / set / "masks" / (name + ".png")).string(), mask);
    }
    static Outcome predict(const std::string& out, const std::string& more,
                           const std::string& image = "whole/images/large.png") {
        return shell(program() + " predict " + at(image) + " --checkpoint " + at("run") + " -o " + at(out) +
                     " --threads 1 " + more);
    }
    static data::Image result(const std::string& path) { return data::load_image((root() / path).string()); }
    static bool says(const Outcome& o, const std::string& words) { return o.output.find(words) != std::string::npos; }
};

}  // namespace

TEST_F(ScaleTest, ResultsAsTiffAreThoseOfPng) {
    const std::string all = "--save index binary probability overlay --windows on ";
    ASSERT_EQ(predict("png", all).code, 0);
    const Outcome tiff = predict("tiff", all + "--format tiff");
    ASSERT_EQ(tiff.code, 0) << tiff.output;
    for (const char* what : {"index", "binary", "probability", "overlay"}) {
        const data::Image png = result(std::string("png/large_") + what + ".png");
        EXPECT_EQ(result(std::string("tiff/large_") + what + ".tif").u8, png.u8) << what;
        EXPECT_EQ(png.h, 240);
    }
    EXPECT_EQ(predict("tiff", all + "--format tiff").code, 0) << "results of before are replaced";
    std::ofstream(root() / "tiff/large_index.tif") << "of someone else";
    EXPECT_EQ(predict("tiff", all + "--format tiff").code, 2);
}

TEST_F(ScaleTest, ResultsOfAGeoTiffLieWhereItLies) {
    const data::Image image = data::load_image((root() / "whole/images/large.png").string());
    std::vector<data::TiffTag> place{{33550, 12, 3, std::vector<uint8_t>(24, 7)}, {34737, 2, 4, {'W', 'G', 'S', 0}}};
    const auto write = [&](const char* name, const data::TiffTag& more) {
        std::vector<data::TiffTag> tags = place;
        tags.push_back(more);
        io::write_durably((root() / name).string(), [&](io::FileSink& sink) {
            const auto writer = data::tiff_writer(sink, {image.h, image.w, 3}, tags);
            writer->put(image);
            writer->finish();
        });
    };
    write("geo.tif", {42113, 2, 2, {'0', 0}});
    write("turned.tif", {274, 3, 1, {3, 0}});
    ASSERT_EQ(predict("geo", "--save binary probability --format tiff --windows on", "geo.tif").code, 0);
    ASSERT_EQ(predict("plain", "--save binary --overwrite --windows on").code, 0);
    for (const char* what : {"binary", "probability"})
        EXPECT_EQ(data::geo_tags_of((root() / "geo" / (std::string("geo_") + what + ".tif")).string()).tags, place);
    EXPECT_EQ(result("geo/geo_binary.tif").u8, result("plain/large_binary.png").u8);
    std::ifstream file(root() / "geo/geo_binary.tif", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    EXPECT_EQ(bytes.find(std::string("\x81\xa4\x02\0", 4)), std::string::npos) << "0 is a class, and no missing pixel";
    const Outcome turned = predict("geo", "--save binary --format tiff --windows on", "turned.tif");
    EXPECT_TRUE(says(turned, "its place on Earth is not carried")) << turned.output;
}

// The overlay is put together row by row.
TEST_F(ScaleTest, TheOverlayIsThatOfTheWholeImage) {
    ASSERT_EQ(predict("overlay", "--save binary overlay --windows on").code, 0);
    data::Image ids = result("overlay/large_binary.png");
    for (uint8_t& id : ids.u8) id = id ? 1 : 0;
    const data::Image image = data::load_image((root() / "whole/images/large.png").string());
    EXPECT_EQ(result("overlay/large_overlay.png").u8, data::overlay(image, ids, data::mask_palette(2)).u8);
}

TEST_F(ScaleTest, ExactWindowsAreOneWholeImage) {
    const Outcome exact = predict("exact", "--save probability --windows exact");
    ASSERT_EQ(exact.code, 0) << exact.output;
    EXPECT_TRUE(says(exact, "exact windows of 24x24 with ")) << exact.output;
    // A checkpoint whose training's images are as large as this image sees it as one.
    const data::Image windows = result("exact/large_probability.png");
    ASSERT_EQ(predict("blended", "--save probability --windows on").code, 0);
    EXPECT_NE(result("blended/large_probability.png").u8, windows.u8) << "blended windows see their own borders";
    const Outcome scored = shell(program() + " eval --data " + at("whole") + " --split all --checkpoint " + at("run") +
                                 " --threads 1 --windows exact");
    EXPECT_EQ(scored.code, 0) << scored.output;
}

TEST_F(ScaleTest, AnImageThatDoesNotFitIsPredictedInParts) {
    ASSERT_EQ(shell(program() + " convert " + at("run/best.safetensors") + " " + at("large.pth")).code, 0);
    draw("square", "large", 400, 400, 1);
    const auto whole = [&](const std::string& out, const std::string& more) {
        return shell(
            program() + " predict " + at("square/images/large.png") + " --checkpoint " + at("large.pth") +
            " --model unet --base-channels 4 --depth 1 --size 400 --windows off --threads 1 --save probability " +
            more + " -o " + at(out));
    };
    ASSERT_EQ(whole("fits", "").code, 0);
    const Outcome limited = whole("limited", "--memory-limit 6");
    EXPECT_EQ(limited.code, 0) << limited.output;
    EXPECT_TRUE(says(limited, "400x400 pixels at once do not fit into memory: by windows of ")) << limited.output;
    EXPECT_EQ(result("limited/large_probability.png").u8, result("fits/large_probability.png").u8);
    const Outcome none = whole("none", "--memory-limit 1");
    EXPECT_EQ(none.code, 3) << none.output;
    EXPECT_TRUE(says(none, "large.png: ")) << none.output;
}

TEST_F(ScaleTest, AveragesOfFlipsScalesAndCheckpoints) {
    ASSERT_EQ(predict("plain", "--save probability --windows on").code, 0);
    const std::string second = "--average-with " + at("second");
    for (const std::string& more :
         {std::string("--tta"), std::string("--tta horizontal"), std::string("--tta-scales 1 1.5"), second}) {
        const Outcome averaged = predict("averaged", "--save probability --windows on --overwrite " + more);
        ASSERT_EQ(averaged.code, 0) << averaged.output;
        EXPECT_NE(result("averaged/large_probability.png").u8, result("plain/large_probability.png").u8) << more;
    }
    ASSERT_EQ(predict("averaged", "--save probability --windows on --average-with " + at("run")).code, 0);
    const data::Image twice = result("averaged/large_probability.png"), once = result("plain/large_probability.png");
    for (size_t i = 0; i < once.u8.size(); ++i) ASSERT_NEAR(twice.u8[i], once.u8[i], 1) << "the mean of it and itself";
    const Outcome scored = shell(program() + " eval --data " + at("whole") + " --split all --checkpoint " + at("run") +
                                 " --threads 1 --tta --average-with " + at("second"));
    EXPECT_EQ(scored.code, 0) << scored.output;
    const Outcome written = shell(program() + " eval --data " + at("tiles") + " --checkpoint " + at("run") +
                                  " --threads 1 --tta vertical " + second + " --json " + at("scores.json"));
    ASSERT_EQ(written.code, 0) << written.output;
    std::ifstream file(root() / "scores.json");
    const nlohmann::json scores = nlohmann::json::parse(file);
    EXPECT_EQ(scores.at("tta"), "vertical");
    EXPECT_EQ(scores.at("tta_scales"), nlohmann::json::array());
    EXPECT_EQ(scores.at("average_with").at(0), (root() / "second/best.safetensors").string());
    EXPECT_EQ(scores.at("windows"), "auto");
    EXPECT_EQ(scores.at("overlap"), 0.25);
    const Outcome replaced = shell(program() + " eval --data " + at("tiles") + " --checkpoint " + at("run") +
                                   " --threads 1 --overwrite " + second + " --json " + at("second/best.safetensors"));
    EXPECT_EQ(replaced.code, 2) << replaced.output;
    const Outcome both = predict("refused", "--windows exact --tta-scales 2");
    EXPECT_EQ(both.code, 2);
    EXPECT_TRUE(says(both, "--windows exact and --tta-scales")) << both.output;
}

TEST_F(ScaleTest, CheckpointsOfOtherTasksAreNotAveraged) {
    const Outcome trained =
        shell(program() + " train --data " + at("tiles") + " --size 32 --base-channels 4 --depth 1 --epochs 1 -b 3 " +
              "--threads 1 --workers 0 --val-fraction 0.25 --output-dir " + at("other"));
    ASSERT_EQ(trained.code, 0) << trained.output;
    const Outcome refused = predict("refused", "--average-with " + at("other"));
    EXPECT_EQ(refused.code, 2);
    EXPECT_TRUE(says(refused, "its size are 32x32")) << refused.output;
}

// Weights that say nothing of their net, as PyTorch's.
TEST_F(ScaleTest, WeightsOfPyTorchAreToldTheirNet) {
    ASSERT_EQ(shell(program() + " convert " + at("run/best.safetensors") + " " + at("weights.pth")).code, 0);
    ASSERT_EQ(predict("own", "--save probability --windows on").code, 0);
    const std::string described = " --model unet --base-channels 4 --depth 1 --size 24 ";
    const auto with_weights = [&](const std::string& more) {
        return shell(program() + " predict " + at("whole/images/large.png") + " --checkpoint " + at("weights.pth") +
                     " -o " + at("described") + " --overwrite --threads 1 --save probability --windows on" + more);
    };
    const Outcome predicted = with_weights(described);
    ASSERT_EQ(predicted.code, 0) << predicted.output;
    EXPECT_EQ(result("described/large_probability.png").u8, result("own/large_probability.png").u8);
    const Outcome unsaid = with_weights("");
    EXPECT_EQ(unsaid.code, 2);
    EXPECT_TRUE(says(unsaid, "does not say what net it is of; say --model")) << unsaid.output;
    const Outcome other = with_weights(" --model unet --base-channels 4 --depth 2 --size 24");
    EXPECT_NE(other.code, 0);
    const Outcome twice = predict("refused", described);
    EXPECT_EQ(twice.code, 2);
    EXPECT_TRUE(says(twice, "says itself what net it is of")) << twice.output;
    const Outcome mixed = with_weights(described + "--average-with " + at("second/best.safetensors"));
    EXPECT_EQ(mixed.code, 2);
    EXPECT_TRUE(says(mixed,
                     "second/best.safetensors says itself what net it is of; leave it out; of checkpoints that "
                     "are averaged either all or none say so"))
        << mixed.output;
    const auto score = [&](const std::string& weights, const std::string& more) {
        return shell(program() + " eval --data " + at("tiles") + " --split all --mask-values 0=0,255=1 --threads 1 " +
                     "--windows off --checkpoint " + at(weights) + more);
    };
    const auto dice_line = [](const Outcome& o) {
        const size_t at = o.output.find("\nDice ");
        return o.output.substr(at, o.output.find(", loss", at) - at);
    };
    const Outcome theirs = score("weights.pth", described), ours = score("run/best.safetensors", "");
    ASSERT_EQ(theirs.code, 0) << theirs.output;
    EXPECT_EQ(dice_line(theirs), dice_line(ours)) << theirs.output << ours.output;
    EXPECT_TRUE(says(theirs, "does not say how its training split the data")) << theirs.output;
    EXPECT_EQ(score("weights.pth", "").code, 2);
    const Outcome whole = shell(program() + " predict " + at("whole/images/large.png") + " --checkpoint " +
                                at("weights.pth") + " -o " + at("described") + " --overwrite --threads 1" + described);
    EXPECT_TRUE(says(whole, "windows of 24x24")) << "larger images are seen by windows: " << whole.output;
}

// Between windows, which are many.
TEST_F(ScaleTest, AnInterruptLeavesNoHalfResult) {
    draw("long", "long", 4000, 1000, 1);  // over a second, however fast the machine is
    for (const auto& [signal, code] : {std::pair<std::string, int>{"INT", 130}, {"TERM", 143}}) {
        const Outcome stopped = shell("timeout --preserve-status -s " + signal + " 1 " + program() + " predict " +
                                      at("long/images/long.png") + " --checkpoint " + at("run") + " -o " +
                                      at("stopped") + " --threads 1 --windows on --overlap 0.9");
        EXPECT_EQ(stopped.code, code) << stopped.output;
        EXPECT_TRUE(says(stopped, "stopped after 0 of 1 images")) << stopped.output;
        EXPECT_TRUE(fs::is_empty(root() / "stopped"));
    }
}

// The pixels are damaged in the middle: nothing of a result stays.
TEST_F(ScaleTest, ADamagedImageLeavesNoHalfResult) {
    data::Image noisy = data::make_image<uint8_t>(2100, 2100, 1);
    for (size_t i = 0; i < noisy.u8.size(); ++i) noisy.u8[i] = uint8_t(i * 7919 >> 4);
    std::vector<uint8_t> bytes = data::encode_png(noisy);
    bytes.resize(bytes.size() / 2);
    std::ofstream(root() / "damaged.png", std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), std::streamsize(bytes.size()));
    for (const char* format : {"png", "tiff"}) {
        const Outcome refused = predict("half", std::string("--windows on --format ") + format, "damaged.png");
        EXPECT_EQ(refused.code, 3) << refused.output;
        EXPECT_TRUE(says(refused, "truncated or damaged")) << refused.output;
        EXPECT_TRUE(fs::is_empty(root() / "half")) << format;
    }
}

}  // namespace atrous
