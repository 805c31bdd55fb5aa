// Whole nets against PyTorch in float64: logits, loss, every gradient, running statistics, and twenty training steps.
// tests/goldens/make.py wrote the expected values; weights and data are hashes of their names on both sides.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/hashed.h"
#include "engine/context.h"
#include "engine/ops/loss.h"
#include "engine/optim/optimizer.h"
#include "models/catalogue.h"
#include "models/deeplabv3plus.h"
#include "models/unet.h"
#include "tests/paths.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

constexpr double one_step = 1e-9;      // the same arithmetic in another order
constexpr double twenty_steps = 1e-8;  // rounding grows by training

NetConfig config_of(const Json& j) {
    NetConfig c{.dropout = false};
    UNetOptions& unet = c.models.of<UNetModel>("unet").options;
    const auto read = [&](const char* name, auto& value) {
        if (j.contains(name)) j.at(name).get_to(value);
    };
    read("model", c.model);
    read("in_channels", c.in_channels);
    read("out_channels", c.out_channels);
    read("base_channels", unet.base_channels);
    read("depth", unet.depth);
    read("bilinear", unet.bilinear);
    read("align_corners", unet.align_corners);
    read("full_width", unet.full_width);
    read("batch_norm", unet.batch_norm);
    read("kernel", unet.kernel);
    read("encoder", c.encoder);
    read("output_stride", c.output_stride);
    read("rates", c.rates);
    read("pooled", c.pooled);
    read("progressive_decoder", c.progressive_decoder);
    read("separable", c.models.of<DeepLabV3PlusModel>("deeplabv3plus").separable);
    return c;
}

// In PyTorch's element order.
std::vector<double> file_values(const Tensor& t, FileLayout layout) {
    const auto bytes = io::to_file_layout(t, layout);
    const auto* p = reinterpret_cast<const double*>(bytes.data());
    return {p, p + t.count()};
}
std::vector<double> nchw(const Tensor& t) {
    return nchw_of(t.to_host<double>(), t.dim(0), t.dim(3), t.dim(1) * t.dim(2));
}

struct Setting {
    Json expected;
    NetConfig config;
    Tensor x, labels;
    Device device;

    Setting(const std::string& name, Device device) : device(device) {
        expected = Json::parse(std::ifstream(test::test_root() + "/tests/goldens/" + name + ".json"));
        config = config_of(expected["config"]);
        const int64_t n = expected["n"], size = expected["size"], c = config.in_channels;
        const auto values = nhwc_of(hashed("input." + name, n * c * size * size), n, c, size * size);
        x = Tensor::empty({n, size, size, c}, DType::f64, device);
        x.copy_from_host(values.data(), x.bytes());
        const int64_t classes = std::max<int64_t>(2, config.out_channels);
        std::vector<uint8_t> ids;
        for (double u : hashed("labels." + name, n * size * size))
            ids.push_back(u > 0.95 ? 255 : uint8_t(std::floor((u + 1) / 2 * double(classes))));
        labels = Tensor::empty({n, size, size, 1}, DType::u8, device);
        labels.copy_from_host(ids.data(), ids.size());
    }

    std::unique_ptr<SegmentationNet> net() const {
        auto made = make_net(config);
        made->materialize({.device = device, .dtype = DType::f64, .compute = DType::f64, .initialize = false});
        set_hashed_weights<double>(*made);
        return made;
    }
};

// Norm and product with a hashed vector, as the script wrote them.
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

// The objective of a step: the loss of the logits, and half that of the auxiliary ones.
double step(SegmentationNet& net, const Setting& s, NetOutputs* outputs = nullptr) {
    net.zero_gradients();
    Tape tape;
    const NetOutputs y = net.forward_training(s.x);
    std::vector<Tape::Start> starts{{bce_dice(y.out, s.labels).loss}};
    double loss = starts[0].output.item();
    if (y.aux.defined()) {
        starts.push_back({bce_dice(y.aux, s.labels).loss, Tensor::full({1}, DType::f64, s.device, 0.5)});
        loss += 0.5 * starts[1].output.item();
    }
    if (outputs) *outputs = y;
    tape.backward(starts);
    return loss;
}

struct Parity {
    std::string name;
    std::vector<std::string> optimizers = {};  // of the twenty steps
    DeviceKind device = DeviceKind::cpu;
};
std::ostream& operator<<(std::ostream& out, const Parity& p) { return out << p.name; }

struct ParityTest : testing::TestWithParam<Parity> {
    Setting setting{GetParam().name, Device{GetParam().device}};
};

TEST_P(ParityTest, OneStepEqualsPyTorch) {
    const Json& e = setting.expected;
    auto net = setting.net();
    EXPECT_EQ(net->parameter_count(), int64_t(e["parameters"]));
    NetOutputs y;
    const double loss = step(*net, setting, &y);
    EXPECT_NEAR(loss, double(e["loss"]), one_step);
    expect_summary("out", nchw(y.out), e["out"], one_step);
    for (size_t i = 0; i < e["first_logits"].size(); ++i)
        EXPECT_NEAR(nchw(y.out)[i], double(e["first_logits"][i]), one_step) << "logit " << i;
    ASSERT_EQ(y.aux.defined(), e.contains("aux"));
    if (y.aux.defined()) expect_summary("aux", nchw(y.aux), e["aux"], one_step);
    ASSERT_EQ(net->parameters().size(), e["gradients"].size());
    for (auto& [path, p] : net->parameters())
        expect_summary(path, file_values(*p->value.leaf()->gradient, p->layout), e["gradients"].at(path), one_step);
    for (auto& [path, b] : net->buffers()) {
        if (b->dtype == DType::i64)
            EXPECT_EQ(b->value.to_host<int64_t>()[0], 1) << path;
        else
            expect_summary(path, b->value.to_host<double>(), e["buffers"].at(path), one_step);
    }
    net->set_training(false);
    expect_summary("out_eval", nchw(net->forward(setting.x)), e["out_eval"], one_step);
}

struct TrainingParityTest : ParityTest {};

TEST_P(TrainingParityTest, TwentyStepsEqualPyTorch) {
    const Json& trainings = setting.expected["training"];
    ASSERT_EQ(trainings.size(), GetParam().optimizers.size());
    for (const std::string& name : GetParam().optimizers) {
        auto net = setting.net();
        const size_t end = name.find('_');
        Optimizer optimizer(*net, {.rule = name.substr(0, end)});
        const double lr = std::stod(name.substr(end + 1));
        const Json& expected = trainings.at(name);
        for (size_t i = 0; i < expected["losses"].size(); ++i) {
            const double wanted = expected["losses"][i];
            EXPECT_NEAR(step(*net, setting), wanted, twenty_steps * wanted) << name << ", step " << i + 1;
            optimizer.step(lr);
        }
        for (auto& [path, p] : net->parameters())
            expect_summary(path, file_values(p->value, p->layout), expected["weights"].at(path), twenty_steps);
    }
}

const std::vector<std::string> both{"sgd_1e-2", "adam_1e-3"};

std::string test_name(const testing::TestParamInfo<Parity>& info) {
    return info.param.name + (info.param.device == DeviceKind::reference ? "_reference" : "");
}

const std::vector<Parity> trained{{"unet_transposed", both},
                                  {"unet_transposed", both, DeviceKind::reference},
                                  {"unet_bilinear", both},
                                  {"unet_bilinear", both, DeviceKind::reference},
                                  {"unet_kernel5_half_pixel", {"sgd_1e-2", "adam_1e-3", "rmsprop_1e-5"}},
                                  {"unet_plain", both},
                                  {"comma10k_resnet18", {"adam_1e-5"}},
                                  {"deeplabv3_resnet50", {"adam_1e-5"}}};
const std::vector<Parity> one_step_only{{"fcn_resnet18"},
                                        {"fcn_resnet34"},
                                        {"fcn_resnet50"},
                                        {"fcn_resnet101"},
                                        {"fcn_resnet152"},
                                        {"fcn_vgg11"},
                                        {"fcn_vgg11_bn"},
                                        {"fcn_vgg13"},
                                        {"fcn_vgg13_bn"},
                                        {"fcn_vgg16"},
                                        {"fcn_vgg16_bn"},
                                        {"fcn_vgg19"},
                                        {"fcn_vgg19_bn"},
                                        {"unet11"},
                                        {"unet16"},
                                        {"albunet34"},
                                        {"unet_resnet18"},
                                        {"unet_resnet50"},
                                        {"deeplabv3_resnet101_one_output"},
                                        {"deeplabv3_vgg16_bn"},
                                        {"comma10k_resnet34_gentle"},
                                        {"deeplabv3plus_resnet18"},
                                        {"deeplabv3plus_separable"},
                                        {"deeplabv3plus_vgg13"}};

INSTANTIATE_TEST_SUITE_P(Trained, ParityTest, testing::ValuesIn(trained), test_name);
INSTANTIATE_TEST_SUITE_P(Trained, TrainingParityTest, testing::ValuesIn(trained), test_name);
INSTANTIATE_TEST_SUITE_P(Nets, ParityTest, testing::ValuesIn(one_step_only), test_name);

}  // namespace
}  // namespace atrous
