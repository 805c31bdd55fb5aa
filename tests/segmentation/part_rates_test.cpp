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
    Rates rates() { return part_rates(e, *make_net(net_config(e, 2))); }
};

TEST_F(PartRates, NamePartsOfTheNetInWholeDottedParts) {
    EXPECT_EQ(rates(), Rates());
    e.lr_scales = {"inc=0.1", "outc.conv.weight=2e1"};
    EXPECT_EQ(rates(), (Rates{{"inc.", 0.1}, {"outc.conv.weight", 20}}));
}

TEST_F(PartRates, StandBeforeThatOfTheEncoder) {
    e.net.model = "deeplabv3";
    e.net.encoder = "resnet18";
    e.encoder_lr = 0.5, e.aux_lr = 10;
    e.lr_scales = {"backbone.layer4=0.2"};
    EXPECT_EQ(rates(), (Rates{{"backbone.layer4.", 0.2}, {"backbone.", 0.5}, {"aux_classifier.", 10}}));
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

TEST_F(PartRates, AFactorIsANumberAbove0) {
    for (const char* word : {"inc", "inc=", "inc=0", "inc=-1", "inc=0.1x", "inc=nan", "inc=inf"}) {
        e.lr_scales = {word};
        EXPECT_NE(refusal().find("`lr-scale` '" + std::string(word) + "': expected PART=FACTOR"), std::string::npos)
            << refusal();
    }
}

}  // namespace
}  // namespace atrous
