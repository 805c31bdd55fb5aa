// Metrics against values of other programs: scikit-learn 1.9.1, scipy 1.17.1 and numpy 2.4.6, of the same arrays. Each
// test's comment has the lines that made its values.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "engine/ops/metrics.h"
#include "engine/train/calibration.h"
#include "engine/train/precision_recall.h"
#include "engine/train/scores.h"
#include "engine/train/surface_scores.h"
#include "kernels/distance_transform.h"

namespace atrous {
namespace {

// Sums of a few doubles in another order.
constexpr double exact = 1e-12;

double by_class(const std::string& key, const ClassCounts& c) { return Metric::catalogue().at(key).by_class.value(c); }

// t = repeat([0,0,0,1,1,2,2,2,3], [50,3,2,30,4,7,1,2,1]); p = repeat([0,1,2,1,0,2,0,1,2], [50,3,2,30,4,7,1,2,1])
// precision_score(t, p, labels=range(5), average=None, zero_division=nan), recall_score likewise, their nanmean;
// [recall_score(t != c, p != c) for c in range(4)]; jaccard_score(t, p, average='weighted', labels=range(5));
// balanced_accuracy_score(t, p). Class 3 is never predicted, and class 4 occurs nowhere.
TEST(MetricGoldensTest, OfClassesAsScikitLearn) {
    const std::vector<int64_t> counts{50, 3, 2, 0, 0, 4, 30, 0, 0, 0, 1, 2, 7, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0};
    MetricAccumulator metrics(5);
    metrics.add(counts.data());
    const Scores s = metrics.scores();
    const double precision[] = {0.9090909090909091, 0.8571428571428571, 0.7};
    const double recall[] = {0.9090909090909091, 0.8823529411764706, 0.7, 0};
    const double specificity[] = {0.8888888888888888, 0.9242424242424242, 0.9666666666666667, 1};
    for (size_t c = 0; c < 4; ++c) {
        if (c < 3) {
            EXPECT_NEAR(by_class("precision", s.classes[c]), precision[c], exact);
        }
        EXPECT_NEAR(by_class("recall", s.classes[c]), recall[c], exact);
        EXPECT_NEAR(by_class("specificity", s.classes[c]), specificity[c], exact);
    }
    EXPECT_TRUE(std::isnan(by_class("precision", s.classes[3]))) << "nothing was claimed";
    for (const char* key : {"precision", "recall", "specificity"})
        EXPECT_TRUE(std::isnan(by_class(key, s.classes[4]))) << key << " of a class that is nowhere";
    EXPECT_NEAR(s.of("precision"), 0.8220779220779221, exact);
    EXPECT_NEAR(s.of("recall"), 0.6228609625668449, exact);
    EXPECT_NEAR(s.of("specificity"), 0.944949494949495, exact);
    EXPECT_NEAR(s.of("weighted_iou"), 0.7737179487179487, exact);
    EXPECT_NEAR(s.of("mean_accuracy"), 0.6228609625668449, exact);
}

// t = [0,1,1,3,3,3,2,2,0,0,1,3], p = [0,1,3,3,2,1,2,0,4,0,1,3] are labels in bits of three classes, and one pixel more is
// ignored. T = [[v >> c & 1 for c in range(3)] for v in t], P likewise; jaccard_score(T, P, average=None, zero_division=0),
// f1_score, precision_score and recall_score likewise with zero_division=nan, their nanmean;
// [recall_score(1 - T[:, c], 1 - P[:, c]) for c in range(3)]. Class 2 is nowhere, and claimed once.
TEST(MetricGoldensTest, OfOverlappingClassesAsScikitLearn) {
    const std::vector<uint8_t> truth{0, 1, 1, 3, 3, 3, 2, 2, 0, 0, 1, 3, 255},
        predicted{0, 1, 3, 3, 2, 1, 2, 0, 4, 0, 1, 3, 7};
    const Device cpu{DeviceKind::cpu};
    std::vector<float> values;
    for (const uint8_t p : predicted)
        for (int c = 0; c < 3; ++c) values.push_back(p >> c & 1 ? 0.75f : 0.25f);
    Tensor logits = Tensor::empty({1, 1, 13, 3}, DType::f32, cpu),
           labels = Tensor::empty({1, 1, 13, 1}, DType::u8, cpu);
    logits.copy_from_host(values.data(), logits.bytes()), labels.copy_from_host(truth.data(), labels.bytes());
    Tensor counts = Tensor::full({12}, DType::i64, cpu, 0);
    count_confusion(logits, labels, counts, 0.5, 255, LabelForm::bits);
    const std::vector<int64_t> found = counts.to_host<int64_t>();
    EXPECT_EQ(found, (std::vector<int64_t>{5, 0, 1, 6, 5, 1, 2, 4, 11, 1, 0, 0}));  // multilabel_confusion_matrix(T, P)
    MetricAccumulator metrics(3, LabelForm::bits);
    metrics.add(found.data());
    const Scores s = metrics.scores();
    EXPECT_EQ(s.pixels, 12);
    const double iou[] = {0.8571428571428571, 0.5714285714285714, 0},
                 dice[] = {0.9230769230769231, 0.7272727272727273, 0}, precision[] = {1, 0.8, 0},
                 specificity[] = {1, 0.8333333333333334, 0.9166666666666666};
    for (size_t c = 0; c < 3; ++c) {
        EXPECT_NEAR(by_class("miou", s.classes[c]), iou[c], exact);
        EXPECT_NEAR(by_class("dice", s.classes[c]), dice[c], exact);
        EXPECT_NEAR(by_class("precision", s.classes[c]), precision[c], exact);
        EXPECT_NEAR(by_class("specificity", s.classes[c]), specificity[c], exact);
    }
    EXPECT_NEAR(by_class("recall", s.classes[0]), 0.8571428571428571, exact);
    EXPECT_NEAR(s.of("miou"), 0.4761904761904761, exact);
    EXPECT_NEAR(s.of("dice"), 0.5501165501165501, exact);
    EXPECT_NEAR(s.of("precision"), 0.6, exact);
    EXPECT_NEAR(s.of("recall"), 0.7619047619047619, exact);
    for (const char* key : {"pixel_accuracy", "weighted_iou"}) EXPECT_TRUE(std::isnan(s.of(key))) << key;
    EXPECT_TRUE(std::isfinite(monitored("dice", s)));
}

// Two classes that overlap are no background with an object: the mean counts both.
TEST(MetricGoldensTest, OfTwoOverlappingClassesBothCount) {
    const int64_t counts[] = {6, 0, 0, 4, 5, 5, 0, 0};
    MetricAccumulator metrics(2, LabelForm::bits);
    metrics.add(counts);
    EXPECT_EQ(metrics.scores().of("dice"), 0.5);
    EXPECT_TRUE(std::isfinite(monitored("dice", metrics.scores()))) << "though class 1 is nowhere";
}

TEST(MetricGoldensTest, OfTwoClassesTheObjectCounts) {
    const int64_t counts[] = {80, 5, 3, 12};
    MetricAccumulator metrics(2);
    metrics.add(counts);
    const Scores s = metrics.scores();
    EXPECT_EQ(s.of("precision"), 12.0 / 17);
    EXPECT_EQ(s.of("recall"), 12.0 / 15);
    EXPECT_EQ(s.of("specificity"), 80.0 / 85);
    EXPECT_DOUBLE_EQ(s.of("mean_accuracy"), (12.0 / 15 + 80.0 / 85) / 2);
    const int64_t none[] = {9, 0, 0, 0};
    MetricAccumulator empty(2);
    empty.add(none);
    for (const char* key : {"precision", "recall", "specificity"})
        EXPECT_TRUE(std::isnan(empty.scores().of(key))) << key << " where the object is nowhere";
}

struct Blobs {
    static constexpr int64_t h = 24, w = 31;
    std::vector<uint8_t> truth = std::vector<uint8_t>(size_t(h * w)), predicted = truth;
    Blobs() {
        for (int64_t y = 0; y < h; ++y)
            for (int64_t x = 0; x < w; ++x) {
                const auto p = size_t(y * w + x);
                truth[p] = (y - 10) * (y - 10) + (x - 12) * (x - 12) <= 49 || (y >= 20 && x >= 27);
                predicted[p] = (y - 11) * (y - 11) + 2 * (x - 14) * (x - 14) <= 60 || (y < 2 && x < 3);
            }
    }
};

// y, x = mgrid[:24, :31]; A, B as Blobs' truth and predicted
// edges = lambda m: m ^ binary_erosion(m)                          # MONAI's get_mask_edges
// dp = distance_transform_edt(~edges(A))[edges(B)]; dt = distance_transform_edt(~edges(B))[edges(A)]
// max(percentile(dp, 95), percentile(dt, 95)); concatenate([dp, dt]).mean()
// P, R = (dp <= tolerance).mean(), (dt <= tolerance).mean(); 2 * P * R / (P + R)
TEST(MetricGoldensTest, SurfacesAsMonaiDefinesThem) {
    const Blobs blobs;
    const auto score = [&](double tolerance) {
        return surface_score(blobs.truth.data(), blobs.predicted.data(), Blobs::h, Blobs::w, 1, tolerance);
    };
    EXPECT_NEAR(score(1).hd95, 13.024963126763444, 1e-9);
    EXPECT_NEAR(score(1).mean_distance, 3.3190527420137346, 1e-9);
    EXPECT_NEAR(score(1).boundary_f1, 0.4100719424460432, exact);
    EXPECT_NEAR(score(2).boundary_f1, 0.5777777777777778, exact);
    SurfaceScores usual(2);
    usual.add(blobs.truth.data(), blobs.predicted.data(), Blobs::h, Blobs::w);
    EXPECT_NEAR(usual.whole().boundary_f1, 0.13333333333333333, exact) << "0.75 % of the diagonal";
}

TEST(SurfaceScoresTest, AClassOfOneSideAloneHasNoDistanceAndNoBoundaryFound) {
    const Blobs blobs;
    const std::vector<uint8_t> nothing(blobs.truth.size());
    SurfaceScores scores(3, 1);
    scores.add(blobs.truth.data(), blobs.truth.data(), Blobs::h, Blobs::w);
    scores.add(blobs.truth.data(), nothing.data(), Blobs::h, Blobs::w);
    scores.add(nothing.data(), nothing.data(), Blobs::h, Blobs::w);
    const auto& object = scores.classes()[1];
    EXPECT_EQ(object.hd95.images, 1);
    EXPECT_EQ(object.hd95.value(), 0);
    EXPECT_EQ(object.boundary_f1.images, 2);
    EXPECT_EQ(object.boundary_f1.value(), 0.5);
    EXPECT_TRUE(std::isnan(scores.of_class(2).boundary_f1)) << "a class that is nowhere";
}

TEST(SurfaceScoresTest, WhatIsIgnoredIsOfNoClass) {
    const Blobs blobs;
    std::vector<uint8_t> truth = blobs.truth, predicted = blobs.truth;
    for (size_t x = 0; x < 3; ++x) truth[x] = 255, predicted[x] = 1;  // a false alarm where nothing counts
    const SurfaceScore s = surface_score(truth.data(), predicted.data(), Blobs::h, Blobs::w, 1, 1);
    EXPECT_EQ(s.hd95, 0);
    EXPECT_EQ(s.boundary_f1, 1);
}

// Against the distances to every pixel, of images of all shapes and densities.
TEST(DistanceTransformTest, IsTheNearestPixel) {
    std::mt19937 random(3);
    for (const auto& [h, w] : {std::pair<int64_t, int64_t>{1, 1}, {1, 17}, {19, 1}, {12, 23}, {31, 8}})
        for (const uint32_t of : {2u, 9u, 60u}) {
            std::vector<uint8_t> set(size_t(h * w));
            for (uint8_t& v : set) v = random() % of == 0;
            const auto squares = squared_distances(set, h, w);
            for (int64_t p = 0; p < h * w; ++p) {
                int64_t nearest = -1;
                for (int64_t q = 0; q < h * w; ++q) {
                    const int64_t dy = p / w - q / w, dx = p % w - q % w, square = dy * dy + dx * dx;
                    if (set[size_t(q)] && (nearest < 0 || square < nearest)) nearest = square;
                }
                ASSERT_EQ(squares[size_t(p)], nearest) << h << "x" << w << ", pixel " << p;
            }
        }
}

// i = arange(200); z = ((i * 37) % 101 - 50) / 16; y = ((i * 53) % 97 < 40 + z * 10).astype(int)
// average_precision_score(y, z); P, R, T = precision_recall_curve(y, z); F = 2 * P * R / (P + R); F.max(),
// T[F.argmax()]; p = 1 / (1 + exp(-z)); confidence = maximum(p, 1 - p); right = (z > 0) == y
// b = minimum((confidence * 15).astype(int), 14)                       # numpy, by the definition
// sum(abs(right[b == k].sum() - confidence[b == k].sum()) for k in range(15)) / 200   # torchmetrics' l1
TEST(MetricGoldensTest, ThresholdsAsScikitLearnAndCalibrationAsNumpy) {
    PrecisionRecall curve;
    Calibration calibration;
    for (int i = 0; i < 200; ++i) {
        const float z = float(i * 37 % 101 - 50) / 16;
        const bool y = i * 53 % 97 < 40 + z * 10;
        curve.add(z, y);
        calibration.add(1 / (1 + std::exp(-std::abs(double(z)))), (z > 0) == y);
    }
    EXPECT_NEAR(curve.average_precision(), 0.6008759759410075, exact);
    const auto best = curve.best();
    EXPECT_NEAR(best.dice(), 0.6736842105263158, exact);
    const double logit = std::log(best.threshold / (1 - best.threshold));
    EXPECT_TRUE(logit < -0.1875 && logit > -0.25) << logit << " divides the logits -0.25 and -0.1875";
    EXPECT_NEAR(calibration.error(), 0.13874506429015246, exact);
    EXPECT_EQ(curve.curve(0).size(), 101u) << "a point for each logit";
}

// Logits of fp32, which a bin does not tell apart: the sum over sorted logits, each a threshold of its own.
TEST(PrecisionRecallTest, BinsAreFineEnough) {
    std::mt19937 random(5);
    std::normal_distribution<float> normal;
    std::vector<std::pair<float, bool>> pixels;
    PrecisionRecall curve;
    for (int i = 0; i < 20000; ++i) {
        const bool y = random() % 5 == 0;
        pixels.emplace_back(3 * normal(random) + (y ? 2.0f : -2.0f), y);
        curve.add(pixels.back().first, y);
    }
    std::sort(pixels.begin(), pixels.end(), std::greater<>());
    int64_t found = 0, seen = 0;
    double sum = 0, best = 0;
    const auto all = std::count_if(pixels.begin(), pixels.end(), [](const auto& p) { return p.second; });
    for (const auto& [z, y] : pixels) {
        ++seen;
        if (y) sum += double(++found) / double(seen);
        best = std::max(best, 2.0 * double(found) / double(all + seen));
    }
    EXPECT_NEAR(curve.average_precision(), sum / double(all), 1e-4);
    EXPECT_NEAR(curve.best().dice(), best, 1e-4);
}

// Applied as `eval` applies it, a best threshold gives the Dice that was said.
TEST(PrecisionRecallTest, TheBestThresholdGivesItsDice) {
    std::vector<std::vector<float>> sets{{0}, {0.5f}, {-0.5f}, {20}, {-40, 30}, {0, 1e-30f}, {16, 17, 3}, {-1e30f, 2}};
    const float next = std::nextafter(0.3f, 1.0f);
    sets.push_back({0.3f, next, std::nextafter(next, 1.0f)});
    const float bin = 1 + 1.0f / 2048;
    sets.push_back({std::nextafter(bin, 0.0f), bin});
    for (const auto& logits : sets) {
        SCOPED_TRACE(logits.front());
        std::vector<std::pair<float, bool>> pixels;
        for (size_t i = 0; i < logits.size(); ++i)
            for (size_t k = 0; k < 6; ++k) pixels.emplace_back(logits[i], k < (i == 1 ? 5u : 1u));
        PrecisionRecall curve;
        for (const auto& [z, y] : pixels) curve.add(z, y);
        const auto best = curve.best();
        ASSERT_TRUE(best.threshold > 0 && best.threshold <= highest_threshold) << best.threshold;
        const double logit = std::log(best.threshold / (1 - best.threshold));
        int64_t both = 0, all = 0;
        for (const auto& [z, y] : pixels) both += z > logit && y, all += (z > logit) + y;
        EXPECT_NEAR(2 * double(both) / double(all), best.dice(), exact) << "at " << best.threshold;
    }
    PrecisionRecall lost;
    lost.add(-1e30f, true);
    EXPECT_TRUE(std::isnan(lost.best().threshold)) << "no probability is low enough";
}

TEST(PrecisionRecallTest, WithoutForegroundNothingIsDefined) {
    PrecisionRecall curve;
    curve.add(1, false);
    EXPECT_TRUE(std::isnan(curve.average_precision()));
    EXPECT_TRUE(std::isnan(curve.best().threshold));
    EXPECT_TRUE(std::isnan(curve.best().dice()));
    EXPECT_TRUE(curve.curve(0).empty());
}

TEST(CalibrationTest, FullConfidenceIsOfTheLastBin) {
    Calibration calibration;
    EXPECT_TRUE(std::isnan(calibration.error()));
    calibration.add(1, false);
    calibration.add(1, true);
    EXPECT_EQ(calibration.of_bins().back().pixels, 2);
    EXPECT_EQ(calibration.error(), 0.5);
}

}  // namespace
}  // namespace atrous
