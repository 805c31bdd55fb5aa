// Weights from elsewhere: names, the first layer, the head, and what is refused.
#include "engine/io/pretrained.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/philox.h"
#include "engine/io/safetensors.h"
#include "engine/io/state_dict.h"
#include "engine/nn/layers.h"

namespace atrous::io {
namespace {

namespace fs = std::filesystem;

struct Encoder : Module {
    Conv2d conv1;
    BatchNorm2d bn1{*this, "bn1", 4};
    Group layer1{*this, "layer1"};
    Conv2d conv2{layer1, "0", {.in_channels = 4, .out_channels = 6}};
    Encoder(Module& parent, const std::string& name, int64_t in)
        : Module(parent, name),
          conv1(*this, "conv1", {.in_channels = in, .out_channels = 4, .kernel = 3, .bias = false}) {}
};

struct Net : Module {
    Encoder encoder;
    Conv2d decoder{*this, "decoder", {.in_channels = 6, .out_channels = 6}};
    Conv2d head;
    explicit Net(int64_t in = 3, int64_t out = 2, const std::string& encoder_name = "encoder")
        : encoder(*this, encoder_name, in), head(*this, "head", {.in_channels = 6, .out_channels = out, .kernel = 1}) {
        materialize({.device = {DeviceKind::cpu}, .seed = 5});
    }
};

using Names = std::map<std::string, std::vector<int64_t>>;  // and the shapes

const Names encoder_file = {{"conv1.weight", {4, 3, 3, 3}}, {"bn1.weight", {4}},      {"bn1.bias", {4}},
                            {"bn1.running_mean", {4}},      {"bn1.running_var", {4}}, {"layer1.0.weight", {6, 4, 3, 3}},
                            {"layer1.0.bias", {6}},         {"fc.weight", {1000, 6}}, {"fc.bias", {1000}}};

class Pretrained : public ::testing::Test {
 protected:
    void SetUp() override {
        path_ = (fs::path(testing::TempDir()) / ("pretrained " + std::to_string(getpid()))).string();
    }
    void TearDown() override { fs::remove(path_); }

    static std::vector<float> values(const std::string& name, int64_t count) {
        Random random(7, std::hash<std::string>{}(name));
        std::vector<float> v(static_cast<size_t>(count));
        for (float& x : v) x = float(random.uniform(-1, 1));
        return v;
    }
    static std::vector<float> file_values(const std::string& name, const std::vector<int64_t>& shape) {
        int64_t count = 1;
        for (const int64_t d : shape) count *= d;
        return values(name, count);
    }
    // Writes a file of these names under a prefix, and reads it into the net.
    PretrainedReport load(Module& net, const Names& names, const std::string& prefix = "",
                          const PretrainedOptions& options = {3, 2}) {
        std::vector<TensorToWrite> tensors;
        std::vector<std::vector<float>> all;
        all.reserve(names.size());
        for (const auto& [name, shape] : names) {
            all.push_back(file_values(name, shape));
            tensors.push_back(tensor_in_memory(prefix + name, DType::f32, shape, all.back().data()));
        }
        write_safetensors(path_, tensors);
        return load_pretrained(net, SafetensorsFile(path_), options);
    }
    static std::vector<float> in_file_order(Module& net, const std::string& name) {
        for (const Slot& s : slots_of(net))
            if (s.name == name) {
                const auto bytes = to_file_layout(*s.tensor, s.layout);
                const auto* p = reinterpret_cast<const float*>(bytes.data());
                return {p, p + s.tensor->count()};
            }
        return {};
    }
    static bool tells(const PretrainedReport& r, const std::string& what, const std::string& name) {
        for (const auto& row : r.rows)
            if (row.what == what && row.name == name) return true;
        return false;
    }
    std::string refusal(Module& net, const Names& names, const PretrainedOptions& options = {3, 2}) {
        try {
            load(net, names, "", options);
            return "accepted";
        } catch (const FormatError& e) {
            return e.what();
        }
    }

    std::string path_;
};

TEST_F(Pretrained, AnEncodersFileLoadsUnderTheNetsPrefix) {
    for (const char* prefix : {"", "module.", "model.", "backbone.", "module.model.backbone."})
        for (const char* encoder : {"encoder", "backbone"}) {
            Net net(3, 2, encoder);
            const auto decoder = in_file_order(net, "decoder.weight");
            const auto r = load(net, encoder_file, prefix);
            EXPECT_EQ(r.loaded, 7) << prefix;
            for (const auto& [name, shape] : encoder_file) {
                if (name.starts_with("fc.")) continue;
                EXPECT_EQ(in_file_order(net, std::string(encoder) + "." + name), file_values(name, shape)) << name;
            }
            EXPECT_EQ(in_file_order(net, "decoder.weight"), decoder);
            EXPECT_TRUE(tells(r, "extra", std::string(prefix) + "fc.weight")) << prefix;
            EXPECT_TRUE(tells(r, "missing", "decoder.weight"));
            EXPECT_TRUE(tells(r, "missing", std::string(encoder) + ".bn1.num_batches_tracked"));
            EXPECT_TRUE(r.warnings.empty()) << r.warnings[0];
        }
}

TEST_F(Pretrained, AMissingPartOfALayerGroupIsWarnedOf) {
    Net net;
    Names names = encoder_file;
    names.erase("layer1.0.bias");
    const auto r = load(net, names);
    EXPECT_TRUE(tells(r, "missing", "encoder.layer1.0.bias"));
    ASSERT_EQ(r.warnings.size(), 1u);
    EXPECT_NE(r.warnings[0].find("encoder.layer1"), std::string::npos) << r.warnings[0];
}

TEST_F(Pretrained, ShapesMustAgree) {
    Net net;
    Names names = encoder_file;
    names["layer1.0.weight"] = {6, 4, 5, 5};
    const auto before = in_file_order(net, "encoder.bn1.weight");
    const std::string said = refusal(net, names);
    EXPECT_NE(said.find("[6x4x5x5]"), std::string::npos) << said;
    EXPECT_NE(said.find("[6x4x3x3]"), std::string::npos) << said;
    EXPECT_NE(said.find("'layer1.0.weight'"), std::string::npos) << said;
    EXPECT_EQ(in_file_order(net, "encoder.bn1.weight"), before) << "nothing is changed by a file that does not fit";
}

TEST_F(Pretrained, OneWordForNothingInCommon) {
    Net net;
    EXPECT_NE(refusal(net, {{"stem.kernel", {3}}}).find("none of its 1 names"), std::string::npos);
    // A last part alone says nothing: every convolution has a weight.
    EXPECT_NE(refusal(net, {{"weight", {4, 3, 3, 3}}}).find("none of its 1 names"), std::string::npos);
}

TEST_F(Pretrained, WhatFitsTwiceIsRefused) {
    Net net;
    Names names;
    for (const auto& [name, shape] : encoder_file)
        for (const char* who : {"student.", "teacher."}) names[who + name] = shape;
    const std::string said = refusal(net, names);
    EXPECT_NE(said.find("ambiguous"), std::string::npos) << said;
    EXPECT_NE(said.find("student.*"), std::string::npos) << said;
    EXPECT_NE(said.find("teacher.*"), std::string::npos) << said;
}

TEST_F(Pretrained, TheFirstLayerIsAdaptedToOtherChannels) {
    const auto from = file_values("conv1.weight", {4, 3, 3, 3});
    for (const int64_t channels : {1, 2, 4, 5, 7}) {
        Net net(channels);
        const auto r = load(net, encoder_file, "", {channels, 2});
        EXPECT_TRUE(tells(r, "adapted", "encoder.conv1.weight"));
        const auto to = in_file_order(net, "encoder.conv1.weight");
        for (int64_t o = 0; o < 4; ++o)
            for (int64_t t = 0; t < 9; ++t) {
                double file_sum = 0, net_sum = 0;
                for (int64_t c = 0; c < 3; ++c) file_sum += from[size_t((o * 3 + c) * 9 + t)];
                for (int64_t c = 0; c < channels; ++c) {
                    const double w = to[size_t((o * channels + c) * 9 + t)];
                    net_sum += w;
                    if (channels > 1) {
                        EXPECT_FLOAT_EQ(float(w), from[size_t((o * 3 + c % 3) * 9 + t)] * 3 / float(channels));
                    }
                }
                // Channels in turn repeat evenly only for multiples of three; one channel is the sum.
                if (channels == 1) {
                    EXPECT_NEAR(net_sum, file_sum, 1e-6);
                }
            }
    }
    // Only the first layer, and only its input channels.
    Net net;
    Names names = encoder_file;
    names["layer1.0.weight"] = {6, 3, 3, 3};
    EXPECT_NE(refusal(net, names).find("[6x3x3x3]"), std::string::npos);
    names = encoder_file;
    names["conv1.weight"] = {4, 3, 7, 7};
    EXPECT_NE(refusal(net, names, {1, 2}).find("[4x3x7x7]"), std::string::npos);
}

TEST_F(Pretrained, TheHeadMayStartAnew) {
    Net net(3, 2);
    Names names;
    for (const auto& [name, shape] : encoder_file) names["encoder." + name] = shape;
    names["decoder.weight"] = {6, 6, 3, 3};
    names["decoder.bias"] = {6};
    names["head.weight"] = {21, 6, 1, 1};
    names["head.bias"] = {21};
    const auto before = in_file_order(net, "head.weight");
    const std::string said = refusal(net, names);
    EXPECT_NE(said.find("[21x6x1x1]"), std::string::npos) << said;
    EXPECT_NE(said.find("`new-head`"), std::string::npos) << said;
    const auto r = load(net, names, "", {3, 2, true});
    EXPECT_TRUE(tells(r, "new head", "head.weight"));
    EXPECT_TRUE(tells(r, "new head", "head.bias"));
    EXPECT_EQ(in_file_order(net, "head.weight"), before);
    EXPECT_EQ(in_file_order(net, "decoder.weight"), file_values("decoder.weight", {6, 6, 3, 3}));
    names["decoder.weight"] = {6, 5, 3, 3};
    EXPECT_NE(refusal(net, names, {3, 2, true}).find("[6x5x3x3]"), std::string::npos) << "what is no head must fit";
}

// As COCO's DeepLabV3 into one without the branch of the mean: the projection has fewer inputs, a branch is missing.
TEST_F(Pretrained, AHeadOfAnotherShapeStartsAnewAsAWhole) {
    struct Deep : Module {
        Encoder encoder{*this, "encoder", 3};
        Group head{*this, "head"};
        Conv2d branch{head, "branch", {.in_channels = 6, .out_channels = 6, .kernel = 1}};
        Conv2d project{head, "project", {.in_channels = 6, .out_channels = 6, .kernel = 1}};
        Conv2d last{head, "last", {.in_channels = 6, .out_channels = 2, .kernel = 1}};
        Deep() { materialize({.device = {DeviceKind::cpu}, .seed = 5}); }
    } net;
    Names names;
    for (const auto& [name, shape] : encoder_file) names["encoder." + name] = shape;
    for (const char* conv : {"branch", "pool"}) {
        names[std::string("head.") + conv + ".weight"] = {6, 6, 1, 1};
        names[std::string("head.") + conv + ".bias"] = {6};
    }
    names["head.project.weight"] = {6, 12, 1, 1};
    names["head.project.bias"] = {6};
    names["head.last.weight"] = {21, 6, 1, 1};
    names["head.last.bias"] = {21};
    EXPECT_NE(refusal(net, names).find("[6x12x1x1]"), std::string::npos);
    const auto before = in_file_order(net, "head.branch.weight");
    const auto r = load(net, names, "", {3, 2, true});
    EXPECT_TRUE(tells(r, "new head", "head.*"));
    EXPECT_EQ(in_file_order(net, "head.branch.weight"), before) << "also what would fit";
    EXPECT_EQ(in_file_order(net, "encoder.conv1.weight"), file_values("encoder.conv1.weight", {4, 3, 3, 3}));
    EXPECT_TRUE(r.warnings.empty());
}

TEST_F(Pretrained, ElementTypesAreConverted) {
    Net net;
    net.materialize({.device = {DeviceKind::cpu}, .dtype = DType::f64, .compute = DType::f64});
    const auto r = load(net, encoder_file);
    EXPECT_EQ(r.loaded, 7);
    const auto expected = file_values("layer1.0.bias", {6});
    for (auto& [path, p] : net.parameters())
        if (path == "encoder.layer1.0.bias") {
            const auto got = p->value.to_host<double>();
            for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], double(expected[i]));
        }
    const std::vector<int32_t> whole{1, 2, 3, 4};
    write_safetensors(path_, {tensor_in_memory("bn1.weight", DType::i32, {4}, whole.data())});
    EXPECT_THROW(load_pretrained(net, SafetensorsFile(path_), {3, 2}), FormatError);
    // Halves, exactly representable.
    const std::vector<double> some{0.5, -2, 1024, 0.0078125};
    for (const DType t : {DType::bf16, DType::f16, DType::f32, DType::f64})
        EXPECT_EQ(as_doubles(converted(from_doubles(some, t), t, DType::f64), DType::f64), some) << name_of(t);
}

TEST_F(Pretrained, HalfPrecisionCopiesAreRefreshed) {
    Net net;
    net.materialize({.device = {DeviceKind::cpu}, .compute = DType::bf16});
    load(net, encoder_file);
    for (auto& [path, p] : net.parameters()) {
        if (path != "encoder.layer1.0.weight") continue;
        ASSERT_TRUE(p->half.defined());
        Tensor back = Tensor::empty(p->shape, DType::f32, {DeviceKind::cpu});
        back.copy_from(p->half);
        const auto master = p->value.to_host<float>(), half = back.to_host<float>();
        for (size_t i = 0; i < half.size(); ++i) EXPECT_NEAR(half[i], master[i], std::abs(master[i]) * 0x1p-8);
    }
}

}  // namespace
}  // namespace atrous::io
