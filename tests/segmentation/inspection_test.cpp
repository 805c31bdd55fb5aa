// What a study page shows of a net: feature maps, receptive fields, class activations, gradients and taps, each against
// a computation of its own.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/error.h"
#include "data/image.h"
#include "engine/nn/receptive_field.h"
#include "engine/ops/conv.h"
#include "models/catalogue.h"
#include "segmentation/inspection/logit_gradients.h"
#include "segmentation/inspection/net_pass.h"
#include "segmentation/inspection/net_study.h"
#include "segmentation/inspection/step_gradients.h"
#include "segmentation/inspection/study_nodes.h"

namespace atrous::inspection {
namespace {

constexpr Device cpu{DeviceKind::cpu};

NetConfig small_config(const std::string& model, int64_t classes, const std::string& base = "4") {
    NetConfig config{.model = model, .in_channels = 3, .out_channels = classes};
    Settings settings;
    describe(settings, config);
    if (model == "unet") {
        settings.at("base-channels").assign({{base}});
        settings.at("depth").assign({{"2"}});
    } else {
        config.encoder = "resnet18";
    }
    return config;
}

std::unique_ptr<SegmentationNet> small_net(const std::string& model, int64_t classes, DType dtype = DType::f64,
                                           const std::string& base = "4") {
    auto net = make_net(small_config(model, classes, base));
    net->materialize({.device = cpu, .dtype = accumulator_of(dtype), .compute = dtype, .seed = 3});
    net->set_training(false);
    return net;
}

std::vector<double> random_values(int64_t count) {
    std::vector<double> values;
    uint32_t state = 12345;
    for (int64_t i = 0; i < count; ++i) {
        state = state * 1664525 + 1013904223;
        values.push_back(double(state >> 8) / double(1 << 24) - 0.5);
    }
    return values;
}

Tensor tensor_of(const Shape& shape, const std::vector<double>& values) {
    Tensor t = Tensor::empty(shape, DType::f64, cpu);
    t.copy_from_host(values.data(), values.size() * sizeof(double));
    return t;
}

double logit(SegmentationNet& net, const Shape& shape, const std::vector<double>& x, const LogitPlace& at) {
    const NoTape off;
    const std::vector<double> y = host_values(net.forward(tensor_of(shape, x)));
    return y[size_t((at.y * shape[2] + at.x) * net.out_channels() + at.channel)];
}

// ReLU nets are linear between kinks, so that differences of 1e-6 are exact to rounding, 1e-16 / 1e-6 times some tens.
TEST(Inspection, AnEffectiveFieldIsTheSumOfWhatFiniteDifferencesGive) {
    const auto net = small_net("unet", 3);
    const Shape shape{1, 16, 20, 3};
    const std::vector<double> x = random_values(shape.count());
    const LogitPlace place{9, 4, 2};
    const std::vector<double> field = effective_field(*net, tensor_of(shape, x), place);
    ASSERT_EQ(field.size(), size_t(16 * 20));
    double largest = 0;
    for (const size_t pixel :
         {size_t(9 * 20 + 4), size_t(8 * 20 + 4), size_t(9 * 20 + 6), size_t(12 * 20 + 1), size_t(0)}) {
        double sum = 0;
        for (size_t c = 0; c < 3; ++c) {
            std::vector<double> up = x, down = x;
            up[pixel * 3 + c] += 1e-6, down[pixel * 3 + c] -= 1e-6;
            sum += std::abs(logit(*net, shape, up, place) - logit(*net, shape, down, place)) / 2e-6;
        }
        EXPECT_NEAR(field[pixel], sum, 1e-9) << "at pixel " << pixel;
        largest = std::max(largest, sum);
    }
    EXPECT_GT(largest, 1e-5) << "the net does not depend on the image; nothing was compared";
}

void expect_nothing_outside(SegmentationNet& net, const Tensor& x) {
    const NetPass pass = run_pass(net, x, [](size_t, const Tensor&) {});
    for (int64_t phase = 0; phase < 4; ++phase) {
        const LogitPlace place{32 + phase, 31 - phase, 0};
        const ImageBox box = field_at(pass.entries, pass.image.id, pass.entries.size() - 1, place.y, place.x);
        ASSERT_LT(box.size(0), 64) << "a field as large as the image shows nothing";
        const std::vector<double> field = effective_field(net, x, place);
        int64_t outside = 0, first_row = 0;
        for (int64_t y = 0; y < 64; ++y)
            for (int64_t column = 0; column < 64; ++column) {
                const bool in = y >= box.axis[0].first && y <= box.axis[0].last && column >= box.axis[1].first &&
                                column <= box.axis[1].last;
                outside += !in && field[size_t(y * 64 + column)] != 0;
                first_row += y <= box.axis[0].first + 4 && field[size_t(y * 64 + column)] != 0;
            }
        EXPECT_EQ(outside, 0) << "phase " << phase;
        EXPECT_GT(first_row, 0) << "phase " << phase << ": the box is far larger than the field";
    }
}

// Whatever the pixel's place between those of coarser maps.
TEST(Inspection, AFieldEndsWhereTheTheoreticalOneDoes) {
    const Shape shape{1, 64, 64, 3};
    expect_nothing_outside(*small_net("unet", 1), tensor_of(shape, random_values(shape.count())));
}

// Kernels of trainings round the zeros around a field, where there are many channels of float.
TEST(Inspection, AFieldOfAWideNetEndsThereToo) {
    const Shape shape{1, 64, 64, 3};
    const std::vector<double> values = random_values(shape.count());
    Tensor x = Tensor::empty(shape, DType::f32, cpu);
    x.copy_from_host(std::vector<float>(values.begin(), values.end()).data(), x.bytes());
    expect_nothing_outside(*small_net("unet", 1, DType::f32, "32"), x);
}

TEST(Inspection, PixelsWithAShareAreTheFewest) {
    EXPECT_EQ(pixels_with({1, 5, 2, 2}, 0.5), 1);
    EXPECT_EQ(pixels_with({1, 5, 2, 2}, 0.7), 2);
    EXPECT_EQ(pixels_with({1, 5, 2, 2}, 1), 4);
    EXPECT_EQ(pixels_with({0, 0}, 0.95), 0);
}

// Of the maps in front of a last 1x1 convolution: a channel's weight is the convolution's own, shared by the pixels of
// the objective, so that the map is known without a backward pass.
TEST(Inspection, AClassActivationIsTheWeightedSumOfTheMaps) {
    const auto net = small_net("unet", 2);
    const Shape shape{1, 16, 16, 3};
    const Tensor x = tensor_of(shape, random_values(shape.count()));
    std::vector<std::vector<double>> maps;
    const NetPass pass = run_pass(*net, x, [&](size_t, const Tensor& t) { maps.push_back(host_values(t)); });
    const size_t before_last = pass.entries.size() - 2;
    std::vector<uint8_t> counts(16 * 16);
    for (size_t i = 0; i < 32; ++i) counts[i] = 1;
    const std::vector<double> found = class_activation(*net, x, before_last, 1, 1, counts);
    const std::vector<double> weight = host_values(net->parameters()[net->parameters().size() - 2].parameter->value);
    const size_t channels = weight.size() / 2;
    double largest = 0;
    for (size_t pixel = 0; pixel < 256; ++pixel) {
        double sum = 0;
        for (size_t c = 0; c < channels; ++c)
            sum += weight[channels + c] * 32 / 256 * maps[before_last][pixel * channels + c];
        EXPECT_NEAR(found[pixel], std::max(sum, 0.), 1e-12) << pixel;  // rounding of sums of some thousand terms
        largest = std::max(largest, sum);
    }
    EXPECT_GT(largest, 0) << "all sums are negative; nothing was compared";
}

TEST(Inspection, FeatureMapsAreShownByStrengthWithTheirOwnValues) {
    std::vector<double> values(4 * 6 * 3);
    for (size_t i = 0; i < 24; ++i) values[i * 3] = 0.5, values[i * 3 + 1] = 0, values[i * 3 + 2] = double(i) - 10;
    const LayerMaps maps = maps_of(tensor_of({1, 4, 6, 3}, values), 2, 64);
    ASSERT_EQ(maps.channels.size(), 2u);
    EXPECT_EQ(maps.channels[0].channel, 2);
    EXPECT_EQ(maps.channels[1].channel, 0);
    EXPECT_EQ(maps.channels[0].low, -10);
    EXPECT_EQ(maps.channels[0].high, 13);
    EXPECT_EQ(maps.dead, 1);
    EXPECT_EQ(maps.constant, 1);
    EXPECT_DOUBLE_EQ(maps.zeros, 25. / 72);  // channel 1, and the 10th value of channel 2
    EXPECT_EQ(std::accumulate(maps.histogram.begin(), maps.histogram.end(), int64_t(0)), 72);
    EXPECT_EQ(maps.histogram.back(), 1);  // 13 alone
    ASSERT_EQ(maps.pictures.h, 4);
    ASSERT_EQ(maps.pictures.w, 12);
    for (int64_t i = 0; i < 24; ++i) {
        const uint8_t gray = maps.pictures.u8[size_t(i / 6 * 12 + i % 6)];
        EXPECT_NEAR(-10 + gray / 255. * 23, double(i) - 10, 23. / 255 / 2 + 1e-9);
    }
}

TEST(Inspection, NoValueIsNoNumber) {
    const LayerMaps maps = maps_of(tensor_of({1, 1, 2, 1}, {NAN, INFINITY}), 1, 8);
    EXPECT_EQ(maps.max, 0);
    EXPECT_EQ(maps.dead, 1);
}

// Taps are counted position by position.
TEST(Inspection, LiveTapsAreThoseOnTheMap) {
    for (const int64_t dilation : {2, 12, 24, 36}) {
        const Tensor x = Tensor::full({1, 32, 32, 2}, DType::f64, cpu, 1);
        const Tensor weight = Tensor::full({2, 3, 3, 2}, DType::f64, cpu, 1);
        const Tape tape(Tape::Mode::tracing);
        conv2d(x, weight, {}, {.stride = 1, .padding = int(dilation), .dilation = int(dilation)});
        int64_t live = 0;
        for (int64_t y = 0; y < 32; ++y)
            for (int64_t x0 = 0; x0 < 32; ++x0)
                for (int64_t dy : {-dilation, int64_t(0), dilation})
                    for (int64_t dx : {-dilation, int64_t(0), dilation})
                        live += y + dy >= 0 && y + dy < 32 && x0 + dx >= 0 && x0 + dx < 32;
        const auto net = small_net("unet", 1);  // parameters by id: none of these
        const Json nodes = nodes_of(*net, tape.entries(), {x.id(), x.shape(), x.dtype(), nullptr, 0});
        EXPECT_NEAR(nodes[0]["taps"]["live"].get<double>(), double(live) / 1024, 1e-12)  // rounding
            << "dilation " << dilation;
        EXPECT_EQ(nodes[0]["taps"]["padding"], Json({dilation, dilation}));
        EXPECT_EQ(nodes[0]["taps"]["dilation"], Json({dilation, dilation}));
    }
}

TEST(Inspection, NodesAddUpToTheSummary) {
    const auto net = small_net("unet", 2);
    const Shape shape{1, 16, 16, 3};
    const NetPass pass = run_pass(*net, tensor_of(shape, random_values(shape.count())), [](size_t, const Tensor&) {});
    int64_t parameters = 0;
    for (const Json& node : nodes_of(*net, pass.entries, pass.image)) {
        parameters += node["parameters"].get<int64_t>();
        EXPECT_FALSE(node["inputs"].empty()) << node["module"] << " hangs on nothing";
    }
    EXPECT_EQ(parameters, net->parameter_count());
}

TEST(Inspection, GradientNormsAreThoseOfFiniteDifferences) {
    const auto net = small_net("unet", 2);
    const Shape shape{1, 16, 16, 3};
    const Tensor x = tensor_of(shape, random_values(shape.count()));
    std::vector<uint8_t> ids(256);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = i % 3 == 0;
    Tensor labels = Tensor::empty({1, 16, 16, 1}, DType::u8, cpu);
    labels.copy_from_host(ids.data(), ids.size());
    const LossFactory loss = loss_of({.name = "ce"}, 2, 255);
    const StepGradients g = step_gradients(*net, x, labels, loss);
    const NamedParameter last = net->parameters().back();  // the bias of the last layer
    ASSERT_EQ(g.parameters.back().path, last.path);
    double squares = 0;
    std::vector<double> bias = host_values(last.parameter->value);
    for (size_t i = 0; i < bias.size(); ++i) {
        double at[2];
        for (const int side : {0, 1}) {
            std::vector<double> moved = bias;
            moved[i] += side ? 1e-5 : -1e-5;
            last.parameter->value.copy_from_host(moved.data(), moved.size() * sizeof(double));
            at[side] = step_gradients(*net, x, labels, loss).loss;
        }
        squares += std::pow((at[1] - at[0]) / 2e-5, 2);
    }
    // Central differences of 1e-5 are 1e-10 off by curvature and 1e-11 by rounding.
    EXPECT_NEAR(g.parameters.back().norm, std::sqrt(squares), 1e-8);
    EXPECT_EQ(g.maps.size(), run_pass(*net, x, [](size_t, const Tensor&) {}).entries.size());
    EXPECT_TRUE(std::isfinite(g.maps.back()));
}

TEST(Inspection, AGraphAloneHasEveryNet) {
    for (const std::string model : {"unet", "deeplabv3", "fcn", "deeplabv3plus", "unet16"}) {
        ModelCard card;
        card.net = {.model = model, .out_channels = 5};
        card.height = card.width = 128;
        const Json study = graph_study(card, "");
        EXPECT_GT(study["nodes"].size(), 10u) << model;
        for (const Json& node : study["nodes"]) EXPECT_FALSE(node["inputs"].empty()) << model << ": " << node["module"];
        EXPECT_EQ(study["nodes"].back()["shape"], Json({128, 128, 5})) << model;
    }
}

// ---- whole studies of an image of 40 x 20

class Study : public testing::Test {
 protected:
    Study() {
        std::filesystem::create_directories(root_);
        data::Image image = data::make_image<uint8_t>(20, 40, 3), mask = data::make_image<uint8_t>(20, 40, 1);
        for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 37 % 251);
        for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = i % 3 == 0;
        data::save_png(at("image.png"), image);
        data::save_png(at("mask.png"), mask);
    }
    ~Study() override { std::filesystem::remove_all(root_); }
    std::string at(const std::string& name) const { return (root_ / name).string(); }
    Json study(ModelCard card, const StudyOptions& options = {.grid = 3}) const {
        card.height = card.width = 32;
        LoadedNet loaded{.card = card, .net = make_net(card.net)};
        loaded.net->materialize({.device = cpu, .seed = 3});
        loaded.net->set_training(false);
        NoMessages quiet;
        return net_study(loaded, "", {at("image.png"), at("mask.png"), "image"}, options, quiet);
    }
    static ModelCard card_of(const std::string& model, int64_t outputs) {
        ModelCard card;
        card.net = small_config(model, outputs);
        return card;
    }

 private:
    std::filesystem::path root_ = std::filesystem::temp_directory_path() / ("atrous study " + std::to_string(getpid()));
};

TEST_F(Study, OfALetterboxIsOfTheImageAlone) {
    ModelCard card = card_of("unet", 1);
    card.resize = data::ResizeMode::letterbox;
    const Json found = study(card);
    EXPECT_EQ(found["padded"], Json({32, 32}));
    EXPECT_EQ(found["size"], Json({16, 32}));
    EXPECT_EQ(found["origin"], Json({8, 0}));
    EXPECT_EQ(found["note"], "resized from 40x20 to 32x16");
    int64_t predicted = 0, truth = 0;
    for (const Json& c : found["classes"])
        predicted += c["predicted"].get<int64_t>(), truth += c["truth"].get<int64_t>();
    EXPECT_EQ(predicted, 16 * 32);
    EXPECT_EQ(truth, 16 * 32);
    ASSERT_EQ(found["fields"].size(), 9u);
    for (const Json& field : found["fields"]) {
        EXPECT_LT(field["y"].get<int64_t>(), 16);
        EXPECT_GT(field["largest"].get<double>(), 0) << "a logit that does not depend on the image";
    }
}

TEST_F(Study, OfCropsIsOfTheMiddle) {
    ModelCard card = card_of("unet", 1);
    card.resize = data::ResizeMode::none;
    const Json found = study(card);
    EXPECT_EQ(found["size"], Json({20, 32}));
    EXPECT_EQ(found["note"], "the middle 32x20 of 40x20");
    EXPECT_GE(found["padded"][0].get<int64_t>(), 20);
}

TEST_F(Study, ClassActivationIsOfMapsNotOfLogits) {
    for (const char* model : {"deeplabv3", "fcn", "unet"}) {
        ModelCard card = card_of(model, 3);
        const Json found = study(card, {.grid = 0});
        ASSERT_FALSE(found["activations"].empty()) << model;
        const Json& node = found["nodes"][found["activations"][0]["node"].get<size_t>()];
        EXPECT_NE(node["shape"][2], 3) << model;
        EXPECT_GE(node["stride"].get<double>(), 4) << model;
    }
}

TEST_F(Study, RefusesLabelsThatTheNetHasNoClassFor) {
    data::Image mask = data::make_image<uint8_t>(20, 40, 1);
    mask.u8[5] = 7;
    data::save_png(at("mask.png"), mask);
    try {
        study(card_of("unet", 3));
        ADD_FAILURE() << "a label 7 of 3 classes was taken";
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("mask.png"), std::string::npos) << e.what();
    }
    EXPECT_NO_THROW(study(card_of("unet", 3), {.grid = 0, .mask_values = "0=0,7=2"}));
}

TEST_F(Study, OfClassesThatOverlapCountsEachByItself) {
    data::Image mask = data::make_image<uint8_t>(20, 40, 1);
    for (size_t i = 0; i < 800; ++i) mask.u8[i] = i < 400 ? 0b101 : 0b100;
    data::save_png(at("mask.png"), mask);
    ModelCard card = card_of("unet", 3);
    card.loss.labels = LabelForm::bits;
    card.loss.name = "bce+dice";
    card.mask_values = "bits";
    card.class_names = {"liver", "tumour", "vessel"};
    const Json found = study(card);
    const int64_t truth[] = {16 * 32, 0, 32 * 32};
    for (size_t c = 0; c < 3; ++c) {
        EXPECT_EQ(found["classes"][c]["name"], card.class_names[c]);
        EXPECT_EQ(found["classes"][c]["truth"], truth[c]);
    }
    EXPECT_FALSE(found["softmax"].get<bool>());
    EXPECT_GT(found["loss"].get<double>(), 0);
    for (const Json& field : found["fields"]) EXPECT_LT(field["class"].get<int64_t>(), 3);
}

TEST_F(Study, TakesABackgroundOnlyMaskAndIgnoredPixels) {
    data::Image mask = data::make_image<uint8_t>(20, 40, 1);
    data::save_png(at("mask.png"), mask);
    EXPECT_EQ(study(card_of("unet", 1), {.grid = 0})["classes"][1]["truth"], 0);
    for (size_t i = 0; i < 400; ++i) mask.u8[i] = 255;
    data::save_png(at("mask.png"), mask);
    const Json found = study(card_of("unet", 3), {.grid = 0});
    EXPECT_EQ(found["classes"][0]["truth"], 32 * 16) << "255 is ignored by a net of several classes";
    EXPECT_EQ(found["classes"][1]["truth"], 0);
}

}  // namespace
}  // namespace atrous::inspection
