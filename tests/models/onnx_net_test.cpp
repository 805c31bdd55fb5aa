// Every net as an ONNX graph: its nodes are the ops that ran, its weights the state dict, and it has the net's shapes at
// sizes at which it was not traced. The numbers are compared by tests/apps/onnx_parity.py.
#include "engine/nn/onnx_net.h"

#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/context.h"
#include "engine/io/onnx_file.h"
#include "engine/io/state_dict.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/resize.h"
#include "engine/ops/window.h"
#include "kernels/elementwise.h"
#include "models/catalogue.h"
#include "models/deeplabv3plus.h"
#include "models/unet.h"
#include "tests/onnx_shapes.h"

namespace atrous {
namespace {

constexpr Device meta{DeviceKind::meta};

// The graph as a reader finds it in a file, and names and shapes of its weights, which a net on meta has not.
test::ReadModel graph_of(SegmentationNet& net, const std::vector<ImageSides>& sizes, bool with_auxiliary = false) {
    const NetTrace trace = trace_for_onnx(net, sizes, with_auxiliary);
    OnnxGraph g(trace.sides, trace.multiple, DType::f32);
    for (const auto& [value, name] : trace.tensors) g.add_parameter(value, name);
    write_net(g, trace, g.add_input("image", OnnxType::f32, {"batch", net.in_channels(), "height", "width"}));
    g.add_output(g.name(trace.out), "logits", OnnxType::f32, {"batch", net.out_channels(), "height", "width"});
    if (trace.aux.id) g.add_output(g.name(trace.aux), "auxiliary", OnnxType::f32, {});
    io::OnnxModel model{.name = "net", .nodes = g.nodes(), .inputs = g.inputs(), .outputs = g.outputs()};
    const auto path = std::filesystem::temp_directory_path() / fmt::format("atrous-onnx-{}.onnx", getpid());
    io::write_onnx(path.string(), model);
    test::ReadModel read = test::read_onnx(path.string());
    std::filesystem::remove(path);
    for (const io::OnnxInitializer& t : io::onnx_initializers(g, net))
        read.initializers[t.name] = {.name = t.name, .type = int64_t(t.type), .shape = t.shape, .bytes = ""};
    return read;
}

test::ReadModel graph_of(SegmentationNet& net, bool with_auxiliary = false) {
    return graph_of(net, telling_sizes(net.input_multiple()), with_auxiliary);
}

NetConfig net_of(const std::string& model, const std::string& encoder = "", int64_t output_stride = 0) {
    NetConfig c = unet({.in_channels = 4, .out_channels = 3, .base_channels = 4, .depth = 3});
    c.model = model;
    c.encoder = encoder;
    c.output_stride = output_stride;
    return c;
}

std::vector<NetConfig> every_form() {
    std::vector<NetConfig> all{net_of("unet"),
                               net_of("unet", "resnet18"),
                               net_of("unet11"),
                               net_of("albunet34"),
                               net_of("fcn", "resnet50"),
                               net_of("fcn", "vgg11_bn", 16),
                               net_of("deeplabv3", "resnet18"),
                               net_of("deeplabv3", "resnet18", 32),
                               net_of("deeplabv3", "vgg11", 8),
                               net_of("deeplabv3plus", "resnet18", 16),
                               net_of("deeplabv3-comma10k")};
    for (const UNetOptions& o : {UNetOptions{.bilinear = true}, UNetOptions{.bilinear = true, .align_corners = false},
                                 UNetOptions{.bilinear = true, .full_width = true}, UNetOptions{.batch_norm = false},
                                 UNetOptions{.kernel = 5}, UNetOptions{.depth = 1}, UNetOptions{.depth = 7}}) {
        UNetOptions small = o;
        small.in_channels = 4, small.out_channels = 3, small.base_channels = 2;
        all.push_back(unet(small));
    }
    for (const int64_t stride : {8, 16, 32}) {
        all.push_back(net_of("deeplabv3", "resnet18", stride));
        all.back().progressive_decoder = true;
    }
    all.push_back(net_of("deeplabv3", "resnet18"));
    all.back().pooled = false;
    all.push_back(net_of("deeplabv3plus", "resnet18"));
    all.back().models.of<DeepLabV3PlusModel>("deeplabv3plus").separable = true;
    return all;
}

std::string text_of(const NetConfig& c) {
    return fmt::format("{} {} at stride {}", c.model, c.encoder, c.output_stride);
}

// The logits', and those of all convolutions.
TEST(OnnxNet, HasTheNetsShapesAtOtherSizes) {
    for (const NetConfig& config : every_form()) {
        const auto net = make_net(config);
        const test::ReadModel graph = graph_of(*net);
        // Multiples of what the nets need, others, and narrow ones.
        for (const auto& [h, w] : {std::pair{64, 64}, {256, 384}, {33, 47}, {17, 250}, {100, 1}, {511, 130}}) {
            SCOPED_TRACE(fmt::format("{} {}x{}", text_of(config), h, w));
            const NetTrace ran = trace_for_onnx(*net, {{h, w}}, false);
            const test::OnnxShapes shapes(graph, {3, 4, h, w});
            EXPECT_EQ(shapes.of("logits"), (test::Numbers{3, 3, h, w}));
            std::vector<test::Numbers> convolved, expected;
            for (const test::ReadNode* conv : graph.all("Conv")) convolved.push_back(shapes.of(conv->outputs[0]));
            for (const Entry& e : ran.entries)
                if (e.op == "conv2d" || e.op == "depthwise_conv2d")
                    expected.push_back({3, e.output.shape[3], e.output.shape[1], e.output.shape[2]});
            EXPECT_EQ(convolved, expected);
        }
    }
}

TEST(OnnxNet, WeightsAreTheStateDict) {
    for (const NetConfig& config : every_form()) {
        SCOPED_TRACE(text_of(config));
        const auto net = make_net(config);
        const test::ReadModel graph = graph_of(*net, true);
        std::map<std::string, std::vector<int64_t>> expected, found;
        for (const io::Slot& slot : io::slots_of(*net))
            if (!slot.name.ends_with("num_batches_tracked")) expected[slot.name] = slot.shape();
        for (const auto& [name, tensor] : graph.initializers) found[name] = tensor.shape;
        EXPECT_EQ(found, expected);
        EXPECT_EQ(graph.outputs.size(), expected.count("aux_classifier.0.weight") + 1);
    }
}

TEST(OnnxNet, NodesSayWhatTheOpsDid) {
    const auto net = make_net(unet({.base_channels = 2, .depth = 1}));
    const test::ReadModel g = graph_of(*net, {{6, 8}});
    std::vector<std::string> ops;
    for (const test::ReadNode& n : g.nodes) ops.push_back(n.op);
    const std::vector<std::string> pair{"Conv", "BatchNormalization", "Relu", "Conv", "BatchNormalization", "Relu"};
    std::vector<std::string> expected = pair;
    expected.push_back("MaxPool");
    expected.insert(expected.end(), pair.begin(), pair.end());
    expected.insert(expected.end(), {"ConvTranspose", "Concat"});
    expected.insert(expected.end(), pair.begin(), pair.end());
    expected.push_back("Conv");
    EXPECT_EQ(ops, expected) << "for one size that needs no padding nothing is computed of sizes";
    const test::ReadNode &conv = g.nodes[0], &norm = g.nodes[1], &raise = *g.all("ConvTranspose")[0];
    EXPECT_EQ(conv.name, "inc.double_conv.0/Conv");
    EXPECT_EQ(conv.inputs, (std::vector<std::string>{"image", "inc.double_conv.0.weight"}));
    EXPECT_EQ(conv.attributes.at("pads").integers, (std::vector<int64_t>{1, 1, 1, 1}));
    EXPECT_EQ(conv.attributes.at("group").integer, 1);
    const std::string n = "inc.double_conv.1.";
    EXPECT_EQ(norm.inputs, (std::vector<std::string>{conv.outputs[0], n + "weight", n + "bias", n + "running_mean",
                                                     n + "running_var"}));
    EXPECT_FLOAT_EQ(norm.attributes.at("epsilon").real, 1e-5f);
    EXPECT_EQ(raise.attributes.at("strides").integers, (std::vector<int64_t>{2, 2}));
    // The encoder's features in front.
    EXPECT_EQ(g.all("Concat")[0]->inputs, (std::vector<std::string>{"inc.double_conv.4/Relu", "up1.up/ConvTranspose"}));
    EXPECT_EQ(g.nodes.back().outputs, (std::vector<std::string>{"logits"}));
    EXPECT_EQ(g.inputs[0].shape, (std::vector<std::string>{"batch", "3", "height", "width"}));
}

TEST(OnnxNet, ResizesByPytorchsConventions) {
    const auto coordinates = [](const NetConfig& c) {
        std::set<std::string> found;
        const test::ReadModel g = graph_of(*make_net(c));
        for (const test::ReadNode* n : g.all("Resize"))
            found.insert(n->attributes.at("mode").text + " " + n->attributes.at("coordinate_transformation_mode").text);
        return found;
    };
    using Set = std::set<std::string>;
    EXPECT_EQ(coordinates(unet({.base_channels = 2, .bilinear = true})), Set{"linear align_corners"});
    EXPECT_EQ(coordinates(unet({.base_channels = 2, .bilinear = true, .align_corners = false})),
              Set{"linear half_pixel"});
    EXPECT_EQ(coordinates(net_of("unet", "resnet18")), Set{"nearest asymmetric"});
    EXPECT_EQ(coordinates(net_of("deeplabv3", "resnet18")), Set{"linear half_pixel"});
}

// ---- nets of others

struct Net : SegmentationNet {
    std::function<Tensor(const Tensor&)> f;
    int64_t multiple = 1;
    explicit Net(std::function<Tensor(const Tensor&)> f) : f(std::move(f)) {}
    int64_t in_channels() const override { return 3; }
    int64_t out_channels() const override { return 3; }
    int64_t input_multiple() const override { return multiple; }
    NetOutputs compute(const Tensor& x, bool) override {
        const ModuleScope scope("layer");
        return {f(x), {}};
    }
};

Tensor recorded(const char* op, const Tensor& x) {
    const Tensor y = empty_like(x);
    run(x.device(), {kernels::reference::add, kernels::cpu::add, kernels::cuda::add},
        kernels::AddArgs{x.view(), x.view(), y.view()});
    return record({.op = op, .inputs = {x}, .output = y});
}

template <class Thrown>
std::string refusal(Net net, const std::vector<ImageSides>& sizes = {{40, 48}, {50, 67}}) {
    try {
        graph_of(net, sizes);
    } catch (const Thrown& e) {
        return e.what();
    }
    return "nothing was thrown";
}

void expect_in(const std::string& part, const std::string& text) {
    EXPECT_NE(text.find(part), std::string::npos) << text << "\nlacks: " << part;
}

TEST(OnnxNet, AnOpFromOutsideBringsItsNodes) {
    const auto call = [](const OpArguments& a) { return result(a.tensor("x")); };
    add_op({.name = "doubled", .call = call, .reach = same_position, .onnx = [](const Entry& e, OnnxGraph& g) {
                return g.node("Add", {g.name(e.inputs[0]), g.name(e.inputs[0])});
            }});
    add_op({.name = "doubled silently", .call = call, .reach = same_position});
    Net net([](const Tensor& x) { return recorded("doubled", x); });
    const test::ReadModel g = graph_of(net);
    ASSERT_EQ(g.nodes.size(), 1u);
    EXPECT_EQ(g.nodes[0].inputs, (std::vector<std::string>{"image", "image"}));
    expect_in("op 'doubled silently' of layer 'layer' cannot be exported: expected",
              refusal<Error>(Net([](const Tensor& x) { return recorded("doubled silently", x); })));
    expect_in("op 'nobody knows it' has no descriptor",
              refusal<Error>(Net([](const Tensor& x) { return recorded("nobody knows it", x); })));
}

TEST(OnnxNet, WhatIsNoneOfTheNetsIsRefused) {
    const Tensor apart = Tensor::empty({2, 40, 48, 3}, DType::f32, meta);
    expect_in("reads a tensor 2x40x48x3 that no op of the net made",
              refusal<Error>(Net([&](const Tensor& x) { return add(x, apart); }), {{40, 48}}));
    const Tensor weight = Tensor::empty({3, 1, 1, 3}, DType::f32, meta);
    expect_in("neither a parameter nor a buffer",
              refusal<Error>(Net([&](const Tensor& x) { return conv2d(x, weight, {}, {}); })));
}

TEST(OnnxNet, WindowsPadOrCut) {
    Net cut([](const Tensor& x) { return window(x, {3, 2, x.dim(1) - 3, x.dim(2) - 2}); });
    const test::ReadModel g = graph_of(cut, {{40, 48}});
    EXPECT_EQ(g.all("Slice").size(), 1u);
    EXPECT_EQ(test::OnnxShapes(g, {1, 3, 40, 48}).of("logits"), (test::Numbers{1, 3, 37, 46}));
    Net pad([](const Tensor& x) { return window(x, {-3, -2, x.dim(1) + 4, x.dim(2) + 2}); });
    const test::ReadModel padded = graph_of(pad, {{40, 48}});
    EXPECT_EQ(test::OnnxShapes(padded, {1, 3, 40, 48}).of("logits"), (test::Numbers{1, 3, 44, 50}));
    expect_in("adds pixels and takes others away", refusal<Error>(Net([](const Tensor& x) {
                                                                      return window(x, {-1, 0, x.dim(1) - 2, x.dim(2)});
                                                                  }),
                                                                  {{40, 48}}));
    // To a height of 45: at 40 it adds, at 50 it takes away, and for one size each can be said.
    const auto to_45 = [](const Tensor& x) { return window(x, {0, 0, 45, x.dim(2)}); };
    expect_in("window layer: adds pixels and takes others away, depending on the image's size",
              refusal<OnnxSizeError>(Net(to_45)));
    Net at_one_size(to_45);
    for (const int64_t height : {40, 50})
        EXPECT_EQ(test::OnnxShapes(graph_of(at_one_size, {{height, 48}}), {1, 3, height, 48}).of("logits"),
                  (test::Numbers{1, 3, 45, 48}));
}

Tensor smaller(const Tensor& x) { return bilinear(x, x.dim(1) - 3, x.dim(2), false); }

// Then a graph for one size can be written, and the caller says why it is one.
TEST(OnnxNet, ANetForOneSizeSaysWhy) {
    expect_in("the height 37 of layer 'layer' follows from the image's in no way",
              refusal<OnnxSizeError>(Net([](const Tensor& x) { return smaller(x); })));
    expect_in(
        "does not run the same ops at 48x40 and at 67x50, from add in 'layer' on",
        refusal<OnnxSizeError>(Net([](const Tensor& x) { return x.dim(1) < 45 ? add(x, x) : nearest(x, 9, 9); })));
    expect_in("does not take 67x50: only 40", refusal<OnnxSizeError>(Net([](const Tensor& x) {
                  if (x.dim(1) != 40) throw ShapeError("only 40");
                  return add(x, x);
              })));
    // Those of the sizes of every export: small, upright, long.
    for (const auto differs : {+[](const Tensor& x) { return x.dim(1) < 64 && x.dim(2) < 64; },
                               +[](const Tensor& x) { return x.dim(1) > x.dim(2); },
                               +[](const Tensor& x) { return x.dim(2) > 8 * x.dim(1); }})
        expect_in("does not run the same ops",
                  refusal<OnnxSizeError>(Net([&](const Tensor& x) { return differs(x) ? add(x, x) : smaller(x); }),
                                         telling_sizes(1)));
    Net net(smaller);
    EXPECT_EQ(test::OnnxShapes(graph_of(net, {{40, 48}}), {1, 3, 40, 48}).of("logits"), (test::Numbers{1, 3, 37, 48}));
}

// A length that is the same at every size is a number, though some map may have it too.
TEST(OnnxNet, AFixedLengthIsANumber) {
    Net net([](const Tensor& x) { return bilinear(x, 40, 12, false); });
    const test::ReadModel g = graph_of(net, {{40, 48}, {50, 67}});
    EXPECT_EQ(test::OnnxShapes(g, {2, 3, 99, 77}).of("logits"), (test::Numbers{2, 3, 40, 12}));
}

// Runtimes round positions in their own ways where a factor is no power of two: for one size every pixel is named.
TEST(OnnxNet, NearestTakesTorchsPixels) {
    const auto times = [](int64_t n) {
        return [n](const Tensor& x) { return nearest(x, n * x.dim(1), n * x.dim(2)); };
    };
    Net fourfold(times(4)), half([](const Tensor&x) { return nearest(x, x.dim(1) / 2, 24); });
    EXPECT_EQ(graph_of(fourfold, {{40, 48}, {50, 67}}).all("Resize").size(), 1u);
    EXPECT_EQ(graph_of(half, {{40, 48}}).all("Resize").size(), 1u);
    expect_in(
        "layer 'layer' resizes by nearest neighbour from 48x40 to 144x120, and a graph for any size can do so only",
        refusal<OnnxSizeError>(Net(times(3))));
    Net picked([](const Tensor& x) { return nearest(x, 46, 48); });
    const test::ReadModel g = graph_of(picked, {{14, 48}});
    EXPECT_EQ(test::OnnxShapes(g, {2, 3, 14, 48}).of("logits"), (test::Numbers{2, 3, 46, 48}));
    ASSERT_EQ(g.all("Gather").size(), 2u);
    EXPECT_EQ(g.all("Gather")[0]->attributes.at("axis").integer, 2);
    EXPECT_EQ(g.all("Gather")[1]->attributes.at("axis").integer, 3);
    const auto rows = g.all("Constant").at(0)->attributes.at("value").tensor.values<int64_t>();
    // What nearest itself takes of rows that are numbered.
    const Device cpu{DeviceKind::cpu};
    std::vector<float> numbers(14), taken(46);
    for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = float(i);
    Tensor x = Tensor::empty({1, 14, 1, 1}, DType::f32, cpu);
    x.copy_from_host(numbers.data(), numbers.size() * sizeof(float));
    nearest(x, 46, 1).copy_to_host(taken.data(), taken.size() * sizeof(float));
    EXPECT_EQ(std::vector<float>(rows.begin(), rows.end()), taken);
}

// A value that is no map lies between two maps, and the second's size is looked for among what was made before.
TEST(OnnxNet, WhatIsNoMapHasNoSize) {
    const auto call = [](const OpArguments& a) { return result(a.tensor("x")); };
    add_op({.name = "first row", .call = call, .onnx = [](const Entry& e, OnnxGraph& g) {
                return g.node("Flatten", {g.name(e.inputs[0])});
            }});
    const auto with_row = [](const Tensor& x) {
        record({.op = "first row", .inputs = {x}, .output = Tensor::empty({2, 3}, DType::f32, meta)});
        return smaller(x);
    };
    expect_in("follows from the image's in no way", refusal<OnnxSizeError>(Net(with_row)));
}

TEST(OnnxNet, AValueThatIsWrittenTwiceIsRefused) {
    OnnxGraph g({}, 1, DType::f32);
    const Value value{7, {2, 3}, DType::f32, nullptr};
    g.set_name(value, "a");
    g.set_module("layer");
    try {
        g.set_name(value, "b");
        FAIL() << "nothing was thrown";
    } catch (const Error& e) {
        expect_in("layer 'layer' writes a tensor 2x3 over another", e.what());
    }
    EXPECT_EQ(g.name(value), "a");
}

// A side of an output is the image's, a number, or has a name of its own; and no two outputs share one.
TEST(OnnxNet, OutputsSayWhichSidesTheyHave) {
    using Dimensions = std::vector<OnnxDimension>;
    const auto shape = [](Net&& net, const std::vector<ImageSides>& sizes, bool with_channels = true) {
        const NetTrace trace = trace_for_onnx(net, sizes, false);
        return port_shape(trace, trace.out, "logits", with_channels);
    };
    const std::vector<ImageSides> two{{40, 48}, {50, 67}};
    EXPECT_EQ(shape(Net([](const Tensor& x) { return add(x, x); }), two),
              (Dimensions{"batch", int64_t(3), "height", "width"}));
    EXPECT_EQ(shape(Net(smaller), two), (Dimensions{"batch", int64_t(3), "logits_height", "width"}));
    EXPECT_EQ(shape(Net([](const Tensor& x) { return bilinear(x, 9, 2 * x.dim(2), false); }), two, false),
              (Dimensions{"batch", int64_t(9), "logits_width"}));
    EXPECT_EQ(shape(Net(smaller), {{40, 48}}), (Dimensions{"batch", int64_t(3), int64_t(37), int64_t(48)}));
}

TEST(OnnxNet, BatchStatisticsAreRefused) {
    const auto net = make_net(unet({.base_channels = 2, .depth = 1}));
    NetTrace trace = trace_for_onnx(*net, {{8, 8}}, false);
    for (Entry& e : trace.entries)
        for (auto& [key, value] : e.attributes)
            if (key == "training") value = true;
    OnnxGraph g(trace.sides, 2, DType::f32);
    for (const auto& [value, name] : trace.tensors) g.add_parameter(value, name);
    EXPECT_THROW(write_net(g, trace, "image"), Error);
}

// An input that is called as a parameter, and two nodes of one module, get names of their own.
TEST(OnnxNet, NamesDiffer) {
    OnnxGraph g({}, 1, DType::f32);
    Value parameter;
    parameter.id = 1;
    g.add_parameter(parameter, "image");
    EXPECT_EQ(g.add_input("image", OnnxType::f32, {}), "image_2");
    EXPECT_EQ(g.node("Relu", {"image_2"}), "Relu");
    EXPECT_EQ(g.node("Relu", {"Relu"}), "Relu_2");
    g.add_output("Relu", "logits", OnnxType::f32, {});
    EXPECT_EQ(g.nodes()[1].inputs[0], "logits") << "whoever reads it knows the new name";
    g.add_output("image_2", "copy", OnnxType::f32, {});
    EXPECT_EQ(g.nodes().back().op, "Identity") << "an output that no node made";
}

// Sizes have many remainders by 32, padding is seen at each, and some are small, upright or long.
TEST(OnnxNet, SizesTellApart) {
    for (const int64_t multiple : {1, 2, 3, 4, 8, 16, 32, 64, 256}) {
        const auto sizes = telling_sizes(multiple);
        std::set<int64_t> heights;
        int small = 0, upright = 0, long_ones = 0;
        for (const ImageSides& s : sizes) {
            small += s.height < 64 && s.width < 64;
            upright += s.height > 2 * s.width;
            long_ones += s.width > 8 * s.height;
            heights.insert(s.height % 32);
            EXPECT_TRUE(multiple == 1 || (s.height % multiple && s.width % multiple)) << multiple;
            EXPECT_NE(s.height, s.width);
        }
        EXPECT_GE(sizes.size(), 8u);
        EXPECT_GE(heights.size(), 8u) << multiple;
        EXPECT_TRUE(small && upright && long_ones) << multiple;
    }
}

}  // namespace
}  // namespace atrous
