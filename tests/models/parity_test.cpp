// Whole nets against PyTorch in float64: logits, loss, every gradient, running statistics, and twenty training steps.
// tests/goldens/make.py wrote the expected values; weights and data are hashes of their names on both sides.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/context.h"
#include "engine/io/state_dict.h"
#include "engine/nn/init.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "engine/optim/optimizer.h"
#include "models/unet.h"
#include "tests/models/hashed.h"
#include "tests/paths.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

Json golden(const std::string& name) {
    std::ifstream in(test::test_root() + "/tests/goldens/" + name + ".json");
    return Json::parse(in);
}

std::vector<std::byte> bytes_of(const std::vector<double>& v) {
    const auto* p = reinterpret_cast<const std::byte*>(v.data());
    return {p, p + v.size() * sizeof(double)};
}

// In PyTorch's element order.
std::vector<double> file_values(const Tensor& t, FileLayout layout) {
    const auto bytes = io::to_file_layout(t, layout);
    const auto* p = reinterpret_cast<const double*>(bytes.data());
    return {p, p + t.count()};
}

void set_hashed_weights(Module& net) {
    for (auto& [path, p] : net.parameters()) {
        auto values = hashed(path, p->shape.count());
        const auto dims = io::file_shape(p->shape, p->layout);
        for (double& v : values) {
            if (dims.size() == 4)
                v *= std::sqrt(6.0 / double(dims[1] * dims[2] * dims[3]));
            else if (p->name == "weight")
                v = 1 + 0.1 * v;
            else
                v *= 0.1;
        }
        io::from_file_layout(p->value, p->layout, bytes_of(values));
    }
}

struct Setting {
    Json expected;
    UNetOptions options;
    Tensor x, labels;
    Device device;

    Setting(const std::string& name, Device device) : expected(golden(name)), device(device) {
        const Json& o = expected["options"];
        options = {o["in_channels"], o["out_channels"], o["base_channels"], o["depth"], o["bilinear"]};
        const int64_t n = expected["n"], size = expected["size"], c = options.in_channels;
        const auto nchw = hashed("input." + name, n * c * size * size);
        std::vector<double> nhwc(nchw.size());
        for (int64_t i = 0; i < n; ++i)
            for (int64_t ch = 0; ch < c; ++ch)
                for (int64_t p = 0; p < size * size; ++p)
                    nhwc[size_t((i * size * size + p) * c + ch)] = nchw[size_t((i * c + ch) * size * size + p)];
        x = Tensor::empty({n, size, size, c}, DType::f64, device);
        x.copy_from_host(nhwc.data(), x.bytes());
        const int64_t classes = std::max<int64_t>(2, options.out_channels);
        std::vector<uint8_t> ids;
        for (double u : hashed("labels." + name, n * size * size))
            ids.push_back(u > 0.95 ? 255 : uint8_t(std::floor((u + 1) / 2 * double(classes))));
        labels = Tensor::empty({n, size, size, 1}, DType::u8, device);
        labels.copy_from_host(ids.data(), ids.size());
    }

    std::unique_ptr<UNet> net() const {
        auto made = std::make_unique<UNet>(options);
        made->materialize({.device = device, .dtype = DType::f64, .compute = DType::f64});
        set_hashed_weights(*made);
        return made;
    }
};

// Norm and random projection of a tensor, as the script wrote them.
void expect_summary(const std::string& name, const std::vector<double>& values, const Json& expected,
                    double tolerance) {
    const auto projection = hashed("projection." + name, int64_t(values.size()));
    double norm = 0, dot = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        norm += values[i] * values[i];
        dot += values[i] * projection[i];
    }
    norm = std::sqrt(norm);
    const double wanted = expected[0];
    EXPECT_LE(std::abs(norm - wanted), tolerance * (wanted + 1e-3)) << name << ": norm";
    EXPECT_LE(std::abs(dot - double(expected[1])), tolerance * (wanted + 1e-3)) << name << ": projection";
}

struct ParityTest : testing::TestWithParam<std::tuple<const char*, DeviceKind>> {
    Setting setting{std::get<0>(GetParam()), Device{std::get<1>(GetParam())}};
};

// Logits in PyTorch's order (NCHW).
std::vector<double> nchw(const Tensor& t) {
    const auto v = t.to_host<double>();
    const int64_t n = t.dim(0), pixels = t.dim(1) * t.dim(2), c = t.dim(3);
    std::vector<double> out(v.size());
    for (int64_t i = 0; i < n; ++i)
        for (int64_t p = 0; p < pixels; ++p)
            for (int64_t ch = 0; ch < c; ++ch)
                out[size_t((i * c + ch) * pixels + p)] = v[size_t((i * pixels + p) * c + ch)];
    return out;
}

TEST_P(ParityTest, OneStepEqualsPyTorch) {
    const Json& e = setting.expected;
    auto net = setting.net();
    EXPECT_EQ(net->parameter_count(), int64_t(e["parameters"]));
    {
        Tape tape;
        const Tensor logits = net->forward(setting.x);
        const LossValue loss = bce_dice(logits, setting.labels);
        EXPECT_NEAR(loss.loss.item(), double(e["loss"]), 1e-9);
        const auto values = nchw(logits);
        ASSERT_EQ(values.size(), e["logits"].size());
        for (size_t i = 0; i < values.size(); ++i)
            ASSERT_NEAR(values[i], double(e["logits"][i]), 1e-9) << "logit " << i;
        tape.backward(loss.loss);
    }
    ASSERT_EQ(net->parameters().size(), e["gradients"].size());
    for (auto& [path, p] : net->parameters())
        expect_summary(path, file_values(*p->value.leaf()->gradient, p->layout), e["gradients"].at(path), 1e-9);
    for (auto& [path, b] : net->buffers()) {
        const Json& wanted = e["buffers"].at(path);
        for (int64_t i = 0; i < b->value.count(); ++i) {
            const double got = b->dtype == DType::i64 ? double(b->value.to_host<int64_t>()[size_t(i)])
                                                      : b->value.to_host<double>()[size_t(i)];
            EXPECT_NEAR(got, double(wanted[size_t(i)]), 1e-9) << path;
        }
    }
    net->set_training(false);
    expect_summary("logits_eval", nchw(net->forward(setting.x)), e["logits_eval"], 1e-9);
}

void expect_twenty_steps(const Setting& setting, const OptimizerOptions& options, double lr, const Json& losses,
                         const Json& weights) {
    auto net = setting.net();
    Optimizer optimizer(*net, options);
    for (size_t step = 0; step < losses.size(); ++step) {
        net->zero_gradients();
        Tape tape;
        const LossValue loss = bce_dice(net->forward(setting.x), setting.labels);
        EXPECT_NEAR(loss.loss.item(), double(losses[step]), 1e-8 * double(losses[step])) << "step " << step + 1;
        tape.backward(loss.loss);
        optimizer.step(lr);
    }
    for (auto& [path, p] : net->parameters())
        expect_summary(path, file_values(p->value, p->layout), weights.at(path), 1e-8);
}

TEST_P(ParityTest, TwentySgdStepsEqualPyTorch) {
    expect_twenty_steps(setting, {.kind = OptimizerKind::sgd, .momentum = 0.9}, 0.01, setting.expected["sgd_losses"],
                        setting.expected["sgd_weights"]);
}

TEST_P(ParityTest, TwentyAdamStepsEqualPyTorch) {
    expect_twenty_steps(setting, {.kind = OptimizerKind::adam}, 1e-3, setting.expected["adam_losses"],
                        setting.expected["adam_weights"]);
}

INSTANTIATE_TEST_SUITE_P(Nets, ParityTest,
                         testing::Combine(testing::Values("unet_transposed", "unet_bilinear"),
                                          testing::Values(DeviceKind::cpu, DeviceKind::reference)),
                         [](const auto& info) {
                             return std::string(std::get<0>(info.param)) +
                                    (std::get<1>(info.param) == DeviceKind::cpu ? "_cpu" : "_reference");
                         });

TEST(UNetTest, ProjectsKnownParameterCounts) {
    UNet e({.in_channels = 3, .out_channels = 1, .base_channels = 64});
    EXPECT_EQ(e.parameter_count(), 31037633);
    UNet bilinear({.in_channels = 3, .out_channels = 2, .base_channels = 64, .bilinear = true});
    EXPECT_EQ(bilinear.parameter_count(), 17262977 + 65);  // milesial/Pytorch-UNet: 17.26 M for two classes
}

TEST(UNetTest, NamesAreMilesials) {
    UNet net({.base_channels = 8});
    std::vector<std::string> names;
    for (auto& [path, p] : net.parameters()) names.push_back(path);
    for (auto& [path, b] : net.buffers()) names.push_back(path);
    for (const char* name : {"inc.double_conv.0.weight", "inc.double_conv.4.running_var",
                             "down4.maxpool_conv.1.double_conv.3.weight", "up1.up.weight", "up1.up.bias",
                             "up4.conv.double_conv.1.num_batches_tracked", "outc.conv.weight", "outc.conv.bias"})
        EXPECT_TRUE(std::find(names.begin(), names.end(), name) != names.end()) << name;
}

TEST(UNetTest, AnInputThatIsNoMultipleIsRefused) {
    UNet net({.base_channels = 4, .depth = 2});
    net.materialize({.device = {DeviceKind::meta}});
    EXPECT_EQ(net.forward(Tensor::empty({1, 8, 12, 3}, DType::f32, {DeviceKind::meta})).shape(), (Shape{1, 8, 12, 1}));
    EXPECT_THROW(net.forward(Tensor::empty({1, 8, 10, 3}, DType::f32, {DeviceKind::meta})), ShapeError);
}

}  // namespace
}  // namespace atrous
