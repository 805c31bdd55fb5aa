// ONNX files byte by byte, and what is refused before one is written.
#include "engine/io/onnx_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/io/onnx_fold.h"
#include "engine/nn/layers.h"
#include "tests/onnx_reader.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

class OnnxFile : public testing::Test {
 protected:
    OnnxFile() : folder_(fs::temp_directory_path() / ("atrous onnx " + std::to_string(getpid()))) {
        fs::create_directories(folder_);
    }
    ~OnnxFile() override { fs::remove_all(folder_); }
    std::string path() const { return (folder_ / "net.onnx").string(); }
    std::string contents() const {
        std::ifstream file(path(), std::ios::binary);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    size_t files() const { return size_t(std::distance(fs::directory_iterator(folder_), fs::directory_iterator())); }

 private:
    fs::path folder_;
};

io::OnnxInitializer initializer(const std::string& name, std::vector<int64_t> shape, std::string bytes) {
    return {name, OnnxType::f32, std::move(shape), [bytes = std::move(bytes)](io::Sink& sink) { sink.write(bytes); }};
}

std::string message_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const Error& e) {
        return e.what();
    }
    return "nothing was thrown";
}

// By hand from onnx.proto: every key is the field's number times 8, plus 2 for what has a length.
TEST_F(OnnxFile, IsTheseBytes) {
    io::OnnxModel model{.name = "g", .opset = 300};
    model.nodes = {{"Relu", "r", {"x", ""}, "y", {{"k", int64_t(-1)}, {"f", 1.5f}, {"s", std::string("t")}}}};
    model.inputs = {{"x", OnnxType::f32, {"batch", int64_t(3)}}};
    model.outputs = {{"y", OnnxType::u8, {}}};
    model.initializers = {initializer("w", {1}, "abcd")};
    model.metadata = {{"a", "b"}};
    io::write_onnx(path(), model);
    const auto text = [](std::initializer_list<int> bytes) {
        std::string all;
        for (const int b : bytes) all += char(b);
        return all;
    };
    const std::string attributes =
        text({0x2a, 17, 0x0a, 1, 'k', 0x18, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0xa0, 1, 2}) +
        text({0x2a, 11, 0x0a, 1, 'f', 0x15, 0, 0, 0xc0, 0x3f, 0xa0, 1, 1}) +
        text({0x2a, 9, 0x0a, 1, 's', 0x22, 1, 't', 0xa0, 1, 3});
    const std::string node = text({0x0a, 1, 'x', 0x0a, 0, 0x12, 1, 'y', 0x1a, 1, 'r', 0x22, 4}) + "Relu" + attributes;
    const std::string input =
        text({0x0a, 1, 'x', 0x12, 19, 0x0a, 17, 8, 1, 0x12, 13, 0x0a, 7, 0x12, 5}) + "batch" + text({0x0a, 2, 8, 3});
    const std::string output = text({0x0a, 1, 'y', 0x12, 6, 0x0a, 4, 8, 2, 0x12, 0});
    const std::string tensor = text({8, 1, 16, 1, 0x42, 1, 'w', 0x4a, 4}) + "abcd";
    const auto field = [](int key, const std::string& m) { return std::string{char(key), char(m.size())} + m; };
    const std::string graph =
        field(0x0a, node) + field(0x12, "g") + field(0x5a, input) + field(0x62, output) + field(0x2a, tensor);
    ASSERT_LT(graph.size(), 128u) << "a length of one byte";
    EXPECT_EQ(contents(), text({8, 8, 0x12, 6}) + "atrous" + text({0x42, 5, 0x0a, 0, 0x10, 0xac, 2}) +
                              text({0x72, 6, 0x0a, 1, 'a', 0x12, 1, 'b'}) + field(0x3a, graph));
}

// protobuf's text is UTF-8, and runtimes refuse a file with any other.
TEST_F(OnnxFile, TextsAreUtf8WhateverTheyWere) {
    const std::string latin =
                          "stra\xdf"
                          "e",
                      control = "a\x01\n\x7f",
                      accents =
                          "Stra\xc3\x9f"
                          "e",
                      cut = "\xe2\x82", surrogate = "\xed\xa0\x80", nul("a\0b", 3), one_megabyte(1 << 20, 'n');
    io::OnnxModel model{.name = latin};
    for (const std::string& value : {latin, control, accents, cut, surrogate, nul, one_megabyte})
        model.metadata.emplace_back(std::to_string(model.metadata.size()), value);
    model.initializers = {initializer(one_megabyte, {1}, "abcd")};
    io::write_onnx(path(), model);
    const test::ReadModel read = test::read_onnx(path());
    const std::string unknown = "\xef\xbf\xbd";
    EXPECT_EQ(read.graph, "stra" + unknown + "e");
    EXPECT_EQ(read.metadata.at("0"), "stra" + unknown + "e");
    EXPECT_EQ(read.metadata.at("1"), control);
    EXPECT_EQ(read.metadata.at("2"), accents);
    EXPECT_EQ(read.metadata.at("3"), unknown + unknown);
    EXPECT_EQ(read.metadata.at("4"), unknown + unknown + unknown);
    EXPECT_EQ(read.metadata.at("5"), nul);
    EXPECT_EQ(read.metadata.at("6"), one_megabyte);
    EXPECT_EQ(read.initializers.at(one_megabyte).bytes, "abcd");
}

TEST_F(OnnxFile, OverTwoGigabytesIsRefusedBeforeAnythingIsWritten) {
    io::write_onnx(path(), {.name = "old"});
    const std::string old = contents();
    io::OnnxModel model{.name = "large"};
    const auto never = [](io::Sink&) { FAIL() << "the weights are asked for"; };
    model.initializers = {{"a", OnnxType::f32, {1 << 14, 1 << 14}, never},
                          {"b", OnnxType::f32, {1 << 14, 1 << 14}, never}};
    const std::string message = message_of([&] { io::write_onnx(path(), model); });
    EXPECT_NE(message.find("would have 2.0"), std::string::npos) << message;
    EXPECT_NE(message.find("`half`"), std::string::npos) << message;
    EXPECT_EQ(contents(), old);
    EXPECT_EQ(files(), 1u) << "no temporary is left";
    model.initializers = {{"a", OnnxType::f16, {1 << 15, 1 << 15}, never}};
    const std::string in_half = message_of([&] { io::write_onnx(path(), model); });
    EXPECT_NE(in_half.find("less than 2 GiB; take a smaller net"), std::string::npos) << in_half;
}

TEST_F(OnnxFile, WeightsThatDoNotFitTheirShapeLeaveTheOldFile) {
    io::write_onnx(path(), {.name = "old"});
    const std::string old = contents();
    for (const char* bytes : {"abcd", "abcdefghijkl"}) {
        io::OnnxModel model{.name = "new"};
        model.initializers = {initializer("w", {2}, bytes)};
        EXPECT_THROW(io::write_onnx(path(), model), ShapeError);
        EXPECT_EQ(contents(), old);
        EXPECT_EQ(files(), 1u);
    }
}

struct OneLayer : Module {
    Conv2d conv{*this, "conv", {.in_channels = 2, .out_channels = 3, .kernel = 2, .bias = false}};
};

// The weight of a net as it is and in fp16: [O][kh][kw][I] becomes [O][I][kh][kw].
TEST_F(OnnxFile, WeightsHavePytorchsLayout) {
    OneLayer net;
    net.materialize({.device = {DeviceKind::cpu}});
    Tensor& weight = net.parameters()[0].parameter->value;
    std::vector<float> values(3 * 2 * 2 * 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = float(i) / 7;
    weight.copy_from_host(values.data(), values.size() * sizeof(float));
    OnnxGraph graph({}, 1, DType::f32);
    const Value value{weight.id(), weight.shape(), DType::f32, nullptr};
    graph.add_parameter(value, "conv.weight");
    EXPECT_EQ(graph.parameter(value, OperandKind::conv_weight), "conv.weight");
    EXPECT_EQ(graph.parameter(value, OperandKind::conv_weight), "conv.weight") << "shared by two layers";
    EXPECT_THROW(graph.parameter(value, OperandKind::conv_transpose_weight), Error) << "in two layouts";
    const auto weights = [&](DType real) {
        auto all = io::onnx_initializers(graph, net);
        if (real == DType::f16) io::halve(all, "stay");
        return all;
    };
    for (const DType real : {DType::f32, DType::f16}) {
        io::write_onnx(path(), {.name = "n", .initializers = weights(real)});
        const test::ReadTensor read = test::read_onnx(path()).initializers.at("conv.weight");
        EXPECT_EQ(read.shape, (std::vector<int64_t>{3, 2, 2, 2}));
        ASSERT_EQ(read.type, real == DType::f32 ? 1 : 10);
        for (size_t o = 0; o < 3; ++o)
            for (size_t c = 0; c < 2; ++c)
                for (size_t tap = 0; tap < 4; ++tap) {
                    const size_t theirs = (o * 2 + c) * 4 + tap, ours = (o * 4 + tap) * 2 + c;
                    const bool half = real == DType::f16;
                    const float found =
                        half ? to_float(f16{read.values<uint16_t>()[theirs]}) : read.values<float>()[theirs];
                    EXPECT_NEAR(found, values[ours], half ? values[ours] / 2048 : 0) << "fp16 keeps 11 bits";
                }
    }
    values[5] = 65520;  // rounds to infinity
    weight.copy_from_host(values.data(), values.size() * sizeof(float));
    const std::string old = contents();
    const std::string message =
        message_of([&] { io::write_onnx(path(), {.name = "n", .initializers = weights(DType::f16)}); });
    EXPECT_NE(message.find("'conv.weight': holds 6.552e+04, and fp16 ends at 65504; stay"), std::string::npos)
        << message;
    EXPECT_EQ(contents(), old);
}

io::OnnxInitializer floats(const std::string& name, std::vector<int64_t> shape, const std::vector<float>& values) {
    return initializer(name, std::move(shape),
                       {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

// A convolution of two outputs behind one of one that two nodes read. gamma / sqrt(variance + epsilon) is 2 and 3.
TEST_F(OnnxFile, BatchNormIsFoldedWhereItAloneReadsAConvolution) {
    io::OnnxModel m{.name = "n"};
    const std::vector<OnnxAttribute> epsilon{{"epsilon", 0.5f}};
    const auto norm = [&](const std::string& x, const std::string& y) {
        m.nodes.push_back({"BatchNormalization", y, {x, "gamma", "beta", "mean", "variance"}, y, epsilon});
    };
    m.nodes.push_back({"Conv", "a", {"x", "a.weight"}, "a", {}});
    norm("a", "an");
    m.nodes.push_back({"ConvTranspose", "b", {"an", "b.weight", "b.bias"}, "b", {}});
    norm("b", "bn");
    m.nodes.push_back({"Conv", "c", {"bn", "c.weight"}, "c", {}});
    norm("c", "cn");
    m.nodes.push_back({"Add", "y", {"c", "cn"}, "y", {}});
    m.outputs = {{"y", OnnxType::f32, {}}};
    const std::vector<float> four{1, 2, 3, 4};
    m.initializers = {floats("a.weight", {2, 2, 1, 1}, four),
                      floats("b.weight", {2, 2, 1, 1}, four),
                      floats("b.bias", {2}, {10, 20}),
                      floats("c.weight", {2, 2, 1, 1}, four),
                      floats("gamma", {2}, {2, 6}),
                      floats("beta", {2}, {100, 200}),
                      floats("mean", {2}, {1, 2}),
                      floats("variance", {2}, {0.5f, 3.5f})};
    EXPECT_EQ(io::fold_batch_norm(m), 2);
    io::write_onnx(path(), m);
    const test::ReadModel read = test::read_onnx(path());
    const auto values = [&](const char* name) { return read.initializers.at(name).values<float>(); };
    using Floats = std::vector<float>;
    EXPECT_EQ(values("a.weight"), (Floats{2, 4, 9, 12})) << "outputs are the first axis";
    EXPECT_EQ(values("a.bias"), (Floats{98, 194})) << "beta - mean * factor";
    EXPECT_EQ(values("b.weight"), (Floats{2, 6, 6, 12})) << "outputs are the second axis";
    EXPECT_EQ(values("b.bias"), (Floats{118, 254}));
    EXPECT_EQ(values("c.weight"), four) << "its output is read beside the batch norm";
    EXPECT_EQ(values("gamma"), (Floats{2, 6})) << "the third batch norm still reads it";
    ASSERT_EQ(read.nodes.size(), 5u);
    EXPECT_EQ(read.nodes[0].inputs, (std::vector<std::string>{"x", "a.weight", "a.bias"}));
    EXPECT_EQ(read.nodes[0].outputs[0], "an");
    EXPECT_EQ(read.nodes[1].inputs[0], "an");
    EXPECT_EQ(read.nodes[1].outputs[0], "bn");
    EXPECT_EQ(read.nodes[3].op, "BatchNormalization");
}

}  // namespace
}  // namespace atrous
