#include "engine/train/label_check.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace atrous {
namespace {

HostBatch batch_of(int64_t n, int64_t h, int64_t w) {
    HostBatch b{n, h, w, 1, {}, std::vector<uint8_t>(size_t(n * h * w)), {}, {}};
    for (int64_t i = 0; i < n; ++i) b.names.push_back("photos/" + std::to_string(i));
    for (size_t i = 0; i < b.labels.size(); ++i) b.labels[i] = i % 5 == 0 ? 255 : uint8_t(i % 3);
    return b;
}

std::string refusal(const HostBatch& batch, int64_t out_channels, int ignored = 255) {
    try {
        check_labels(batch, out_channels, ignored);
    } catch (const DataError& e) {
        return e.what();
    }
    return "";
}

TEST(LabelCheck, NamesImagePlaceAndValue) {
    HostBatch b = batch_of(3, 9, 13);
    EXPECT_EQ(refusal(b, 3), "");
    b.labels[size_t((2 * 9 + 4) * 13 + 7)] = 3;
    EXPECT_EQ(
        refusal(b, 3),
        "photos/2: pixel (7, 4) has the label 3; expected 0 to 2, or 255 for ignored: give the net more classes, or "
        "the masks other ids");
    EXPECT_EQ(refusal(b, 4), "");
}

// Samples of 2x3 and 4x5 pixels that a device will augment, and room behind them.
TEST(LabelCheck, NamesThePlaceInASampleAsItIsStored) {
    HostBatch b = batch_of(2, 9, 13);
    b.form = ImageForm::samples;
    b.samples.resize(2);
    b.samples[0].h = 2, b.samples[0].w = 3;
    b.n = 2;
    b.samples[1].h = 4, b.samples[1].w = 5, b.samples[1].labels = 6;
    b.labels.assign(32, 1);
    b.labels[26] = 255;
    EXPECT_EQ(refusal(b, 3, -1), "") << "the room behind them is not looked at";
    b.labels[6 + 2 * 5 + 3] = 7;
    EXPECT_NE(refusal(b, 3).find("photos/1: pixel (3, 2) has the label 7"), std::string::npos) << refusal(b, 3);
    b.labels[4] = 9;
    EXPECT_NE(refusal(b, 3).find("photos/0: pixel (1, 1) has the label 9"), std::string::npos) << refusal(b, 3);
}

// Whole blocks are looked at together, and what is left one by one.
TEST(LabelCheck, FindsALabelAnywhere) {
    for (size_t at : {0, 1, 63, 64, 65, 127, 128, 199}) {
        HostBatch b = batch_of(1, 10, 20);
        b.labels[at] = 254;
        EXPECT_NE(refusal(b, 3).find("label 254"), std::string::npos) << at;
    }
}

TEST(LabelCheck, OneOutputHasTwoClassesAndNothingIsIgnoredUnlessSaid) {
    HostBatch b = batch_of(1, 10, 20);
    EXPECT_NE(refusal(b, 1).find("expected 0 to 1"), std::string::npos);
    EXPECT_NE(refusal(b, 3, -1).find("label 255; expected 0 to 2:"), std::string::npos) << refusal(b, 3, -1);
    EXPECT_EQ(refusal(b, 255), "");
    EXPECT_EQ(refusal(b, 256, -1), "");
}

}  // namespace
}  // namespace atrous
