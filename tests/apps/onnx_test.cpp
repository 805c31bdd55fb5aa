// `atrous export` as a user runs it: what the file says of preprocessing and classes, and what is refused. The numbers are
// ONNX Runtime's to compare (onnx_parity.py), where a Python has it: ATROUS_ONNX_PYTHON names one.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "engine/io/safetensors.h"
#include "tests/apps/program.h"
#include "tests/onnx_shapes.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::shell;

class ExportTest : public test::WithDrawnData<ExportTest> {
 protected:
    static void SetUpTestSuite() {
        draw("export", 8);
        const Outcome trained =
            run("train --data " + quoted("data") + " --size 32 --base-channels 4 --depth 2 --batch-size 2 --epochs 1 " +
                "--normalize imagenet --device cpu --threads 1 --output-dir " + quoted("run"));
        ASSERT_EQ(trained.code, 0) << trained.output;
    }
    static Outcome run(const std::string& arguments) { return shell(test::program() + " " + arguments); }
    static test::ReadModel exported(const std::string& options, const std::string& checkpoint = "run") {
        const Outcome made =
            run("export --overwrite -o " + quoted("net.onnx") + " --checkpoint " + quoted(checkpoint) + " " + options);
        EXPECT_EQ(made.code, 0) << made.output;
        return test::read_onnx((root() / "net.onnx").string());
    }
    static void expect_refused(const std::string& options, const std::string& words, int code = 2) {
        const Outcome refused = run("export " + options);
        EXPECT_EQ(refused.code, code) << options << "\n" << refused.output;
        EXPECT_NE(refused.output.find(words), std::string::npos) << refused.output << "\nlacks: " << words;
    }
    // The checkpoint, with something else in its model card.
    static void rewrite(const std::string& name, const std::function<void(nlohmann::json&)>& change) {
        const io::SafetensorsFile best((root() / "run/best.safetensors").string());
        auto metadata = best.metadata();
        nlohmann::json card = nlohmann::json::parse(metadata.at("atrous.recipe"));
        change(card);
        metadata["atrous.recipe"] = card.dump();
        std::vector<io::TensorToWrite> tensors;
        for (const io::TensorInfo& info : best.tensors())
            tensors.push_back({info.name, info.dtype, info.shape, [&best, &info](io::Sink& sink) {
                                   const auto bytes = best.bytes(info);
                                   sink.write(bytes.data(), bytes.size());
                               }});
        io::write_safetensors((root() / name).string(), tensors, metadata);
    }
};

TEST_F(ExportTest, FileSaysWhatTheCheckpointSays) {
    const test::ReadModel m = exported("");
    EXPECT_EQ(m.producer, "atrous");
    EXPECT_EQ(m.opset, 17);
    EXPECT_EQ(m.inputs.at(0).name, "image");
    EXPECT_EQ(m.inputs[0].type, 1);
    EXPECT_EQ(m.inputs[0].shape, (std::vector<std::string>{"batch", "3", "height", "width"}));
    EXPECT_EQ(m.outputs.at(0).name, "logits");
    EXPECT_EQ(m.outputs[0].shape, (std::vector<std::string>{"batch", "1", "height", "width"}));
    const std::map<std::string, std::string> expected{{"atrous.model", "unet"},
                                                      {"atrous.channels", "3"},
                                                      {"atrous.classes", R"(["background","foreground"])"},
                                                      {"atrous.colours", R"(["#000000","#ffffff"])"},
                                                      {"atrous.size", "32x32"},
                                                      {"atrous.resize", "stretch"},
                                                      {"atrous.multiple", "4"},
                                                      {"atrous.value_range", "auto"},
                                                      {"atrous.mean", "[0.485, 0.456, 0.406]"},
                                                      {"atrous.std", "[0.229, 0.224, 0.225]"},
                                                      {"atrous.input", "normalized"},
                                                      {"atrous.output", "logits"},
                                                      {"atrous.activation", "sigmoid"}};
    EXPECT_EQ(m.metadata, expected);
    EXPECT_EQ(exported("--opset 21").opset, 21);
}

TEST_F(ExportTest, NormalizationAndClassIdsAreInTheGraphAtWill) {
    const test::ReadModel m = exported("--include-normalization --argmax --threshold 0.75");
    EXPECT_EQ(m.inputs.at(0).type, 2) << "u8";
    ASSERT_GE(m.nodes.size(), 7u);
    EXPECT_EQ(m.nodes[0].op, "Cast");
    std::vector<std::vector<float>> constants;
    for (const test::ReadNode& n : m.nodes)
        if (n.op == "Constant" && n.attributes.at("value").tensor.type == 1)
            constants.push_back(n.attributes.at("value").tensor.values<float>());
    const std::vector<std::vector<float>> expected{
        {255, 255, 255}, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, {float(std::log(3.0))}};
    EXPECT_EQ(constants, expected) << "v / 255, minus mean, over std; the logit of the threshold";
    EXPECT_EQ(m.all("Div")[0]->inputs[0], m.nodes[0].outputs[0]);
    EXPECT_EQ(m.outputs.at(0).name, "class_ids");
    EXPECT_EQ(m.outputs[0].type, 2);
    EXPECT_EQ(test::OnnxShapes(m, {2, 3, 45, 30}).of("class_ids"), (test::Numbers{2, 45, 30}));
    EXPECT_EQ(m.metadata.at("atrous.input"), "bytes");
    EXPECT_EQ(m.metadata.at("atrous.output"), "class ids");
    EXPECT_EQ(m.metadata.at("atrous.threshold"), "0.75");
}

// Where 0 and 1 are not those of bytes, stored values come as floats.
TEST_F(ExportTest, AValueRangeOfItsOwnTakesFloats) {
    rewrite("ranged.safetensors", [](nlohmann::json& card) { card["value_range"] = {100, 4095}; });
    const test::ReadModel m = exported("--include-normalization", "ranged.safetensors");
    EXPECT_EQ(m.inputs.at(0).type, 1);
    EXPECT_EQ(m.metadata.at("atrous.input"), "stored");
    EXPECT_EQ(m.metadata.at("atrous.value_range"), "100..4095");
    ASSERT_GE(m.nodes.size(), 2u);
    EXPECT_EQ(m.nodes[0].attributes.at("value").tensor.values<float>(), (std::vector<float>{100, 100, 100}));
    EXPECT_EQ(m.nodes[1].op, "Sub");
    EXPECT_EQ(m.nodes[1].inputs[0], "image");
    ASSERT_GE(m.nodes.size(), 4u);
    EXPECT_EQ(m.nodes[2].attributes.at("value").tensor.values<float>(), (std::vector<float>{3995, 3995, 3995}));
    EXPECT_EQ(m.nodes[3].op, "Div");
}

TEST_F(ExportTest, FixedSizeAndHalf) {
    const test::ReadModel fixed = exported("--fixed-size 40x24");
    EXPECT_EQ(fixed.inputs.at(0).shape, (std::vector<std::string>{"batch", "3", "24", "40"}));
    EXPECT_TRUE(fixed.all("Shape").empty()) << "nothing is computed of sizes where nothing is padded";
    const test::ReadModel half = exported("--half");
    EXPECT_EQ(half.inputs.at(0).type, 1);
    EXPECT_EQ(half.outputs.at(0).type, 1);
    for (const auto& [name, tensor] : half.initializers) EXPECT_EQ(tensor.type, 10) << name;
    EXPECT_EQ(half.nodes.front().op, "Cast");
    EXPECT_EQ(half.nodes.back().op, "Cast");
    EXPECT_EQ(half.nodes.back().attributes.at("to").integer, 1);
}

// JSON escapes quotes and control characters, however long a name is.
TEST_F(ExportTest, HostileNamesOfClassesAreText) {
    rewrite("named.safetensors", [](nlohmann::json& card) {
        card["class_names"] = {"a\"b\n\x01</script>", std::string(100000, 'x')};
    });
    const auto names = nlohmann::json::parse(exported("", "named.safetensors").metadata.at("atrous.classes"));
    EXPECT_EQ(names.at(0), "a\"b\n\x01</script>");
    EXPECT_EQ(names.at(1).get<std::string>().size(), 100000u);
}

TEST_F(ExportTest, WhatCannotBeIsRefused) {
    const std::string run_folder = "--checkpoint " + quoted("run") + " ", to = "-o " + quoted("other.onnx") + " ";
    expect_refused(run_folder + "-o " + quoted("net.pb"), "expected a name that ends in .onnx");
    expect_refused(run_folder + to + "--auxiliary", "--auxiliary: this unet has no auxiliary head");
    expect_refused(run_folder + to + "--threshold 0.3", "--threshold means nothing without --argmax");
    expect_refused(run_folder + to + "--opset 12", "--opset");
    expect_refused(run_folder + to + "--depth 3", "says itself what net it is of");
    expect_refused(to + "--checkpoint " + quoted("nowhere"), "nowhere", 4);
    EXPECT_FALSE(fs::exists(root() / "other.onnx"));
    ASSERT_EQ(run("export " + run_folder + to).code, 0);
    expect_refused(run_folder + to, "this file exists");
    EXPECT_EQ(run("export " + run_folder + to + "--overwrite").code, 0);
}

// Weights that do not say what net they are of.
TEST_F(ExportTest, WeightsOfOthersAreDescribed) {
    const Outcome converted = run("convert " + quoted("run/best.safetensors") + " " + quoted("plain.pth"));
    ASSERT_EQ(converted.code, 0) << converted.output;
    const test::ReadModel m =
        exported("--model unet --base-channels 4 --depth 2 --size 48 --normalize imagenet", "plain.pth");
    EXPECT_EQ(m.metadata.at("atrous.size"), "48x48");
    EXPECT_EQ(m.initializers.size(), exported("").initializers.size());
    EXPECT_EQ(m.metadata.at("atrous.classes"), R"(["background","foreground"])");
    EXPECT_EQ(m.metadata.at("atrous.colours"), R"(["#000000","#ffffff"])");
    EXPECT_EQ(m.metadata.at("atrous.activation"), "sigmoid") << "of one channel, whatever the loss was";
}

// Of several channels the activation follows from the loss, which such weights do not say.
TEST_F(ExportTest, WeightsOfOthersSayNoActivation) {
    const std::string net = "--size 32 --model unet --base-channels 4 --depth 2 --no-batch-norm ";
    const Outcome drawn = run("synth --output " + quoted("kinds") + " --count 8 --size 32 --seed 3 --class-per-kind");
    ASSERT_EQ(drawn.code, 0) << drawn.output;
    const Outcome trained =
        run("train --data " + quoted("kinds") + " " + net +
            "--classes 4 --batch-size 2 --epochs 1 --device cpu --threads 1 --output-dir " + quoted("four"));
    ASSERT_EQ(trained.code, 0) << trained.output;
    EXPECT_EQ(exported("", "four").metadata.at("atrous.activation"), "softmax");
    const Outcome converted = run("convert " + quoted("four/best.safetensors") + " " + quoted("four.pth"));
    ASSERT_EQ(converted.code, 0) << converted.output;
    const test::ReadModel m = exported(net + "--out-channels 4", "four.pth");
    EXPECT_EQ(m.metadata.count("atrous.activation"), 0u);
    EXPECT_EQ(m.metadata.at("atrous.classes"), R"(["class 0","class 1","class 2","class 3"])");
    EXPECT_EQ(nlohmann::json::parse(m.metadata.at("atrous.colours")).size(), 4u);
    expect_refused("--checkpoint " + quoted("four") + " -o " + quoted("folded.onnx") + " --fold-batch-norm",
                   "--fold-batch-norm: this unet has no batch norm that alone reads");
    EXPECT_FALSE(fs::exists(root() / "folded.onnx"));
}

TEST_F(ExportTest, FoldedBatchNormsAreCounted) {
    const Outcome made =
        run("export --overwrite -o " + quoted("net.onnx") + " --checkpoint " + quoted("run") + " --fold-batch-norm");
    ASSERT_EQ(made.code, 0) << made.output;
    EXPECT_NE(made.output.find(", 10 batch norms folded, "), std::string::npos) << made.output;
    EXPECT_TRUE(test::read_onnx((root() / "net.onnx").string()).all("BatchNormalization").empty());
}

// What the auxiliary head's logits are compared with.
TEST_F(ExportTest, ForwardGivesAuxiliaryLogitsWhereThereAreSome) {
    const std::vector<float> x(3 * 32 * 32, 0.5f);
    io::write_safetensors((root() / "x.safetensors").string(),
                          {io::tensor_in_memory("x", DType::f32, {1, 3, 32, 32}, x.data())});
    const std::string forward = "forward --checkpoint " + quoted("run") + " --input " + quoted("x.safetensors") +
                                " --output " + quoted("y.safetensors") + " --device cpu --auxiliary";
    const Outcome none = run(forward), both = run(forward + " --gradients");
    EXPECT_EQ(none.code, 2) << none.output;
    EXPECT_NE(none.output.find("--auxiliary: this net has no auxiliary head"), std::string::npos) << none.output;
    EXPECT_EQ(both.code, 2) << both.output;
    EXPECT_FALSE(fs::exists(root() / "y.safetensors"));
}

TEST_F(ExportTest, OnnxRuntimeComputesTheSame) {
    const char* named = std::getenv("ATROUS_ONNX_PYTHON");
    const std::string python = named ? named : test::python_with("onnx, onnxruntime, numpy, PIL");
    if (python.empty())
        GTEST_SKIP()
            << "no Python with onnx, onnxruntime, numpy and Pillow (ATROUS_ONNX_PYTHON names one): NOT compared "
               "with ONNX Runtime";
    const Outcome compared = shell("'" + python + "' '" + test::test_root() + "/tests/apps/onnx_parity.py' '" +
                                   test::program() + "' --quick");
    EXPECT_EQ(compared.code, 0) << compared.output;
    EXPECT_NE(compared.output.find("| `deeplabv3plus"), std::string::npos) << compared.output;
}

}  // namespace
}  // namespace atrous
