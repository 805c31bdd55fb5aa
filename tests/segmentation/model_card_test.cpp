// A model card's net: written from the descriptions of the models and read again.
#include "segmentation/model_card.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "models/deeplabv3plus.h"
#include "models/unet.h"

namespace atrous {
namespace {

using nlohmann::json;

// Checkpoints of before have these, and those of now are read by programs of before.
TEST(ModelCard, KeysOfTheNetStayWhatTheyAre) {
    const json card = json::parse(text_of(ModelCard{}));
    std::set<std::string> keys;
    for (const auto& [key, value] : card.items()) keys.insert(key);
    const std::set<std::string> expected{
        "align_corners", "aspp_pooling", "auxiliary", "base_channels", "batch_norm",    "bilinear",
        "class_names",   "colours",      "depth",     "encoder",       "full_width",    "gentle_decoder",
        "height",        "in_channels",  "kernel",    "loss",          "mask_values",   "mean",
        "model",         "out_channels", "precision", "rates",         "output_stride", "separable",
        "std",           "threads",      "version",   "width"};
    EXPECT_EQ(keys, expected);
}

TEST(ModelCard, KeepsTheNet) {
    ModelCard card;
    card.net = unet({.out_channels = 3, .base_channels = 8, .depth = 2, .bilinear = true, .kernel = 5});
    card.net.encoder = "resnet18";
    card.net.output_stride = 16;
    card.net.rates = {3, 9};
    card.net.pooled = false;
    card.net.progressive_decoder = true;
    card.net.aux_weight = 0;
    card.net.models.of<DeepLabV3PlusModel>("deeplabv3plus").separable = true;
    const std::string text = text_of(card);
    const NetConfig read = parse_model_card(text, "file").net;
    EXPECT_EQ(text_of(parse_model_card(text, "file")), text);
    const UNetOptions& o = read.models.of<UNetModel>("unet").options;
    EXPECT_EQ(o.base_channels, 8);
    EXPECT_EQ(o.depth, 2);
    EXPECT_EQ(o.kernel, 5);
    EXPECT_TRUE(o.bilinear);
    EXPECT_EQ(read.out_channels, 3);
    EXPECT_EQ(read.encoder, "resnet18");
    EXPECT_EQ(read.output_stride, 16);
    EXPECT_EQ(read.rates, (std::vector<int64_t>{3, 9}));
    EXPECT_FALSE(read.pooled);
    EXPECT_TRUE(read.progressive_decoder);
    EXPECT_EQ(read.aux_weight, 0);
    EXPECT_TRUE(read.models.of<DeepLabV3PlusModel>("deeplabv3plus").separable);
}

TEST(ModelCard, KeepsThatClassesOverlap) {
    ModelCard card;
    card.net.out_channels = 2;
    card.loss = {.name = "bce+dice", .labels = LabelForm::bits};
    card.mask_values = "bits";
    card.colours = {0xff0000, 0x0000ff};
    const ModelCard read = parse_model_card(text_of(card), "file");
    EXPECT_EQ(read.label_form(), LabelForm::bits);
    EXPECT_EQ(read.classes(), 2);
    EXPECT_EQ(read.label_colours()[3], 0x800080u);
    EXPECT_FALSE(is_softmax(read));
    json changed = json::parse(text_of(card));
    changed["mask_values"] = "ids";
    EXPECT_THROW(parse_model_card(changed.dump(), "file"), FormatError) << "of ids a pixel has one";
    changed = json::parse(text_of(card));
    changed["out_channels"] = 8;
    EXPECT_THROW(parse_model_card(changed.dump(), "file"), FormatError) << "a byte has no bit left";
}

TEST(ModelCard, KeepsTheBands) {
    ModelCard card;
    card.net.in_channels = 2;
    card.bands = {"B04", "nir"};
    const std::string text = text_of(card);
    EXPECT_EQ(parse_model_card(text, "file").bands, card.bands);
    json changed = json::parse(text);
    changed["in_channels"] = 3;
    EXPECT_THROW(parse_model_card(changed.dump(), "file"), FormatError) << "two names for three channels";
}

// Where the training's images and masks lay, for eval to look there.
TEST(ModelCard, KeepsTheFoldersOfTheData) {
    data::DatasetOptions options;
    options.images = "photos", options.masks = "truth/**/*_ids.png", options.val_images = "h\xe9ld",
    options.rle_order = "rows", options.fold = "2/5", options.group_pattern = "^(p)";
    ModelCard card;
    card.split = record_split(options, {});
    const ModelCard read = parse_model_card(text_of(card), "file");
    EXPECT_EQ(read.split->settings, card.split->settings);
    EXPECT_EQ(read.split->settings.size(), 6u);
    EXPECT_NE(text_of(*read.split).find("`images` 'photos' `masks` 'truth/**/*_ids.png'"), std::string::npos);
    for (const json& bad :
         {json{{"seed", "1"}}, json{{"images", 1}}, json{{"rle-order", "up"}}, json{{"val-every", "0"}}, json("x")}) {
        json changed = json::parse(text_of(card));
        changed["split"]["settings"] = bad;
        EXPECT_THROW(parse_model_card(changed.dump(), "file"), FormatError) << bad.dump();
    }
}

// The numbers of a model's own settings are checked by their ranges, whichever model the card is of.
TEST(ModelCard, AValueOutOfASettingsRangeIsRefused) {
    ModelCard fcn;
    fcn.net.model = "fcn";
    json card = json::parse(text_of(fcn));
    card["depth"] = 9;
    try {
        parse_model_card(card.dump(), "file");
        FAIL() << "it was read";
    } catch (const FormatError& e) {
        EXPECT_STREQ(e.what(), "file: its model card cannot be read: depth is '9'; expected an integer from 1 to 8");
    }
}

TEST(ModelCard, KeepsTheRangeOfValues) {
    ModelCard card;
    card.net.in_channels = 7;
    card.normalization.range = {-3.1f, 812.25f};
    const ModelCard read = parse_model_card(text_of(card), "file");
    EXPECT_EQ(read.net.in_channels, 7);
    EXPECT_EQ(read.normalization.range.low, -3.1f);
    EXPECT_EQ(read.normalization.range.high, 812.25f);
    EXPECT_EQ(loader_options(read, 1, 0, 1).normalization.range.high, 812.25f);
    for (const json& bad : {json{1}, json{2, 1}, json{1, 1}, json{1, "2"}, json{1, 2, 3}, json("1..2")}) {
        json object = json::parse(text_of(card));
        object["value_range"] = bad;
        EXPECT_THROW(parse_model_card(object.dump(), "file"), FormatError) << bad;
    }
    json object = json::parse(text_of(card));
    object["in_channels"] = 17;
    EXPECT_THROW(parse_model_card(object.dump(), "file"), FormatError);
}

TEST(ModelCard, TwoClassesAreOneLogit) {
    EXPECT_EQ(logits_of(2), 1);
    EXPECT_EQ(logits_of(3), 3);
    EXPECT_EQ(classes_of(1), 2);
    EXPECT_EQ(classes_of(3), 3);
}

}  // namespace
}  // namespace atrous
