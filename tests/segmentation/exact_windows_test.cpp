// Exact windows against the whole image, and nets that go on where memory runs out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/variant.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/nn/summary.h"
#include "models/catalogue.h"
#include "models/unet.h"
#include "segmentation/averaged_net.h"
#include "segmentation/image_view.h"
#include "segmentation/prediction_net.h"
#include "segmentation/thrifty_net.h"
#include "segmentation/windowed_net.h"

namespace atrous::test {

namespace {

constexpr Device cpu{DeviceKind::cpu};

std::unique_ptr<SegmentationNet> random_net(const NetConfig& config) {
    auto net = make_net(config);
    net->materialize({.device = cpu});
    net->set_training(false);
    return net;
}

Tensor noise(int64_t h, int64_t w, int64_t c = 3) {
    std::vector<float> values;
    for (int64_t i = 0; i < h * w * c; ++i) values.push_back(float((i * 7919 + i * i / 7) % 251) / 125 - 1);
    Tensor x = Tensor::empty({1, h, w, c}, DType::f32, cpu);
    x.copy_from_host(values.data(), x.bytes());
    return x;
}

std::vector<float> values_of(const Tensor& t) { return t.to_host<float>(); }

// The largest difference, as a share of the largest value.
double difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double most = 0, scale = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        most = std::max(most, std::abs(double(a[i]) - double(b[i])));
        scale = std::max(scale, std::abs(double(b[i])));
    }
    return most / scale;
}

// At windows of so many multiples of the stride.
std::vector<float> by_exact_windows(SegmentationNet& net, const NetConfig& config, const Tensor& x, int64_t core) {
    const Halo halo = halo_of(*make_net(config));
    WindowedNet windowed(net, [&](int64_t h, int64_t w) {
        return exact_grid(h, w, core * halo.stride, core * halo.stride, halo.pixels, halo.stride);
    });
    return values_of(windowed.forward(x));
}

}  // namespace

TEST(ExactWindows, LieOnMultiplesAndCoverTheImage) {
    const ExactGrid grid = exact_grid(100, 70, 20, 33, 9, 8);
    EXPECT_EQ(grid.core_height, 24);
    EXPECT_EQ(grid.halo, 16);
    std::vector<float> window;
    std::vector<int64_t> rows_seen;
    join_windows(
        grid, 2,
        [&](const Rectangle& r) {
            EXPECT_EQ(r.top % 8 + r.left % 8 + r.height % 8 + r.width % 8, 0);
            EXPECT_LE(r.top + r.height, 104);
            EXPECT_LE(r.left + r.width, 72);
            window.clear();
            for (int64_t y = r.top; y < r.top + r.height; ++y)
                for (int64_t x = r.left; x < r.left + r.width; ++x)
                    for (int64_t ch = 0; ch < 2; ++ch) window.push_back(float(y * 1000 + x * 2 + ch));
            return window.data();
        },
        [&](int64_t first, int64_t count, const float* rows) {
            if (first > 0) {
                EXPECT_EQ(rows[-70 * 2], float((first - 1) * 1000)) << "the row before them";
            }
            for (int64_t y = first; y < first + count; ++y) {
                rows_seen.push_back(y);
                for (int64_t x = 0; x < 70; ++x)
                    for (int64_t ch = 0; ch < 2; ++ch) ASSERT_EQ(*rows++, float(y * 1000 + x * 2 + ch));
            }
        });
    EXPECT_EQ(rows_seen.size(), 100u);
    EXPECT_EQ(rows_seen.back(), 99);
}

// Of a U-Net of one level by hand, with kernels of 3: two convolutions, pool, two at half size, up, two. Backwards from a
// pixel: 2, then half of it and a pixel, 2 more at half size make 4 to 5, and 2 again.
TEST(ExactWindows, TheHaloOfASmallUNet) {
    const Halo halo = halo_of(*make_net(unet({.base_channels = 2, .depth = 1})));
    EXPECT_EQ(halo.stride, 2);
    EXPECT_GE(halo.pixels, 8);
    EXPECT_LE(halo.pixels, 10);
    EXPECT_EQ(halo.varies_by, "");
}

// To the bit, for sizes that are and are not multiples of the stride, several windows and odd cores.
TEST(ExactWindows, OfAUNetEqualTheWholeImage) {
    for (const int depth : {1, 3}) {
        const NetConfig config = unet({.out_channels = 3, .base_channels = 4, .depth = depth});
        const auto net = random_net(config);
        for (const auto& [h, w] : {std::pair<int64_t, int64_t>{96, 160}, {131, 77}})
            for (const int64_t core : {3, 7}) {
                const Tensor x = noise(h, w);
                EXPECT_EQ(difference(by_exact_windows(*net, config, x, core), values_of(net->forward(x))), 0)
                    << "depth " << depth << ", " << w << "x" << h << ", core " << core;
            }
    }
}

// How many convolutions of the pass are computed by tiles of 4x4.
static int64_t by_tiles(SegmentationNet& net, const Tensor& x) {
    const VariantLog log;
    net.forward(x);
    return std::count(log.names().begin(), log.names().end(), "conv_forward/winograd4_f32");
}

// A net so wide that trainings compute it by Winograd's tiles, which begin at the image's corner, so that a pixel's place
// shows in its last bits. An evaluation does without, also where these kernels are asked for by name.
TEST(ExactWindows, OfAWideUNetEqualTheWholeImage) {
    const NetConfig config = unet({.base_channels = 32, .depth = 1});
    const auto net = random_net(config);
    const Tensor x = noise(98, 98);
    for (const KernelChoice& choice : {KernelChoice{}, {KernelChoice::Rule::named, "winograd4"}}) {
        const ScopedKernelChoice scope(choice);
        net->set_training(true);
        EXPECT_GT(by_tiles(*net, x), 0) << "or what follows says nothing";
        net->set_training(false);
        EXPECT_EQ(by_tiles(*net, x), 0);
        EXPECT_EQ(difference(by_exact_windows(*net, config, x, 7), values_of(net->forward(x))), 0);
    }
}

// Frozen layers stay in evaluation mode while the others train, and yet need not forgo the tiles.
TEST(ExactWindows, FrozenLayersOfATrainingTakeItsKernels) {
    const auto net = make_net(unet({.base_channels = 32, .depth = 1}));
    net->freeze();
    net->materialize({.device = cpu});
    net->set_training(true);
    EXPECT_GT(by_tiles(*net, noise(98, 98)), 0);
    net->set_training(false);
    EXPECT_EQ(by_tiles(*net, noise(98, 98)), 0);
}

// A halo that is a stride too small shows.
TEST(ExactWindows, ASmallerHaloWouldNotDo) {
    const NetConfig config = unet({.base_channels = 4, .depth = 2});
    const auto net = random_net(config);
    const Halo halo = halo_of(*make_net(config));
    const int64_t less = (halo.pixels - 1) / halo.stride * halo.stride - halo.stride;
    WindowedNet windowed(*net, [&](int64_t h, int64_t w) { return exact_grid(h, w, 16, 16, less, halo.stride); });
    const Tensor x = noise(96, 96);
    EXPECT_GT(difference(values_of(windowed.forward(x)), values_of(net->forward(x))), 0);
}

TEST(ExactWindows, NetsThatVaryWithTheSizeAreNamed) {
    ModelCard card;
    card.sources = {64, 64, 64, 64};
    card.height = card.width = 64;
    const auto refusal = [&](const NetConfig& config) -> std::string {
        card.net = config;
        try {
            view_of(card, {"exact", 0.25}, 200, 200);
        } catch (const UsageError& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_NE(refusal(unet({.base_channels = 4, .bilinear = true})).find("bilinear"), std::string::npos);
    NetConfig deeplab;
    deeplab.model = "deeplabv3";
    deeplab.encoder = "resnet18";
    EXPECT_NE(refusal(deeplab).find("global_average_pool"), std::string::npos) << refusal(deeplab);
    deeplab.pooled = false;
    EXPECT_EQ(refusal(deeplab), "");
    EXPECT_EQ(refusal(unet({.base_channels = 4})), "");
}

// Whose maps of a size that is no multiple of the stride lie elsewhere than those of windows.
TEST(ExactWindows, OfANetWithoutPaddingNeedMultiplesOfItsStride) {
    ModelCard card;
    card.resize = data::ResizeMode::none;
    card.height = card.width = 64;
    card.net.model = "deeplabv3";
    card.net.encoder = "resnet18";
    card.net.pooled = false;
    try {
        view_of(card, {"exact", 0.25}, 203, 216);
        FAIL();
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("216x203 pixels, which are no multiples of its stride 8"),
                  std::string::npos)
            << e.what();
    }
    EXPECT_THROW(view_of(card, {"exact", 0.25}, 208, 211), DataError);
    EXPECT_TRUE(view_of(card, {"exact", 0.25}, 208, 216).exact.has_value());
    card.net = unet({.base_channels = 4, .depth = 2});
    EXPECT_TRUE(view_of(card, {"exact", 0.25}, 203, 211).exact.has_value()) << "both pad to its stride";
}

namespace {

// Checkpoints of these nets, and what was asked for when they were loaded.
class Checkpoints {
 public:
    explicit Checkpoints(std::vector<NetConfig> nets) {
        for (const NetConfig& net : nets) {
            cards.emplace_back();
            cards.back().net = net;
            cards.back().height = cards.back().width = 16;
            cards.back().sources = {16, 16, 16, 16};
            cards.back().resize = data::ResizeMode::none;
        }
    }
    LoadedNet loaded(const char* windows = "exact") {
        PredictionOptions options;
        options.windows.windows = windows;
        for (size_t i = 1; i < cards.size(); ++i) options.average_with.push_back(std::to_string(i));
        return prediction_net(
            "0", options,
            [this](const std::string& path, const std::string& precision) {
                precisions.push_back(precision);
                LoadedNet net;
                net.card = cards[size_t(std::stoi(path))];
                net.net = random_net(net.card.net);
                net.precision = precision.empty() ? "tf32" : precision;
                return net;
            },
            messages_);
    }
    std::vector<ModelCard> cards;
    std::vector<std::string> precisions, warnings;

 private:
    class Kept : public NoMessages {
     public:
        explicit Kept(std::vector<std::string>& lines) : lines_(lines) {}
        void warning(const std::string& line) override { lines_.push_back(line); }

     private:
        std::vector<std::string>& lines_;
    };
    Kept messages_{warnings};
};

}  // namespace

// The halo is that of the widest net, wherever it stands.
TEST(ExactWindows, OfSeveralNetsEqualTheirWholeImage) {
    const NetConfig shallow = unet({.base_channels = 2, .depth = 1}), deep = unet({.base_channels = 2, .depth = 3});
    for (const auto& nets : {std::vector{shallow, deep}, {deep, shallow}}) {
        const LoadedNet loaded = Checkpoints(nets).loaded();
        const ImageView view = view_of(loaded.card, {"exact", 0.25}, 131, 203, loaded.halo);
        ASSERT_TRUE(view.exact.has_value());
        EXPECT_GT(view.exact->windows(), 1);
        WindowedNet windowed(*loaded.net, [&](int64_t, int64_t) { return *view.exact; });
        const Tensor x = noise(131, 203);
        EXPECT_EQ(difference(values_of(windowed.forward(x)), values_of(loaded.net->forward(x))), 0);
    }
    const LoadedNet varying = Checkpoints({shallow, unet({.base_channels = 2, .depth = 2, .bilinear = true})}).loaded();
    EXPECT_THROW(view_of(varying.card, {"exact", 0.25}, 131, 203, varying.halo), UsageError);
}

TEST(PredictionNet, FurtherCheckpointsComputeInThePrecisionOfTheFirst) {
    const NetConfig config = unet({.base_channels = 2, .depth = 1});
    Checkpoints three({config, config, config});
    three.loaded();
    EXPECT_EQ(three.precisions, (std::vector<std::string>{"", "tf32", "tf32"}));
    EXPECT_TRUE(three.warnings.empty());
}

TEST(PredictionNet, CheckpointsThatSawOtherImagesAreNotAveragedInSilence) {
    const NetConfig config = unet({.base_channels = 2, .depth = 1});
    Checkpoints two({config, config});
    two.cards[0].resize = data::ResizeMode::letterbox;
    EXPECT_THROW(two.loaded("on"), UsageError) << "letterbox and none";
    two.cards[1].resize = data::ResizeMode::letterbox;
    two.loaded("on");
    EXPECT_TRUE(two.warnings.empty());
    two.cards[1].sources = {16, 16, 32, 16};
    two.loaded("on");
    ASSERT_EQ(two.warnings.size(), 1u);
    EXPECT_NE(two.warnings[0].find("`average-with` 1: the largest images of its training are"), std::string::npos)
        << two.warnings[0];
}

// At their own scale, which no sizes of the training have to tell.
TEST(ExactWindows, OfANetTrainedOnImagesAsTheyAre) {
    ModelCard card;
    card.net = unet({.base_channels = 4, .depth = 1});
    card.resize = data::ResizeMode::none;
    card.height = card.width = 64;
    const ImageView view = view_of(card, {"exact", 0.25}, 200, 300);
    ASSERT_TRUE(view.exact.has_value());
    EXPECT_EQ(view.width(), 300);
    EXPECT_EQ(view.exact->rows(), 4);
    EXPECT_EQ(view.exact->columns(), 5);
    EXPECT_NE(view.note.find("20 exact windows of 64x64"), std::string::npos) << view.note;
}

TEST(ExactWindows, OfDeepLabWithoutTheMean) {
    NetConfig config;
    config.model = "deeplabv3";
    config.encoder = "resnet18";
    config.pooled = false;
    config.rates = {1, 2};
    config.aux_weight = 0;
    const auto net = random_net(config);
    const Halo halo = halo_of(*make_net(config));
    const int64_t core = 1;
    const Tensor x = noise(halo.stride * (2 + halo.pixels / halo.stride), 16);
    EXPECT_EQ(difference(by_exact_windows(*net, config, x, core), values_of(net->forward(x))), 0)
        << halo.pixels << " around, stride " << halo.stride;
}

// What they would miss, if they were not refused: as a share of the largest logit, of random weights.
TEST(ExactWindows, OfNetsThatVaryWithTheSizeDiffer) {
    NetConfig bilinear = unet({.base_channels = 4, .depth = 2, .bilinear = true});
    NetConfig deeplab;
    deeplab.model = "deeplabv3";
    deeplab.encoder = "resnet18";
    deeplab.rates = {1};
    deeplab.aux_weight = 0;
    for (const NetConfig& config : {bilinear, deeplab}) {
        const auto net = random_net(config);
        NetConfig without = config;
        without.pooled = false;
        const Halo halo = halo_of(*make_net(without));
        const Tensor x = noise(halo.stride * (4 + halo.pixels / halo.stride), 16);
        WindowedNet windowed(*net, [&](int64_t h, int64_t w) {
            return exact_grid(h, w, halo.stride, halo.stride * 2, halo.pixels, halo.stride);
        });
        const double moved = difference(values_of(windowed.forward(x)), values_of(net->forward(x)));
        RecordProperty(config.model, std::to_string(moved));
        EXPECT_GT(moved, 1e-6) << config.model << ": where windows are exact it is 0";
    }
}

namespace {

// Runs out of memory above so many pixels at once.
class Limited : public SegmentationNet {
 public:
    Limited(std::unique_ptr<SegmentationNet> net, int64_t most) : most_(most), net_(std::move(net)) {
        materialize(net_->materialized());
    }
    int64_t in_channels() const override { return net_->in_channels(); }
    int64_t out_channels() const override { return net_->out_channels(); }
    int64_t input_multiple() const override { return net_->input_multiple(); }
    int64_t most_;

 protected:
    NetOutputs compute(const Tensor& x, bool) override {
        if (x.dim(0) * x.dim(1) * x.dim(2) > most_) throw MemoryError("the test's limit");
        return {net_->forward(x), {}};
    }

 private:
    std::unique_ptr<SegmentationNet> net_;
};

}  // namespace

TEST(ThriftyNet, GoesOnByExactWindows) {
    const NetConfig config = unet({.base_channels = 4, .depth = 2});
    const auto whole = random_net(config);
    std::vector<std::string> said;
    ThriftyNet net(std::make_unique<Limited>(random_net(config), 128 * 128), halo_of(*make_net(config)),
                   [&](const std::string& what) { said.push_back(what); });
    const Tensor x = noise(200, 256);
    const std::vector<float> expected = values_of(whole->forward(x));
    EXPECT_EQ(difference(values_of(net.forward(x)), expected), 0);
    ASSERT_EQ(said.size(), 1u);
    EXPECT_NE(said[0].find("256x200 pixels at once do not fit into memory"), std::string::npos) << said[0];
    EXPECT_NE(said[0].find("which give the same"), std::string::npos) << said[0];
}

TEST(ThriftyNet, SeveralImagesComeOneByOne) {
    const NetConfig config = unet({.base_channels = 4, .depth = 2});
    const auto whole = random_net(config);
    ThriftyNet net(std::make_unique<Limited>(random_net(config), 64 * 64), halo_of(*make_net(config)),
                   [](const std::string&) {});
    Tensor x = Tensor::empty({3, 64, 64, 3}, DType::f32, cpu);
    const std::vector<float> values = values_of(noise(3 * 64, 64));
    x.copy_from_host(values.data(), x.bytes());
    EXPECT_EQ(difference(values_of(net.forward(x)), values_of(whole->forward(x))), 0);
}

TEST(ThriftyNet, WhereTheHaloIsTooLargeWindowsAreBlended) {
    const NetConfig config = unet({.base_channels = 2, .depth = 4});
    std::vector<std::string> said;
    ThriftyNet net(std::make_unique<Limited>(random_net(config), 64 * 64), halo_of(*make_net(config)),
                   [&](const std::string& what) { said.push_back(what); });
    EXPECT_EQ(net.forward(noise(96, 96)).dim(1), 96);
    ASSERT_FALSE(said.empty());
    EXPECT_NE(said[0].find("overlapping windows of 48x48, which is not the same"), std::string::npos) << said[0];
    ThriftyNet none(std::make_unique<Limited>(random_net(config), 0), halo_of(*make_net(config)),
                    [](const std::string&) {});
    EXPECT_THROW(none.forward(noise(64, 64)), MemoryError);
}

TEST(ThriftyNet, ExactWindowsDoNotBecomeBlendedOnes) {
    const NetConfig config = unet({.base_channels = 2, .depth = 4});
    ThriftyNet net(
        std::make_unique<Limited>(random_net(config), 64 * 64), halo_of(*make_net(config)), [](const std::string&) {},
        true);
    EXPECT_THROW(net.forward(noise(96, 96)), MemoryError);
}

namespace {

// Logits that depend on place and value: channel k is (k + 1) times the first channel, plus the column's number.
class Ramp : public SegmentationNet {
 public:
    explicit Ramp(float slope, int64_t classes) : slope_(slope), classes_(classes) { materialize({.device = cpu}); }
    int64_t in_channels() const override { return 1; }
    int64_t out_channels() const override { return classes_; }
    int64_t input_multiple() const override { return 1; }

 protected:
    NetOutputs compute(const Tensor& x, bool) override {
        const std::vector<float> in = values_of(x);
        std::vector<float> out;
        for (size_t i = 0; i < in.size(); ++i)
            for (int64_t k = 0; k < classes_; ++k)
                out.push_back(float(k + 1) * in[i] + slope_ * float(int64_t(i) % x.dim(2)));
        Tensor y = Tensor::empty({x.dim(0), x.dim(1), x.dim(2), classes_}, DType::f32, cpu);
        y.copy_from_host(out.data(), y.bytes());
        return {y, {}};
    }

 private:
    const float slope_;
    const int64_t classes_;
};

double sigmoid(double z) { return 1 / (1 + std::exp(-z)); }

std::vector<std::unique_ptr<SegmentationNet>> ramps(std::vector<float> slopes, int64_t classes) {
    std::vector<std::unique_ptr<SegmentationNet>> nets;
    for (const float slope : slopes) nets.push_back(std::make_unique<Ramp>(slope, classes));
    return nets;
}

}  // namespace

TEST(AveragedNet, ProbabilitiesOfMirrorImagesAreAveraged) {
    AveragedNet net(ramps({0.5f}, 1), {.flips = "horizontal"}, false);
    const Tensor x = noise(2, 5, 1);
    const std::vector<float> in = values_of(x), out = values_of(net.forward(x));
    for (int64_t i = 0; i < 10; ++i) {
        const double column = double(i % 5), z = in[size_t(i)] + 0.5 * column,
                     mirrored = in[size_t(i)] + 0.5 * (4 - column);
        EXPECT_NEAR(sigmoid(out[size_t(i)]), (sigmoid(z) + sigmoid(mirrored)) / 2, 1e-6);
    }
}

TEST(AveragedNet, SoftmaxOfSeveralNets) {
    AveragedNet net(ramps({0.f, 1.f}, 2), {}, true);
    const Tensor x = noise(1, 3, 1);
    const std::vector<float> in = values_of(x), out = values_of(net.forward(x));
    for (size_t i = 0; i < 3; ++i) {
        const double p = sigmoid(-double(in[i]));  // of channel 0; a slope moves both channels alike
        EXPECT_NEAR(std::exp(out[2 * i]), p, 1e-6);
        EXPECT_NEAR(std::exp(out[2 * i]) + std::exp(out[2 * i + 1]), 1, 1e-6);
    }
}

TEST(AveragedNet, OnePassIsTheNetItself) {
    AveragedNet net(ramps({1.f}, 2), {}, true);
    const Tensor x = noise(3, 4, 1);
    EXPECT_EQ(values_of(net.forward(x)), values_of(Ramp(1.f, 2).forward(x)));
}

// Constant images have the same logits at any scale.
TEST(AveragedNet, ScaledImagesComeBackAtTheirSize) {
    AveragedNet net(ramps({0.f}, 1), {.flips = "flips", .scales = {0.5, 1, 1.5}}, false);
    Tensor x = Tensor::empty({1, 6, 8, 1}, DType::f32, cpu);
    const std::vector<float> values(48, 0.75f);
    x.copy_from_host(values.data(), x.bytes());
    for (const float z : values_of(net.forward(x))) EXPECT_NEAR(z, 0.75, 1e-6);
    EXPECT_EQ((TestTimeAugmentation{"flips", {0.5, 1, 1.5}}.passes()), 12);
}

// Far from 0 and 1 the logit keeps its digits.
TEST(AveragedNet, LargeLogitsStayFinite) {
    AveragedNet net(ramps({0.f, 0.f}, 1), {}, false);
    Tensor x = Tensor::empty({1, 1, 4, 1}, DType::f32, cpu);
    const std::vector<float> values{-90, 90, -2000, 2000};
    x.copy_from_host(values.data(), x.bytes());
    const std::vector<float> out = values_of(net.forward(x));
    EXPECT_NEAR(out[0], -90, 1e-4);
    EXPECT_NEAR(out[1], 90, 1e-4);
    EXPECT_TRUE(std::isfinite(out[2]) && out[2] < -600) << out[2];
    EXPECT_TRUE(std::isfinite(out[3]) && out[3] > 600) << out[3];
}

TEST(AveragedNet, NaNAndInfComeOut) {
    for (const bool softmax : {false, true}) {
        AveragedNet net(ramps({0.f, 1.f}, softmax ? 2 : 1), {.flips = "vertical"}, softmax);
        Tensor x = Tensor::empty({1, 1, 4, 1}, DType::f32, cpu);
        const std::vector<float> values{INFINITY, 1, -INFINITY, NAN};
        x.copy_from_host(values.data(), x.bytes());
        const std::vector<float> out = values_of(net.forward(x));
        for (size_t i = 0; i < out.size(); ++i)
            EXPECT_EQ(std::isfinite(out[i]), i * 4 / out.size() == 1) << "logit " << i << ": " << out[i];
    }
}

}  // namespace atrous::test
