// Single ops against PyTorch in float64 (tests/goldens/make_ops.py): outputs and gradients by norm and projection.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "benchmarks/harness/hashed.h"
#include "engine/ops/boundary.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/global_pool.h"
#include "engine/ops/lovasz.h"
#include "engine/ops/ohem.h"
#include "engine/ops/resize.h"
#include "engine/ops/softmax_loss.h"
#include "tests/paths.h"

namespace atrous {

static const nlohmann::json& goldens() {
    static const nlohmann::json all = [] {
        std::ifstream file(test::test_root() + "/tests/goldens/ops.json");
        return nlohmann::json::parse(file);
    }();
    return all.at("cases");
}

static Tensor tensor_of(const std::vector<double>& values, const Shape& shape, Device device) {
    Tensor t = Tensor::empty(shape, DType::f64, device);
    t.copy_from_host(values.data(), values.size() * sizeof(double));
    return t;
}

// The same arithmetic in another order: sums of at most some thousand terms.
static void expect_summary(const std::string& name, const std::string& what, const std::vector<double>& values) {
    const auto weights = hashed(name + ".projection", int64_t(values.size()));
    double norm = 0, projection = 0;
    for (size_t i = 0; i < values.size(); ++i) norm += values[i] * values[i], projection += values[i] * weights[i];
    norm = std::sqrt(norm);
    const auto& golden = goldens().at(name).at(what);
    EXPECT_NEAR(norm, golden[0].get<double>(), 1e-12 * norm) << name << ": norm of " << what;
    EXPECT_NEAR(projection, golden[1].get<double>(), 1e-12 * norm) << name << ": projection of " << what;
}

struct Leaf64 {
    std::string name;
    Shape shape;
    double scale = 1;  // of the hashed values; gradients are then of the scaled ones
};

static void expect_parity(const std::string& name, const std::vector<Leaf64>& leaves, Device device,
                          const std::function<Tensor(const std::vector<Tensor>&)>& op) {
    Tape tape;
    std::vector<Tensor> in;
    for (const Leaf64& leaf : leaves) {
        auto values = hashed(name + "." + leaf.name, leaf.shape.count());
        for (double& v : values) v *= leaf.scale;
        in.push_back(tensor_of(values, leaf.shape, device));
        tape.watch(in.back());
    }
    const Tensor y = op(in);
    expect_summary(name, "output", y.to_host<double>());
    tape.backward(y, y.count() == 1 ? Tensor() : tensor_of(hashed(name + ".seed", y.count()), y.shape(), device));
    for (size_t i = 0; i < leaves.size(); ++i) {
        auto gradient = tape.gradient(in[i]).to_host<double>();
        for (double& v : gradient) v *= leaves[i].scale;
        expect_summary(name, leaves[i].name, gradient);
    }
}

class OpsParity : public testing::TestWithParam<DeviceKind> {
 protected:
    Device device() const { return {GetParam()}; }

    Tensor labels(int classes = 5) const {  // make_ops.py: labels(classes, (2, 9, 7))
        const auto values = hashed("labels", 2 * 2 * 9 * 7);
        std::vector<uint8_t> ids;
        for (size_t i = 0; i < values.size(); i += 2)
            ids.push_back(values[i + 1] > -0.75 ? uint8_t((values[i] + 1) / 2 * classes) : 255);
        Tensor t = Tensor::empty({2, 9, 7, 1}, DType::u8, device());
        t.copy_from_host(ids.data(), ids.size());
        return t;
    }
    Tensor class_weights() const {
        auto weights = hashed("class weights", 5);
        for (double& w : weights) w += 1.5;
        return tensor_of(weights, {5}, device());
    }
    void expect_loss(const std::string& name, const SoftmaxLossOptions& options, const Tensor& weights = {}) const {
        expect_parity(name, {{"z", {2, 9, 7, 5}, 4}}, device(), [&](const std::vector<Tensor>& in) {
            return softmax_loss(in[0], labels(), options, weights).loss;
        });
    }
};

TEST_P(OpsParity, CrossEntropy) {
    expect_loss("cross_entropy", {});
    expect_loss("cross_entropy_weights", {}, class_weights());
}
TEST_P(OpsParity, CrossEntropyWithLabelSmoothing) {
    expect_loss("cross_entropy_smoothing", {.smoothing = 0.1});
    expect_loss("cross_entropy_smoothing_weights", {.smoothing = 0.3}, class_weights());
}
TEST_P(OpsParity, BceWithLabelSmoothingAndPosWeight) {
    const auto expect_bce = [&](const std::string& name, double smoothing, double pos_weight) {
        expect_parity(name, {{"z", {2, 9, 7, 5}, 4}}, device(), [&](const std::vector<Tensor>& in) {
            return bce_dice(in[0], labels(), {.dice_weight = 0, .smoothing = smoothing, .pos_weight = pos_weight}).loss;
        });
    };
    expect_bce("bce_smoothing", 0.1, 1);
    expect_bce("bce_pos_weight", 0, 5);
    expect_bce("bce_smoothing_pos_weight", 0.2, 0.3);
}
TEST_P(OpsParity, LossesOfLabelsInBits) {
    const auto expect_bits = [&](const std::string& name, BceDiceOptions o) {
        o.labels = LabelForm::bits;
        expect_parity(name, {{"z", {2, 9, 7, 5}, 4}}, device(),
                      [&](const std::vector<Tensor>& in) { return bce_dice(in[0], labels(32), o).loss; });
    };
    BceDiceOptions weighted{.dice_weight = 0, .smoothing = 0.2, .pos_weight = 3};
    const auto weights = hashed("class weights", 5);
    for (size_t c = 0; c < weights.size(); ++c) weighted.weights[c] = weights[c] + 1.5;
    expect_bits("bits_bce", {.dice_weight = 0});
    expect_bits("bits_bce_smoothing_pos_weight_weights", weighted);
    expect_bits("bits_focal", {.dice_weight = 0, .gamma = 2});
    expect_bits("bits_dice", {.bce_weight = 0});
    expect_bits("bits_jaccard", {.bce_weight = 0, .smooth = 2, .alpha = 1, .beta = 1});
    expect_bits("bits_focal_tversky", {.bce_weight = 0, .alpha = 0.3, .beta = 0.7, .exponent = 0.75});
}
TEST_P(OpsParity, Lovasz) {
    const auto expect_lovasz = [&](const std::string& name, int64_t channels, const LovaszOptions& options,
                                   const Tensor& truth) {
        expect_parity(name, {{"z", {2, 9, 7, channels}, 4}}, device(),
                      [&](const std::vector<Tensor>& in) { return lovasz(in[0], truth, options).loss; });
    };
    expect_lovasz("lovasz_softmax", 5, {}, labels());
    expect_lovasz("lovasz_softmax_per_image", 5, {.per_image = true}, labels());
    expect_lovasz("lovasz_hinge", 1, {}, labels());
    expect_lovasz("lovasz_hinge_per_image", 1, {.per_image = true}, labels());
    std::vector<uint8_t> ids = labels().to_host<uint8_t>();
    for (uint8_t& id : ids) id = id == 3 ? 255 : id;
    Tensor without_three = labels();
    without_three.copy_from_host(ids.data(), ids.size());
    expect_lovasz("lovasz_softmax_all", 5, {.classes = LovaszClasses::all}, without_three);
}
TEST_P(OpsParity, Ohem) {
    const auto expect_ohem = [&](const std::string& name, int64_t channels, double thresh, double keep,
                                 const Tensor& weights = {}) {
        OhemOptions options;
        options.thresh = thresh, options.keep = keep;
        expect_parity(name, {{"z", {2, 9, 7, channels}, 4}}, device(),
                      [&](const std::vector<Tensor>& in) { return ohem(in[0], labels(), options, weights).loss; });
    };
    expect_ohem("ohem_thresh", 5, 0.2, 0.05);
    expect_ohem("ohem_keep", 5, 0.01, 0.4);
    expect_ohem("ohem_weights", 5, 0.3, 0.1, class_weights());
    expect_ohem("ohem_binary", 1, 0.3, 0.4);
}
TEST_P(OpsParity, Boundary) {
    const auto expect_boundary = [&](const std::string& name, int64_t channels, bool background) {
        expect_parity(name, {{"z", {2, 9, 7, channels}, 4}}, device(), [&](const std::vector<Tensor>& in) {
            return boundary(in[0], labels(), {.background = background}).loss;
        });
    };
    expect_boundary("boundary", 5, false);
    expect_boundary("boundary_background", 5, true);
    expect_boundary("boundary_binary", 1, false);
}
TEST_P(OpsParity, Focal) { expect_loss("focal", {.gamma = 2}); }
TEST_P(OpsParity, Region) {
    SoftmaxLossOptions options{.ce_weight = 0, .region_weight = 1};
    expect_loss("dice", options);
    options.alpha = 0.3, options.beta = 0.7, options.exponent = 0.75;
    expect_loss("focal_tversky", options);
}
TEST_P(OpsParity, Depthwise) {
    expect_parity("depthwise", {{"x", {2, 11, 9, 10}}, {"w", {1, 3, 3, 10}}, {"b", {10}}}, device(),
                  [](const std::vector<Tensor>& in) {
                      return depthwise_conv2d(in[0], in[1], in[2], {.stride = 2, .padding = 3, .dilation = 2});
                  });
}
TEST_P(OpsParity, GlobalAveragePool) {
    expect_parity("global_average_pool", {{"x", {2, 11, 9, 10}}}, device(),
                  [](const std::vector<Tensor>& in) { return global_average_pool(in[0]); });
}
TEST_P(OpsParity, Nearest) {
    expect_parity("nearest", {{"x", {1, 104, 9, 3}}}, device(),
                  [](const std::vector<Tensor>& in) { return nearest(in[0], 88, 41); });
}

// No pixel counts: no loss, no gradient, and no NaN.
TEST_P(OpsParity, AllIgnored) {
    Tape tape;
    const Tensor z = tensor_of(hashed("z", 4 * 3 * 5), {1, 4, 3, 5}, device());
    tape.watch(z);
    const LossValue value =
        softmax_loss(z, Tensor::full({1, 4, 3, 1}, DType::u8, device(), 255), {.ce_weight = 1, .region_weight = 1});
    tape.backward(value.loss);
    EXPECT_EQ(value.terms.to_host<double>(), (std::vector<double>{0, 0, 1, 0}));
    for (double g : tape.gradient(z).to_host<double>()) EXPECT_EQ(g, 0);
}

INSTANTIATE_TEST_SUITE_P(Devices, OpsParity, testing::Values(DeviceKind::reference, DeviceKind::cpu),
                         [](const auto& info) { return name_of(Device{info.param}); });

}  // namespace atrous
