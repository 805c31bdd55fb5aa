// Learning rates of a net's parts, as settings name them.
#include "segmentation/part_rates.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "models/catalogue.h"

namespace atrous {
namespace {

using Rates = std::vector<std::pair<std::string, double>>;

struct PartRates : testing::Test {
    Experiment e;
    std::string refusal() {
        try {
            rates();
        } catch (const UsageError& error) {
            return error.what();
        }
        return "accepted";
    }
    Rates rates() {
        const auto net = make_net(net_config(e, 2));
        freeze(*net, e.freezing);
        return part_rates(e, *net);
    }
};

TEST_F(PartRates, NamePartsOfTheNetInWholeDottedParts) {
    EXPECT_EQ(rates(), Rates());
    e.lr_scales = {"inc=0.1", "outc.conv.weight=2e1"};
    EXPECT_EQ(rates(), (Rates{{"outc.conv.weight", 20}, {"inc.", 0.1}}));
}

TEST_F(PartRates, StandBeforeThatOfTheEncoder) {
    e.net.model = "deeplabv3";
    e.net.encoder = "resnet18";
    e.encoder_lr = 0.5, e.aux_lr = 10;
    e.lr_scales = {"backbone.layer4=0.2"};
    EXPECT_EQ(rates(), (Rates{{"backbone.layer4.", 0.2}, {"aux_classifier.", 10}, {"backbone.", 0.5}}));
    e.lr_scales.push_back("classifier=3");
    EXPECT_EQ(refusal(),
              "`lr-scale`, `encoder-lr` and `aux-lr` name 4 parts; at most 3 may have learning rates of their own");
}

TEST_F(PartRates, APartThatTheNetDoesNotHaveIsRefused) {
    for (const char* part : {"in", "outc.con", "inc.", "", "encoder"}) {  // a beginning of a name is no part
        e.lr_scales = {std::string(part) + "=0.1"};
        EXPECT_NE(refusal().find("this net has no part '" + std::string(part) + "'"), std::string::npos) << refusal();
        EXPECT_NE(refusal().find("it consists of inc, down1, "), std::string::npos) << refusal();
    }
    e.lr_scales = {"dwon1=0.1"};
    EXPECT_NE(refusal().find("; did you mean down1?"), std::string::npos) << refusal();
}

// The optimizer takes the first that fits, whatever the order in which they were named.
TEST_F(PartRates, PartsWithinOthersComeFirst) {
    e.lr_scales = {"inc=0.1", "inc.double_conv.0=5"};
    EXPECT_EQ(rates(), (Rates{{"inc.double_conv.0.", 5}, {"inc.", 0.1}}));
}

TEST_F(PartRates, APartNamedTwiceIsRefused) {
    e.lr_scales = {"inc=0.1", "outc=3", "inc=0.2"};
    EXPECT_EQ(refusal(), "`lr-scale`, `encoder-lr` and `aux-lr` name 'inc' twice; give it one learning rate");
    e.net.model = "deeplabv3";
    e.net.encoder = "resnet18";
    e.lr_scales = {"backbone=0.1"};
    e.encoder_lr = 0.5;
    EXPECT_EQ(refusal(), "`lr-scale`, `encoder-lr` and `aux-lr` name 'backbone' twice; give it one learning rate");
    e.encoder_lr = 1;
    EXPECT_EQ(rates(), (Rates{{"backbone.", 0.1}}));
}

TEST_F(PartRates, APartWhoseRateNothingTrainsAtIsRefused) {
    e.lr_scales = {"inc=0.1", "inc.double_conv=2"};  // all that inc consists of
    EXPECT_EQ(refusal(), "a learning rate for 'inc', all of which has rates by the names of its parts; leave it out");
    e.net.model = "deeplabv3";
    e.net.encoder = "resnet18";
    e.freezing.encoder = true;
    for (const double encoder_lr : {1.0, 0.5}) {
        e.lr_scales.clear();
        if (encoder_lr == 1) e.lr_scales = {"backbone.layer4=0.1"};
        e.encoder_lr = encoder_lr;
        const std::string part = encoder_lr == 1 ? "'backbone.layer4'" : "'backbone'";
        EXPECT_EQ(refusal(), "a learning rate for " + part +
                                 ", of which nothing trains (`freeze-encoder`); leave out one of the two");
    }
    e.encoder_lr = 1;
    e.lr_scales = {"classifier=2"};
    EXPECT_EQ(rates(), (Rates{{"classifier.", 2}}));
}

TEST_F(PartRates, AnAuxiliaryHeadThatTheNetDoesNotHaveIsRefused) {
    e.aux_lr = 10;
    EXPECT_EQ(refusal().rfind("`aux-lr`: this net has no auxiliary head (aux_classifier)", 0), 0u) << refusal();
    e.net.model = "deeplabv3";
    e.net.encoder = "resnet18";
    e.net.aux_weight = 0;
    EXPECT_EQ(refusal().rfind("`aux-lr`: this net has no auxiliary head (aux_classifier)", 0), 0u) << refusal();
}

TEST_F(PartRates, AFactorIsANumberAbove0) {
    for (const char* word : {"inc", "inc=", "inc=0", "inc=-1", "inc=0.1x", "inc=nan", "inc=inf"}) {
        e.lr_scales = {word};
        EXPECT_NE(refusal().find("`lr-scale` '" + std::string(word) + "': expected PART=FACTOR"), std::string::npos)
            << refusal();
    }
}

}  // namespace
}  // namespace atrous
