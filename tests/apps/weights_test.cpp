// Weights in and out as a user sees them: files of torch.save give PyTorch's logits and gradients, ops equal its own.
// What PyTorch writes and computes comes from torch_files.py; without PyTorch those tests are skipped.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/io/elements.h"
#include "engine/io/pth.h"
#include "engine/io/safetensors.h"
#include "kernels/gpu/runtime.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

using test::Outcome, test::shell;

// What this build calls its GPU; empty where there is none.
const char* gpu_name() {
    return gpu::device_count() == 0 ? "" : gpu::platform() == gpu::Platform::emulated ? "emulated" : "cuda";
}

const std::string script = test::test_root() + "/tests/apps/torch_files.py";

class WeightsTest : public testing::Test {
 protected:
    static void SetUpTestSuite() {
        root() = fs::temp_directory_path() / ("atrous weights " + std::to_string(getpid()));
        fs::create_directories(root());
        python() = test::python_with("torch");
        if (python().empty()) return;
        const Outcome written = shell(python() + " '" + script + "' '" + root().string() + "'");
        EXPECT_EQ(written.code, 0) << written.output;
        has_torch() = written.code == 0;
    }
    static void TearDownTestSuite() { fs::remove_all(root()); }
    static fs::path& root() {
        static fs::path path;
        return path;
    }
    static std::string& python() {
        static std::string program;
        return program;
    }
    static bool& has_torch() {
        static bool has = false;
        return has;
    }
    static std::string quoted(const std::string& name) { return "'" + (root() / name).string() + "'"; }
    static Outcome run(const std::string& arguments) { return shell(test::program() + " " + arguments); }

    // Every tensor of `theirs` is in `ours`, no further from it than `tolerance` times its largest value.
    static void expect_equal(const std::string& ours, const std::string& theirs, double tolerance) {
        const auto a = io::open_tensors(root() / ours), b = io::open_tensors(root() / theirs);
        for (const io::TensorInfo& expected : b->tensors()) {
            const io::TensorInfo* got = a->find(expected.name);
            ASSERT_TRUE(got) << ours << " has no " << expected.name;
            EXPECT_EQ(got->shape, expected.shape) << expected.name;
            const auto x = io::as_doubles(a->bytes(*got), got->dtype);
            const auto y = io::as_doubles(b->bytes(expected), expected.dtype);
            double worst = 0, largest = 0;
            for (size_t i = 0; i < y.size(); ++i) {
                worst = std::max(worst, std::abs(x[i] - y[i]));
                largest = std::max(largest, std::abs(y[i]));
            }
            EXPECT_LE(worst, tolerance * largest) << ours << ": " << expected.name << ", largest " << largest;
            EXPECT_GT(largest, 0) << expected.name;
        }
    }
    static void write_net(const std::string& name, int64_t outputs, bool whole = true, bool counts = false) {
        const std::vector<float> zeros(100000, 0.25f);
        const int64_t batches = 7;
        std::vector<io::TensorToWrite> tensors;
        const auto add = [&](const std::string& n, std::vector<int64_t> shape) {
            tensors.push_back(io::tensor_in_memory(n, DType::f32, std::move(shape), zeros.data()));
        };
        const auto block = [&](const std::string& n, int64_t in, int64_t out) {
            for (const char* layer : {"0", "3"}) {
                const std::string norm = n + ".double_conv." + (layer[0] == '0' ? "1." : "4.");
                add(n + ".double_conv." + layer + ".weight", {out, layer[0] == '0' ? in : out, 3, 3});
                for (const char* vector : {"weight", "bias", "running_mean", "running_var"}) add(norm + vector, {out});
                if (counts)
                    tensors.push_back(io::tensor_in_memory(norm + "num_batches_tracked", DType::i64, {}, &batches));
            }
        };
        block("inc", 3, 4);
        block("down1.maxpool_conv.1", 4, 8);
        if (whole) {
            add("up1.up.weight", {8, 4, 2, 2});
            add("up1.up.bias", {4});
            block("up1.conv", 8, 4);
        }
        add("outc.conv.weight", {outputs, 4, 1, 1});
        add("outc.conv.bias", {outputs});
        io::write_safetensors((root() / name).string(), tensors);
    }
};

#define NEEDS_TORCH \
    if (!has_torch()) GTEST_SKIP() << "PyTorch is not installed (apt-get install python3-torch): NOT compared with it"

const std::string net = " --base-channels 8 --depth 3 --out-channels 2 ";

TEST_F(WeightsTest, FilesOfPyTorchGiveItsLogitsAndGradients) {
    NEEDS_TORCH;
    struct Setting {
        const char *device, *dtype, *size, *file;
        double tolerance;
    };
    // float32: rounding of sums in another order; float64: the same arithmetic in another order.
    const Setting settings[] = {
        {"cpu", "f32", "256", "zip.pth", 1e-5},     {"cpu", "f64", "256", "legacy.pth", 1e-9},
        {gpu_name(), "f32", "32", "zip.pth", 1e-5}, {"reference", "f64", "32", "zip.pth", 1e-9},
        {"cpu", "f32", "32", "legacy.pth", 1e-5},
    };
    for (const Setting& s : settings) {
        if (!*s.device) continue;
        const bool f64 = s.dtype == std::string("f64");
        const std::string input = std::string("x") + s.size + ".pth";
        const Outcome outcome = run("forward --checkpoint " + quoted(s.file) + " --input " + quoted(input) +
                                    " --output " + quoted("y.safetensors") + net + "--device " + s.device +
                                    " --dtype " + s.dtype + (f64 ? " --gradients" : ""));
        ASSERT_EQ(outcome.code, 0) << outcome.output;
        expect_equal("y.safetensors", std::string("y") + s.size + "_" + s.dtype + ".pth", s.tolerance);
    }
}

TEST_F(WeightsTest, OpsEqualPyTorchs) {
    NEEDS_TORCH;
    std::ifstream lines(root() / "ops.txt");
    int count = 0;
    for (std::string line; std::getline(lines, line); ++count) {
        const std::string name = line.substr(0, line.find(' ')), attributes = line.substr(name.size());
        const std::string words = attributes == " " ? "" : " --attributes" + attributes;
        for (const auto& [device, dtype, tolerance] : std::vector<std::tuple<std::string, std::string, double>>{
                 {"cpu", "f64", 1e-9}, {"cpu", "f32", 1e-5}, {gpu_name(), "f32", 1e-5}}) {
            if (device.empty()) continue;
            const Outcome outcome =
                run("run-op " + name + " --input " + quoted("op_" + name + "_in.pth") + " --output " +
                    quoted("op.safetensors") + " --gradients --dtype " + dtype + " --device " + device + words);
            ASSERT_EQ(outcome.code, 0) << outcome.output;
            expect_equal("op.safetensors", "op_" + name + "_out.pth", tolerance);
        }
    }
    EXPECT_EQ(count, 13);
}

TEST_F(WeightsTest, ConvertsThereAndBack) {
    NEEDS_TORCH;
    std::string pairs;
    for (const char* file : {"zip.pth", "legacy.pth", "half.pt", "odd.pth", "odd_legacy.pth"}) {
        ASSERT_EQ(run("convert " + quoted(file) + " " + quoted("there.safetensors")).code, 0) << file;
        const Outcome back = run("convert " + quoted("there.safetensors") + " " + quoted(std::string("back ") + file));
        ASSERT_EQ(back.code, 0) << back.output;
        pairs += " " + quoted(std::string("back ") + file) + " " + quoted(file);
    }
    const Outcome checked = shell(python() + " '" + script + "' --check" + pairs);
    EXPECT_EQ(checked.code, 0) << checked.output;
    const Outcome only = run("convert " + quoted("zip.pth") + " " + quoted("only.pt") + " --only module.inc.");
    ASSERT_EQ(only.code, 0) << only.output;
    EXPECT_TRUE(io::PthFile(root() / "only.pt").find("double_conv.0.weight"));
    EXPECT_NE(only.output.find("left out: 'epoch' (a number), 'optimizer' (a dict)"), std::string::npos) << only.output;
    const Outcome whole = run("convert " + quoted("whole.pth") + " " + quoted("no.safetensors"));
    EXPECT_EQ(whole.code, 4);
    EXPECT_NE(whole.output.find(".UNet'"), std::string::npos) << whole.output;
    EXPECT_FALSE(fs::exists(root() / "no.safetensors"));
}

TEST_F(WeightsTest, EvalScoresPyTorchsNetOfTwoLogits) {
    ASSERT_EQ(run("synth --output " + quoted("scored") + " --count 4 --size 16 --val-fraction 0.5").code, 0);
    write_net("two.safetensors", 2, true, true);
    ASSERT_EQ(run("convert " + quoted("two.safetensors") + " " + quoted("two.pth")).code, 0);
    const std::string eval = "eval --data " + quoted("scored") +
                             " --model unet --base-channels 4 --depth 1 --size 16 " + "--threads 1 --checkpoint " +
                             quoted("two.pth");
    const Outcome scored = run(eval + " --out-channels 2");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_NE(scored.output.find("2 images of "), std::string::npos) << scored.output;
    EXPECT_NE(scored.output.find("Dice 0.0000"), std::string::npos) << "equal logits are class 0: " << scored.output;
    const Outcome one = run(eval);
    EXPECT_NE(one.code, 0) << one.output;
}

TEST_F(WeightsTest, TrainingStartsFromPretrainedWeights) {
    ASSERT_EQ(run("synth --output " + quoted("data") + " --count 6 --size 16 --val-fraction 0.4").code, 0);
    const std::string train =
        "train --data " + quoted("data") +
        " --base-channels 4 --depth 1 --size 16 --epochs 1 --batch-size 4 --lr 1e-12 --threads 1 ";
    write_net("net.safetensors", 1);
    const Outcome loaded = run(train + "--output-dir " + quoted("run") + " --pretrained " + quoted("net.safetensors"));
    ASSERT_EQ(loaded.code, 0) << loaded.output;
    EXPECT_NE(loaded.output.find("34 of the net's 40 tensors loaded"), std::string::npos) << loaded.output;
    EXPECT_NE(loaded.output.find("num_batches_tracked"), std::string::npos)
        << "missing names are shown: " << loaded.output;
    const io::SafetensorsFile last((root() / "run/last.safetensors").string());
    float first = 0;
    std::memcpy(&first, last.bytes(last.at("inc.double_conv.0.weight")).data(), sizeof first);
    EXPECT_NEAR(first, 0.25f, 1e-6) << "a learning rate of 1e-12 leaves the weights where they began";

    // Resuming goes on from the checkpoint: the pretrained weights are not read again, nor need they exist.
    fs::remove(root() / "net.safetensors");
    const Outcome resumed = run("train --resume " + quoted("run") + " --epochs 2");
    EXPECT_EQ(resumed.code, 0) << resumed.output;

    write_net("classes.safetensors", 5, false);
    const std::string pretrained = "--pretrained " + quoted("classes.safetensors");
    const Outcome refused = run(train + "--output-dir " + quoted("refused") + " " + pretrained);
    EXPECT_EQ(refused.code, 4) << refused.output;
    EXPECT_NE(refused.output.find("[5x4x1x1]"), std::string::npos) << refused.output;
    EXPECT_NE(refused.output.find("[1x4x1x1]"), std::string::npos) << refused.output;
    const Outcome anew = run(train + "--new-head --channels 1 --output-dir " + quoted("anew") + " " + pretrained);
    ASSERT_EQ(anew.code, 0) << anew.output;
    for (const char* words : {"new head", "outc.conv.weight", "missing", "up1.*", "adapted", "summed over the input"})
        EXPECT_NE(anew.output.find(words), std::string::npos) << words << "\n" << anew.output;
}

TEST_F(WeightsTest, MistakesAreOneLine) {
    const float values[] = {1, 2, 3, 4};
    io::write_safetensors((root() / "x.safetensors").string(),
                          {io::tensor_in_memory("x", DType::f32, {1, 1, 2, 2}, values)});
    io::write_safetensors((root() / "flat.safetensors").string(), {io::tensor_in_memory("x", DType::f32, {4}, values)});
    std::ofstream(root() / "text.pth") << "hello";
    const std::string io = " --input " + quoted("x.safetensors") + " --output " + quoted("y.safetensors");
    const std::string flat = " --input " + quoted("flat.safetensors") + " --output " + quoted("y.safetensors");
    const std::tuple<std::string, int, std::string> mistakes[] = {
        {"convert " + quoted("text.pth") + " " + quoted("o.safetensors"), 4, "not a file of torch.save"},
        {"convert " + quoted("x.safetensors") + " " + quoted("o.onnx"), 2, ".safetensors, .pth or .pt"},
        {"convert " + quoted("nowhere.pth") + " " + quoted("o.pth"), 4, "nowhere.pth"},
        {"convert " + quoted("x.safetensors") + " " + quoted("o.pth") + " --only y.", 2, "no tensor's name begins"},
        {"run-op rely" + io, 2, "expected one of add,"},
        {"run-op relu" + flat, 4, "is f32 [4], expected f32 [N][C][H][W]"},
        {"run-op relu" + io + " --attributes slope=1", 2, "takes no attributes"},
        {"run-op max_pool" + io + " --attributes stride=x", 2, "stride=x"},
        {"run-op bilinear" + io, 2, "height"},
        {"run-op conv2d" + io, 4, "has no tensor 'weight'"},
        {"run-op cast" + io + " --attributes dtype=f8", 2, "dtype=f8"},
        {"forward" + io + " --checkpoint " + quoted("x.safetensors"), 4, "none of its 1 names"},
        {"forward" + flat + " --checkpoint " + quoted("x.safetensors"), 4, "expected f32 [N][C][H][W]"},
    };
    for (const auto& [arguments, code, words] : mistakes) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.output;
        EXPECT_NE(outcome.output.find(words), std::string::npos) << arguments << "\n" << outcome.output;
        const auto at = outcome.output.find("atrous: ");
        ASSERT_NE(at, std::string::npos) << arguments << "\n" << outcome.output;
        EXPECT_EQ(outcome.output.find('\n', at), outcome.output.size() - 1) << outcome.output;
    }
    const Outcome list = run("run-op list");
    EXPECT_EQ(list.code, 0);
    EXPECT_NE(list.output.find("conv_transpose2x2"), std::string::npos) << list.output;
}

// No loss refuses them: whoever runs one alone reads of them.
TEST_F(WeightsTest, RunOpSaysWhatLabelsAreNoClass) {
    const float logits[8] = {};
    const uint8_t labels[] = {1, 255, 7, 3}, clean[] = {1, 255, 0, 0};
    const auto write = [&](const uint8_t* ids) {
        io::write_safetensors((root() / "x.safetensors").string(),
                              {io::tensor_in_memory("logits", DType::f32, {1, 2, 2, 2}, logits),
                               io::tensor_in_memory("labels", DType::u8, {1, 2, 2}, ids)});
    };
    const std::string files = " --input " + quoted("x.safetensors") + " --output " + quoted("y.safetensors");
    for (const std::string op : {"bce_dice", "softmax_loss", "lovasz", "ohem", "boundary"}) {
        write(labels);
        const Outcome found = run("run-op " + op + files + " --device cpu");
        EXPECT_EQ(found.code, 0);
        EXPECT_NE(found.output.find("2 labels are neither a class nor ignored; the first is 7, at pixel 2 of all"),
                  std::string::npos)
            << found.output;
        write(clean);
        const Outcome nothing = run("run-op " + op + files + " --device cpu");
        EXPECT_EQ(nothing.code, 0);
        EXPECT_EQ(nothing.output.find("neither"), std::string::npos) << nothing.output;
    }
}

}  // namespace
}  // namespace atrous
