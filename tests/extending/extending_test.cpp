// The program with extensions does everything with them that it does with what it has itself.
#include <gtest/gtest.h>

#include <fstream>

#include "tests/apps/program.h"
#include "tests/data/fixtures.h"

namespace atrous::extending {
namespace {

using data::test::TempDir;
using test::shell;
namespace fs = std::filesystem;

std::string program() { return test::path_from("ATROUS_EXTENDED", ATROUS_EXTENDED); }

void expect_has(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

void write_farbfeld(const std::string& path, const data::Image& rgb) {
    std::vector<uint8_t> bytes{'f', 'a', 'r', 'b', 'f', 'e', 'l', 'd'};
    for (const int64_t size : {rgb.w, rgb.h})
        for (const int shift : {24, 16, 8, 0}) bytes.push_back(uint8_t(size >> shift));
    for (size_t i = 0; i < rgb.u8.size(); ++i) {
        for (int copy : {0, 1}) (void)copy, bytes.push_back(rgb.u8[i]);  // 257 times the value
        if (i % 3 == 2) bytes.insert(bytes.end(), {255, 255});
    }
    data::test::write_file(path, bytes);
}

// Drawn by the program, and put into the layout and the format that only this one knows.
void draw(const TempDir& dir) {
    ASSERT_EQ(shell(program() + " synth --count 6 --size 32 --val-fraction 0 --output " + (dir / "drawn")).code, 0);
    for (const auto& entry : fs::directory_iterator(dir / "drawn/train/images")) {
        const std::string stem = entry.path().stem().string();
        write_farbfeld(dir / ("set/together/" + stem + "_image.ff"), data::load_image(entry.path().string()));
        fs::copy_file(dir / ("drawn/train/masks/" + stem + ".png"), dir / ("set/together/" + stem + "_truth.png"));
    }
}

std::string training(const TempDir& dir, const std::string& run) {
    return program() +
           " train --device cpu --threads 1 --size 32 --base-channels 4 --depth 2 --batch-size 2 --epochs 1" +
           " --data " + (dir / "set") + " --output-dir " + (dir / run);
}

std::string contents(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST(Extending, HelpListsWhatWasAdded) {
    const auto help = shell(program() + " train -h");
    EXPECT_EQ(help.code, 0);
    expect_has(help.output, "--invert NUMBER");
    expect_has(help.output, "together/");
    expect_has(help.output, "farbfeld");
}

TEST(Extending, TrainsWithAnAddedAugmentationLayoutAndFormat) {
    TempDir dir;
    draw(dir);
    const auto run = shell(training(dir, "run") + " --invert 0.5");
    ASSERT_EQ(run.code, 0) << run.output;
    expect_has(run.output, "stem suffixes");
    expect_has(contents(dir / "run/config.toml"), "invert = 0.5");
    expect_has(contents(dir / "run/last.safetensors"), "\\\"invert\\\":0.5");

    const auto refused = shell(training(dir, "refused") + " --invert 0.5 --augment-on device");
    EXPECT_EQ(refused.code, 2) << refused.output;
    expect_has(refused.output, "--invert has no form for a device");

    ASSERT_EQ(shell(training(dir, "plain")).code, 0);
    EXPECT_NE(contents(dir / "run/best.safetensors"), contents(dir / "plain/best.safetensors")) << "it changes images";

    const auto resumed = shell(program() + " train --epochs 2 --invert 1 --resume " + (dir / "run"));
    EXPECT_EQ(resumed.code, 0) << resumed.output;
    expect_has(resumed.output, "--invert 1");
    expect_has(resumed.output, "in place of");
    const auto scores = shell(program() + " eval --data " + (dir / "set") + " --checkpoint " + (dir / "run"));
    EXPECT_EQ(scores.code, 0) << scores.output;
}

TEST(Extending, TrainsWithAnAddedOptimizerScheduleLossAndMetric) {
    TempDir dir;
    draw(dir);
    const auto run = shell(training(dir, "run") +
                           " --optimizer sign --sign-momentum 0.5 --schedule linear --linear-end 0.1 --loss image-dice "
                           "--image-dice-weight 2 --monitor overlap --val-fraction 0.4");
    ASSERT_EQ(run.code, 0) << run.output;
    expect_has(run.output, "loss image-dice");
    expect_has(contents(dir / "run/metrics.csv"), "overlap");
    expect_has(contents(dir / "run/config.toml"), "sign-momentum = 0.5");
    const auto resumed = shell(program() + " train --epochs 2 --linear-end 0.2 --resume " + (dir / "run"));
    EXPECT_EQ(resumed.code, 0) << resumed.output;
    expect_has(resumed.output, "--linear-end 0.2 in place of --linear-end 0.1");
    EXPECT_EQ(shell(program() + " train --optimizer signs --data x").code, 2) << "a word of nobody's";
}

TEST(Extending, ComputesWithAnAddedImplementationOfAKernel) {
    const std::string bench = program() + " bench kernels --op conv2d --shape 1x5x7x6 --kernel 1 --bias --device cpu " +
                              "--threads 1 --repetitions 5 ";
    const auto all = shell(bench + "--all");  // compares each with the reference
    ASSERT_EQ(all.code, 0) << all.output;
    expect_has(all.output, " dnnl ");
    expect_has(all.output, " (plain) ");
    expect_has(shell(bench + "--kernels plain").output, " plain ");
    expect_has(shell(program() + " bench kernels --list").output, "kernels of one pixel");
    const auto mistyped = shell(bench + "--kernels plian");
    EXPECT_EQ(mistyped.code, 2);
    expect_has(mistyped.output, "did you mean plain?");
}

TEST(Extending, TrainsAnAddedModel) {
    TempDir dir;
    draw(dir);
    const std::string train = program() + " train --device cpu --threads 1 --size 32 --batch-size 2 --data " +
                              (dir / "set") + " --model tiny --tiny-layers 3 --epochs ";
    const auto run = shell(train + "1 --output-dir " + (dir / "run"));
    ASSERT_EQ(run.code, 0) << run.output;
    expect_has(run.output, "tiny with ");
    expect_has(contents(dir / "run/config.toml"), "tiny-layers = 3");
    expect_has(contents(dir / "run/best.safetensors"), "\\\"tiny_layers\\\":3");

    // A resumed training ends with the bits of one that was not interrupted.
    ASSERT_EQ(shell(train + "2 --output-dir " + (dir / "whole")).code, 0);
    const std::string resume = program() + " train --epochs 2 --resume " + (dir / "run");
    const auto refused = shell(resume + " --tiny-layers 2");
    EXPECT_EQ(refused.code, 2) << refused.output;
    expect_has(refused.output, "--tiny-layers 3; the settings here are --tiny-layers 2");
    const auto resumed = shell(resume);
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(contents(dir / "run/best.safetensors"), contents(dir / "whole/best.safetensors"));

    const auto scores = shell(program() + " eval --data " + (dir / "set") + " --checkpoint " + (dir / "run"));
    EXPECT_EQ(scores.code, 0) << scores.output;
    for (const std::string& of : {std::string("--model tiny --tiny-layers 3"), "--checkpoint " + (dir / "run")}) {
        const auto summary = shell(program() + " summary " + of);
        EXPECT_EQ(summary.code, 0) << summary.output;
        expect_has(summary.output, "layers.2.0");
    }
}

TEST(Extending, AnAddedModelTakesItsSettingsAlone) {
    const auto refusal = [](const std::string& flags) { return shell(program() + " summary " + flags).output; };
    expect_has(refusal("--tiny-layers 3"), "--tiny-layers means nothing to model unet; it is an option of tiny");
    expect_has(refusal("--model tiny --depth 2"), "--depth means nothing to model tiny; it is an option of unet");
    expect_has(refusal("--model tiny --encoder resnet18"), "takes no other (resnet18)");
    expect_has(refusal("--model tiny --tiny-layers 9"), "from 1 to 8");
}

TEST(Extending, AMessageNamesWhatWasAdded) {
    TempDir dir;
    fs::create_directories(dir / "set");
    expect_has(shell(training(dir, "run")).output, "together/ with NAME_image and NAME_truth");
    draw(dir);
    data::test::write_text(dir / "set/together/0_image.ff", "farbfeld");
    data::test::write_file(dir / "set/together/0_truth.png", data::encode_png(data::make_image<uint8_t>(2, 2, 1)));
    const auto run = shell(training(dir, "run"));
    EXPECT_EQ(run.code, 3);
    expect_has(run.output, "the farbfeld is truncated or damaged");
}

}  // namespace atrous::extending
