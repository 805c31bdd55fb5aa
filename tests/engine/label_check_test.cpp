// What is said of labels out of range.
#include "engine/train/label_check.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "engine/ops/label_range.h"

namespace atrous {
namespace {

HostBatch batch_of(const std::string& name, int64_t n, int64_t h, int64_t w) {
    HostBatch b;
    b.n = n, b.h = h, b.w = w, b.c = 3;
    for (int64_t i = 0; i < n; ++i) {
        b.names.push_back(name + std::to_string(i));
        b.indices.push_back(10 + i);
    }
    return b;
}

struct Source : BatchSource {
    bool told = false;
    LabelPlace place = {};  // without a file: the sample's own
    int64_t samples() const override { return 0; }
    int64_t batches_per_epoch() const override { return 0; }
    void start_epoch(int64_t, int64_t) override {}
    bool next(HostBatch&) override { return false; }
    std::optional<LabelPlace> find_label(int64_t index, uint8_t label) const override {
        if (!told) return std::nullopt;
        if (!place.file.empty()) return place;
        return LabelPlace{std::to_string(index) + ".png", label, 1};
    }
};

std::string refusal(const kernels::LabelsOutOfRange& found, const std::vector<HostBatch>& batches, int64_t channels,
                    int ignored = 255, bool told = false, const LabelPlace& place = {}) {
    Source source;
    source.told = told, source.place = place;
    try {
        check_labels(found, batches.data(), int64_t(batches.size()), source, {channels, ignored, "in step 5"});
    } catch (const DataError& e) {
        return e.what();
    }
    return "";
}

TEST(LabelCheck, NamesImagePlaceAndLabel) {
    const std::vector<HostBatch> batches{batch_of("a", 3, 9, 13), batch_of("b", 2, 4, 5)};
    EXPECT_EQ(refusal({}, batches, 3), "");
    const int64_t in_a = (2 * 9 + 4) * 13 + 7, in_b = 3 * 9 * 13 + (1 * 4 + 3) * 5 + 2;
    EXPECT_EQ(refusal({12, in_a, 3}, batches, 3),
              "a2 has the label 3 at pixel (7, 4) of the image as the net saw it (12 such in step 5); expected classes "
              "0 to 2, "
              "or 255 for ignored: give the net more classes, or the masks other ids");
    EXPECT_EQ(refusal({1, in_b, 9}, batches, 3).find("b1 has the label 9 at pixel (2, 3) of the image"), 0u);
    EXPECT_EQ(refusal({1, in_a, 3}, batches, 3, 255, true)
                  .find("12.png (a2) has the label 3, first at pixel (3, 1) (1 such in step 5)"),
              0u);
}

TEST(LabelCheck, SaysTheFilesValueWhereItIsNotTheClass) {
    const std::vector<HostBatch> batches{batch_of("a", 1, 4, 5)};
    const auto told = [&](const LabelPlace& place) { return refusal({1, 7, 7}, batches, 7, 255, true, place); };
    EXPECT_EQ(told({"m.png", 3, 1, "7"}).find("m.png (a0) has the label 7, first at pixel (3, 1) (1 such"), 0u);
    EXPECT_EQ(told({"m.png", 3, 1, "8"})
                  .find("m.png (a0) has the value 8, which is class 7, first at pixel (3, 1) (1 such in step 5); "
                        "expected classes 0 to 6,"),
              0u);
    EXPECT_EQ(told({"m.png"}).find("m.png (a0) has the label 7 at pixel (2, 1) of the image as the net saw it"), 0u)
        << "the file is known, the place in it is not";
    EXPECT_EQ(told({.file = "m.png", .mixed = true})
                  .find("m.png (a0) or an image mixed into it has the label 7 at pixel (2, 1) of the image as"),
              0u);
    EXPECT_EQ(told({"m.png", 3, 1, "7", true}).find("m.png (a0) has the label 7, first at pixel (3, 1)"), 0u)
        << "it is the image's own";
}

TEST(LabelCheck, OneOutputHasTwoClassesAndNothingIsIgnoredUnlessSaid) {
    const std::vector<HostBatch> batches{batch_of("a", 1, 4, 5)};
    EXPECT_NE(refusal({1, 3, 2}, batches, 1).find("expected classes 0 to 1, or 255"), std::string::npos);
    EXPECT_NE(refusal({1, 3, 255}, batches, 3, -1).find("expected classes 0 to 2:"), std::string::npos);
}

TEST(LabelCheck, LabelsInBitsHaveNoneBeyondTheClasses) {
    const std::vector<HostBatch> batches{batch_of("a", 1, 4, 5)};
    Source source;
    try {
        check_labels({1, 3, 4}, batches.data(), 1, source, {2, 255, "in step 5", LabelForm::bits});
        ADD_FAILURE() << "bit 2 of two classes";
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("expected the bits of 2 classes, 0 to 3, or 255 for ignored"),
                  std::string::npos)
            << e.what();
    }
    Tensor labels = Tensor::empty({1, 1, 5, 1}, DType::u8, {DeviceKind::cpu});
    const uint8_t values[] = {3, 0, 255, 4, 2};
    labels.copy_from_host(values, labels.bytes());
    EXPECT_EQ(labels_out_of_range(labels, 2, 255, LabelForm::bits).to_host<int64_t>(), (std::vector<int64_t>{1, 3, 4}));
}

TEST(LabelCheck, ARankSaysThatAnotherHasThem) {
    EXPECT_NE(refusal({7, -1, 0}, {batch_of("a", 1, 4, 5)}, 3).find("images of another rank"), std::string::npos);
}

}  // namespace
}  // namespace atrous
