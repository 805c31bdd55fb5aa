// Nets whose classes overlap: what their files are called, and what they are averaged with.
#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "models/unet.h"
#include "segmentation/prediction_net.h"
#include "segmentation/predictor.h"

namespace atrous {
namespace {

LoadedNet three_channels(LabelForm form) {
    LoadedNet loaded;
    loaded.card.net = unet({.out_channels = 3, .base_channels = 2, .depth = 1});
    loaded.card.loss = {.name = "bce", .labels = form};
    loaded.card.class_names = {"a", "b", "c"};
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({});
    loaded.net->set_training(false);
    return loaded;
}

struct Silent : Messages {
    void text(const std::string&) override {}
    void warning(const std::string&) override {}
};

// Each of these names becomes the one before it once its character is replaced or a number is added.
TEST(MultiLabelNet, EachClassHasAFileOfItsOwn) {
    LoadedNet net = three_channels(LabelForm::bits);
    net.card.class_names = {"a_b_2", "a/b", "a_b"};
    for (const char* what : {"classes", "probability"}) {
        const std::vector<std::string> paths = Predictor(net, {what}, 0, "out").paths_of({"photo.png", "photo"});
        EXPECT_EQ(std::set<std::string>(paths.begin(), paths.end()).size(), 3u) << what << ": " << paths.back();
    }
}

// Sigmoids of classes that exclude each other (bce) are as many, and called the same.
TEST(MultiLabelNet, IsAveragedWithItsKindAlone) {
    Silent messages;
    const auto averaged = [&](LabelForm first, LabelForm second) {
        PredictionOptions options;
        options.average_with = {"second"};
        const auto load = [&](const std::string& path, const std::string&) {
            return three_channels(path == "first" ? first : second);
        };
        try {
            prediction_net("first", options, load, messages);
        } catch (const UsageError& e) {
            return std::string(e.what());
        }
        return std::string("accepted");
    };
    EXPECT_EQ(averaged(LabelForm::bits, LabelForm::bits), "accepted");
    EXPECT_EQ(averaged(LabelForm::ids, LabelForm::ids), "accepted");
    const std::string refused = averaged(LabelForm::bits, LabelForm::ids);
    EXPECT_NE(refused.find("its labels are classes that exclude each other"), std::string::npos) << refused;
    EXPECT_NE(refused.find("of first are a bit a class"), std::string::npos) << refused;
}

// Weights that are no checkpoint have no colours.
TEST(MultiLabelNet, EveryCombinationHasAColour) {
    const data::Palette colours = three_channels(LabelForm::bits).card.label_colours();
    ASSERT_EQ(colours.size(), 256u);
    EXPECT_EQ(std::set<uint32_t>(colours.begin(), colours.begin() + 8).size(), 8u);
}

}  // namespace
}  // namespace atrous
