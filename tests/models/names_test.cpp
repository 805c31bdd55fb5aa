// Parameter counts and state-dict names: what makes weights of other programs load.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/io/state_dict.h"
#include "models/catalogue.h"
#include "models/deeplabv3plus.h"
#include "models/encoder.h"
#include "models/unet.h"
#include "tests/paths.h"

namespace atrous {
namespace {

using Json = nlohmann::json;

// "name d0xd1x…" of every tensor, sorted.
std::vector<std::string> state_dict_lines(Module& net) {
    std::vector<std::string> lines;
    const auto add = [&](const std::string& name, const Shape& shape, FileLayout layout) {
        std::string dims;
        for (int64_t d : io::file_shape(shape, layout)) dims += (dims.empty() ? "" : "x") + std::to_string(d);
        lines.push_back(name + " " + dims);
    };
    for (auto& [path, p] : net.parameters()) add(path, p->shape, p->layout);
    for (auto& [path, b] : net.buffers()) add(path, b->shape, b->layout);
    std::sort(lines.begin(), lines.end());
    return lines;
}

void expect_state_dict(const std::string& what, Module& net, const Json& expected) {
    EXPECT_EQ(net.parameter_count(), int64_t(expected["parameters"])) << what;
    const auto lines = state_dict_lines(net), wanted = expected["tensors"].get<std::vector<std::string>>();
    std::vector<std::string> missing, extra;
    std::set_difference(wanted.begin(), wanted.end(), lines.begin(), lines.end(), std::back_inserter(missing));
    std::set_difference(lines.begin(), lines.end(), wanted.begin(), wanted.end(), std::back_inserter(extra));
    EXPECT_TRUE(missing.empty()) << what << " lacks " << missing.size() << " tensors, the first: " << missing[0];
    EXPECT_TRUE(extra.empty()) << what << " has " << extra.size() << " tensors too many, the first: " << extra[0];
}

TEST(NamesTest, EncodersAndNetsHaveTorchvisionsNamesAndShapes) {
    const Json goldens = Json::parse(std::ifstream(test::test_root() + "/tests/goldens/state_dicts.json"));
    for (const std::string& encoder : encoder_names()) {
        Group root;
        const auto net = make_encoder(encoder, root, "", {.classes = 1000});
        expect_state_dict(encoder, root, goldens.at(encoder));
    }
    for (const std::string model : {"deeplabv3", "fcn"})
        for (const std::string encoder : {"resnet50", "resnet101"}) {
            const auto net = make_net({.model = model, .out_channels = 21, .encoder = encoder});
            expect_state_dict(model + "_" + encoder, *net, goldens.at(model + "_" + encoder));
        }
}

TEST(NamesTest, ProjectsKnownParameterCounts) {
    const auto count = [](const NetConfig& c) { return make_net(c)->parameter_count(); };
    EXPECT_EQ(count({.model = "unet"}), 31037633);
    EXPECT_EQ(count(unet({.out_channels = 2, .bilinear = true})), 17262977 + 65);  // milesial: 17.26 M
    EXPECT_EQ(count(unet({.out_channels = 22, .depth = 3, .bilinear = true, .full_width = true, .batch_norm = false})),
              7784278);
    EXPECT_EQ(count({.model = "deeplabv3-comma10k", .out_channels = 5}), 15311173);
    // ResNet-34 has 10,108,160 parameters more than ResNet-18: 21,284,672 and 11,176,512 without classifiers.
    EXPECT_EQ(count({.model = "deeplabv3-comma10k", .out_channels = 5, .encoder = "resnet34"}), 15311173 + 10108160);
    EXPECT_EQ(count({.model = "deeplabv3", .out_channels = 21}), 42004074);  // torchvision's published figures
    EXPECT_EQ(count({.model = "deeplabv3", .out_channels = 21, .encoder = "resnet101"}), 60996202);
    EXPECT_EQ(count({.model = "fcn", .out_channels = 21}), 35322218);
    EXPECT_EQ(count({.model = "fcn", .out_channels = 21, .encoder = "resnet101"}), 54314346);
}

void expect_names(const NetConfig& config, std::initializer_list<const char*> expected) {
    const auto net = make_net(config);
    const auto lines = state_dict_lines(*net);
    for (const std::string line : expected)
        EXPECT_TRUE(std::binary_search(lines.begin(), lines.end(), line)) << config.model << " lacks " << line;
}

TEST(NamesTest, UNetsNamesAreMilesials) {
    expect_names(unet({.base_channels = 8}),
                 {"inc.double_conv.0.weight 8x3x3x3", "inc.double_conv.4.running_var 8",
                  "down4.maxpool_conv.1.double_conv.3.weight 128x128x3x3", "up1.up.weight 128x64x2x2", "up1.up.bias 64",
                  "up4.conv.double_conv.1.num_batches_tracked ", "outc.conv.weight 1x8x1x1", "outc.conv.bias 1"});
    expect_names(unet({.base_channels = 8, .batch_norm = false}),
                 {"inc.double_conv.0.bias 8", "inc.double_conv.2.weight 8x8x3x3"});
}

TEST(NamesTest, TernausNetsNames) {
    expect_names({.model = "albunet34"},
                 {"encoder.layer4.2.bn2.running_mean 512", "center.block.1.conv.weight 512x512x3x3",
                  "dec5.block.1.conv.weight 512x768x3x3", "dec4.block.2.conv.weight 256x512x3x3",
                  "dec3.block.1.conv.weight 256x384x3x3", "dec3.block.2.conv.weight 64x256x3x3",
                  "dec2.block.2.conv.weight 128x128x3x3", "dec1.block.2.conv.weight 32x128x3x3",
                  "dec0.conv.weight 32x32x3x3", "final.weight 1x32x1x1"});
    expect_names({.model = "unet11"},
                 {"encoder.features.18.weight 512x512x3x3", "center.block.1.conv.weight 512x512x3x3",
                  "dec4.block.2.conv.weight 128x512x3x3", "dec1.conv.weight 32x96x3x3"});
    expect_names({.model = "unet16"},
                 {"encoder.features.28.weight 512x512x3x3", "dec3.block.1.conv.weight 256x512x3x3"});
}

TEST(NamesTest, DeepLabV3PlusNamesAreVainFs) {
    expect_names({.model = "deeplabv3plus", .out_channels = 21},
                 {"backbone.layer4.2.conv3.weight 2048x512x1x1", "classifier.project.0.weight 48x256x1x1",
                  "classifier.aspp.convs.3.0.weight 256x2048x3x3", "classifier.aspp.convs.4.1.weight 256x2048x1x1",
                  "classifier.aspp.project.1.weight 256", "classifier.classifier.0.weight 256x304x3x3",
                  "classifier.classifier.1.running_mean 256", "classifier.classifier.3.bias 21"});
}

TEST(NamesTest, SeparableConvolutionsAreVainFs) {
    NetConfig separable{.model = "deeplabv3plus"};
    separable.models.of<DeepLabV3PlusModel>("deeplabv3plus").separable = true;
    expect_names(
        separable,
        {"classifier.aspp.convs.0.0.weight 256x2048x1x1", "classifier.aspp.convs.1.0.body.0.weight 2048x1x3x3",
         "classifier.aspp.convs.1.0.body.1.weight 256x2048x1x1", "classifier.classifier.0.body.0.weight 304x1x3x3",
         "classifier.classifier.0.body.1.weight 256x304x1x1"});
}

// segmentation_models.pytorch 0.3.3: Unet("resnet34") has 24,436,369 parameters, 32,521,105 on resnet50.
TEST(NamesTest, UNetsOnResNetsHaveSegmentationModelsNames) {
    for (const auto& [encoder, parameters] :
         {std::pair{"resnet18", 14328209}, {"resnet34", 24436369}, {"resnet50", 32521105}, {"resnet101", 51513233}})
        EXPECT_EQ(make_net({.model = "unet", .encoder = encoder})->parameter_count(), parameters) << encoder;
    expect_names({.model = "unet", .encoder = "resnet34"},
                 {"encoder.conv1.weight 64x3x7x7", "encoder.layer4.2.bn2.running_var 512",
                  "decoder.blocks.0.conv1.0.weight 256x768x3x3", "decoder.blocks.3.conv1.0.weight 32x128x3x3",
                  "decoder.blocks.4.conv1.0.weight 16x32x3x3", "decoder.blocks.4.conv2.1.running_mean 16",
                  "segmentation_head.0.weight 1x16x3x3", "segmentation_head.0.bias 1"});
}

TEST(NamesTest, WhatAModelDoesNotTakeIsRefused) {
    EXPECT_THROW(make_net({.model = "unnet"}), UsageError);
    EXPECT_THROW(make_net({.model = "deeplabv3", .encoder = "resnet51"}), UsageError);
    EXPECT_THROW(make_net({.model = "deeplabv3", .output_stride = 4}), UsageError);
    EXPECT_THROW(make_net({.model = "deeplabv3", .rates = {0}}), UsageError);
    EXPECT_THROW(make_net({.model = "unet11", .encoder = "resnet18"}), UsageError);
    EXPECT_THROW(make_net({.model = "unet", .output_stride = 8}), UsageError);
    EXPECT_THROW(make_net(unet({.kernel = 4})), UsageError);
    EXPECT_THROW(make_net({.model = "unet", .encoder = "vgg11"}), UsageError);
}

}  // namespace
}  // namespace atrous
