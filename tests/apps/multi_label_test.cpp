// Classes that overlap, through the program: training, scores, resuming, prediction, and training on what was predicted.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/image.h"
#include "engine/io/safetensors.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome;

class MultiLabelProgram : public testing::Test {
 protected:
    static void SetUpTestSuite() {
        root() = fs::temp_directory_path() / ("atrous multi label " + std::to_string(getpid()));
        draw_discs();
    }
    static void TearDownTestSuite() { fs::remove_all(root()); }
    static fs::path& root() {
        static fs::path path;
        return path;
    }
    static std::string quoted(const std::string& name) { return "'" + (root() / name).string() + "'"; }
    static Outcome run(const std::string& arguments) { return test::shell(test::program() + " " + arguments); }
    static Outcome train(const std::string& folder, int epochs, const std::string& more = "") {
        return run("train --multi-label --data " + quoted("discs") +
                   " --base-channels 4 --depth 1 --size 32 --batch-size 4 --lr 2e-2 --schedule constant --threads 2 "
                   "--epochs " +
                   std::to_string(epochs) + " --output-dir " + quoted(folder) + " " + more);
    }

    // A red disc and a blue one, whose colours add up where they overlap; a mask for each.
    static void draw_discs() {
        for (const char* folder : {"images", "masks/red", "masks/blue"})
            fs::create_directories(root() / "discs" / folder);
        for (int i = 0; i < 16; ++i) {
            data::Image image = data::make_image<uint8_t>(32, 32, 3), red = data::make_image<uint8_t>(32, 32, 1),
                        blue = red;
            const int cx = 10 + i % 4, cy = 12 + i / 4;
            for (int p = 0; p < 1024; ++p) {
                const int x = p % 32, y = p / 32;
                const auto within = [&](int at_x, int at_y) {
                    return (x - at_x) * (x - at_x) + (y - at_y) * (y - at_y) < 64;
                };
                red.u8[size_t(p)] = within(cx, cy) ? 255 : 0;
                blue.u8[size_t(p)] = within(cx + 9, cy + 2) ? 255 : 0;
                image.u8[size_t(3 * p)] = uint8_t(red.u8[size_t(p)] / 2 + (p * 37 + i) % 90);
                image.u8[size_t(3 * p + 2)] = uint8_t(blue.u8[size_t(p)] / 2 + (p * 53 + i) % 90);
            }
            const std::string name = "/d" + std::to_string(i) + ".png", at = (root() / "discs").string();
            data::save_png(at + "/images" + name, image);
            data::save_png(at + "/masks/red" + name, red);
            data::save_png(at + "/masks/blue" + name, blue);
        }
    }
    static nlohmann::json scores(const std::string& folder, const std::string& more = "") {
        const Outcome outcome =
            run("eval --data " + quoted("discs") + " --checkpoint " + quoted(folder + "/best.safetensors") +
                " --json " + quoted("scores.json") + " " + more);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        std::ifstream file(root() / "scores.json");
        return nlohmann::json::parse(file);
    }
    static std::vector<std::byte> weights(const std::string& file) {
        const io::SafetensorsFile tensors((root() / file).string());
        std::vector<std::byte> all;
        for (const auto& t : tensors.tensors()) {
            const auto bytes = tensors.bytes(t);
            all.insert(all.end(), bytes.begin(), bytes.end());
        }
        return all;
    }
    static void expect_says(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
        EXPECT_EQ(outcome.code, code) << outcome.output;
        for (const auto& part : parts)
            EXPECT_NE(outcome.output.find(part), std::string::npos) << "lacks: " << part << "\n" << outcome.output;
    }
};

// Of every class everywhere the mean Dice is 0.3 or so; of an untrained net no better.
TEST_F(MultiLabelProgram, LearnsDiscsThatOverlapAndPredictsWhatTrainsAgain) {
    const Outcome trained = train("net", 20);
    expect_says(trained, 0, {"baselines: every class everywhere", "red", "blue", "confusion.csv"});
    const nlohmann::json found =
        scores("net", "--confusion " + quoted("counts.csv") + " --per-image " + quoted("images.csv") + " --sheet " +
                          quoted("sheet.png") + " --native --save best=1,worst=1 -o " + quoted("shown"));
    EXPECT_GT(found["dice"].get<double>(), 0.8);
    EXPECT_TRUE(found["pixel_accuracy"].is_null()) << "a pixel may be of several classes";
    for (const auto& of_class : found["classes"]) {
        EXPECT_GT(of_class["iou"].get<double>(), 0.6);
        EXPECT_GT(of_class["average_precision"].get<double>(), 0.8);
    }
    EXPECT_EQ(found["classes"].size(), 2u);
    EXPECT_EQ(found["classes"][0]["name"], "blue");
    std::ifstream counts(root() / "counts.csv");
    std::string heading;
    std::getline(counts, heading);
    EXPECT_EQ(heading, "class,true positives,false positives,false negatives,true negatives");

    // The best threshold of each class, by its file and by its numbers.
    fs::copy_file(root() / "scores.json", root() / "best.json");
    std::string numbers;
    for (const auto& of_class : found["classes"])
        numbers += (numbers.empty() ? "" : ",") + of_class["best_threshold"].dump();
    for (const std::string& given : {quoted("best.json"), numbers}) {
        const nlohmann::json best = scores("net", "--overwrite --native --threshold " + given);
        EXPECT_EQ(best["threshold"].dump(), "[" + numbers + "]");
        for (size_t c = 0; c < 2; ++c) {
            EXPECT_NEAR(best["classes"][c]["dice"].get<double>(),
                        found["classes"][c]["best_threshold_dice"].get<double>(), 1e-12);
            EXPECT_GE(best["classes"][c]["dice"], found["classes"][c]["dice"]) << "no better than at 0.5";
            EXPECT_EQ(best["native"]["classes"][c]["dice"], best["classes"][c]["dice"])
                << "masks are of the net's size";
        }
    }
    const std::string net = " --checkpoint " + quoted("net");
    const auto predicted = [&](const std::string& threshold, const std::string& folder) {
        const Outcome outcome = run("predict " + quoted("discs/images/d0.png") + net + " --save classes --threshold " +
                                    threshold + " -o " + quoted(folder));
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        std::vector<std::vector<uint8_t>> masks;
        for (const char* name : {"blue", "red"})
            masks.push_back(data::load_image((root() / folder / name / "d0.png").string()).u8);
        return masks;
    };
    const auto low = predicted("0.02", "low"), high = predicted("0.98", "high"), each = predicted("0.02,0.98", "each");
    EXPECT_NE(low, high);
    EXPECT_EQ(each[0], low[0]);
    EXPECT_EQ(each[1], high[1]);
    EXPECT_EQ(predicted(quoted("best.json"), "by file"), predicted(numbers, "by numbers"));
    expect_says(run("predict " + quoted("discs/images") + net + " --threshold 0.1,0.2,0.3 -o " + quoted("three")), 2,
                {"--threshold 0.1,0.2,0.3: 3 of them; expected one, or one for each of the net's 2 classes"});

    for (const char* given : {"0.4,0.55", "0.4", "0.4 --argmax"})
        expect_says(run("export " + net + " -o " + quoted("net.onnx") + " --threshold " + given), 2,
                    {"--threshold: the classes of this net overlap"});

    ASSERT_EQ(run("predict " + quoted("discs/images") + net + " --save classes -o " + quoted("discs2/masks")).code, 0);
    ASSERT_EQ(run("predict " + quoted("discs/images") + net + " --save overlay index binary probability -o " +
                  quoted("pictures"))
                  .code,
              0);
    for (const char* file :
         {"d0_overlay.png", "d0_index.png", "d0_binary.png", "d0_probability_red.png", "d0_probability_blue.png"})
        EXPECT_TRUE(fs::exists(root() / "pictures" / file)) << file;
    fs::create_directory_symlink(root() / "discs/images", root() / "discs2/images");
    const Outcome again =
        run("train --multi-label --data " + quoted("discs2") +
            " --base-channels 2 --depth 1 --size 32 --epochs 1 --threads 2 --output-dir " + quoted("again"));
    expect_says(again, 0, {"red", "blue"});
    const auto pixels = [](const std::string& file) { return data::load_image((root() / file).string()).u8; };
    const auto red = pixels("discs2/masks/red/d0.png"), blue = pixels("discs2/masks/blue/d0.png");
    const auto any = pixels("pictures/d0_binary.png");
    int64_t both = 0;
    for (size_t i = 0; i < any.size(); ++i) {
        EXPECT_EQ(any[i] != 0, red[i] || blue[i]);
        both += red[i] && blue[i];
    }
    EXPECT_GT(both, 0) << "a pixel may be of both";
}

TEST_F(MultiLabelProgram, ResumesToTheSameWeights) {
    ASSERT_EQ(train("straight", 4, "--vflip 0.5 --crop 24").code, 0);
    ASSERT_EQ(train("in two", 2, "--vflip 0.5 --crop 24").code, 0);
    const Outcome resumed = run("train --resume " + quoted("in two") + " --epochs 4");
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(weights("in two/last.safetensors"), weights("straight/last.safetensors"));
}

// One seed on cpu and GPU: losses of the first epoch differ by roundings alone. These are of 1e-7 an operation; its three
// or four steps, of a learning rate of 2e-2, carry them on, and metrics.csv has six digits.
TEST_F(MultiLabelProgram, CpuAndGpuAgree) {
    const auto losses = [&](const std::string& folder, const std::string& device) {
        const Outcome outcome =
            train(folder, 1, "--loss '0.5*focal+focal-tversky' --precision fp32 --device " + device);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        std::ifstream csv(root() / folder / "metrics.csv");
        std::string heading, line, field;
        std::getline(csv, heading), std::getline(csv, line);
        if (heading.find("train_loss") == std::string::npos) throw std::runtime_error("no train_loss in " + heading);
        std::vector<double> values;
        for (std::stringstream fields(line); std::getline(fields, field, ',');)
            values.push_back(std::atof(field.c_str()));
        const auto at = std::count(heading.begin(), heading.begin() + std::ptrdiff_t(heading.find("train_loss")), ',');
        return values.at(size_t(at));
    };
    const double cpu = losses("cpu", "cpu"), gpu = losses("gpu", "emulated");
    EXPECT_GT(cpu, 0);
    EXPECT_NEAR(gpu, cpu, 1e-4 * cpu);
}

// Weights that say nothing of themselves, as other programs write them, are scored and predict as the checkpoint does.
TEST_F(MultiLabelProgram, WeightsWithoutACardAreDescribed) {
    ASSERT_EQ(train("described", 4).code, 0);
    const std::string checkpoint = " --checkpoint " + quoted("described/best.safetensors");
    ASSERT_EQ(run("convert " + quoted("described/best.safetensors") + " " + quoted("plain.pth")).code, 0);
    const std::string net = " --multi-label --model unet --base-channels 4 --depth 1 --size 32",
                      plain = " --checkpoint " + quoted("plain.pth") + net + " --out-channels 2",
                      eval = "eval --split all --data " + quoted("discs") + " --json " + quoted("scores.json");
    const auto loss = [&](const std::string& of) {
        const Outcome outcome = run(eval + of);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        std::ifstream file(root() / "scores.json");
        const nlohmann::json json = nlohmann::json::parse(file);
        EXPECT_EQ(json["mask_values"], "bits");
        return json["loss"].get<double>();
    };
    EXPECT_EQ(loss(plain), loss(checkpoint));
    const std::string predict = "predict " + quoted("discs/images/d0.png") + " --save classes overlay -o ";
    expect_says(run(predict + quoted("of plain") + plain), 0, {});
    expect_says(run(predict + quoted("of checkpoint") + checkpoint), 0, {});
    EXPECT_EQ(data::load_image((root() / "of plain/1/d0.png").string()).u8,
              data::load_image((root() / "of checkpoint/red/d0.png").string()).u8);
    expect_says(run(predict + quoted("none") + checkpoint + " --multi-label"), 2, {"--multi-label", "says itself"});
    expect_says(run(predict + quoted("none") + " --checkpoint " + quoted("plain.pth") + net), 2,
                {"--out-channels 1", "expected 2 to 7"});
}

TEST_F(MultiLabelProgram, DataIsCheckedAndShown) {
    expect_says(run("data check --multi-label --data " + quoted("discs")), 0,
                {"each bit of the value is a class", "blue", "red", "a training can take this data set"});
    expect_says(run("data show --multi-label --data " + quoted("discs") + " -o " + quoted("shown.png")), 0, {});
}

TEST_F(MultiLabelProgram, WhatIsNotDefinedIsRefused) {
    ASSERT_EQ(train("small", 1).code, 0);
    const std::string eval = "eval --data " + quoted("discs") + " --checkpoint " + quoted("small");
    expect_says(run(eval + " --surface"), 2, {"--surface", "exclude each other"});
    expect_says(run(eval + " --mask-values ids"), 2, {"--mask-values ids", "expected bits"});
    expect_says(train("none", 1, "--loss ce"), 2, {"--loss ce", "overlap", "expected bce"});
    expect_says(train("none", 1, "--loss bce+lovasz"), 2, {"lovasz is not defined", "--multi-label"});
    expect_says(train("none", 1, "--class-weights enet"), 2, {"--class-weights enet", "exclude each other"});
    expect_says(train("none", 1, "--classes 9"), 2, {"--classes 9", "expected 2 to 7"});
    expect_says(train("none", 1, "--classes 1"), 2, {"--classes 1", "expected 2 to 7"});
    expect_says(train("none", 1, "--monitor mean-accuracy"), 2, {"--monitor mean-accuracy", "dice, iou or loss"});
    expect_says(train("none", 1, "--mask-values ids"), 2, {"--mask-values ids", "auto or bits"});
    expect_says(run("train --data " + quoted("discs") + " --mask-values bits --output-dir " + quoted("none")), 2,
                {"--multi-label"});
}

}  // namespace
}  // namespace atrous
