// Labels out of range: every backend finds their number and the first of them, wherever it lies.
#include "kernels/label_range.h"

#include "base/view.h"
#include "tests/kernels/cuda_fixture.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::kernels {
namespace {

// Classes 0 to 2, some ignored.
std::vector<uint8_t> labels_of(int64_t count) { return host_test::random_labels(count, 5, 3); }

void expect_found(const LabelsOutOfRange& found, const LabelsOutOfRange& expected, const std::string& what) {
    EXPECT_EQ(found.count, expected.count) << what;
    EXPECT_EQ(found.first, expected.first) << what;
    EXPECT_EQ(found.label, expected.label) << what;
}

LabelsOutOfRange on_host(const std::vector<uint8_t>& labels, int classes, int ignored, int threads, bool cpu = true) {
    LabelsOutOfRange found{77, 77, 77};
    host_test::run({cpu, DType::f32, threads}, reference::label_range, cpu::label_range,
                   LabelRangeArgs{labels.data(), int64_t(labels.size()), classes, ignored, &found});
    return found;
}

// By its definition, and so for any number of threads.
void check_host(const std::vector<uint8_t>& labels, const LabelsOutOfRange& expected, const std::string& what,
                int classes = 3, int ignored = 255) {
    expect_found(on_host(labels, classes, ignored, 1, false), expected, what + ", reference");
    for (const int threads : {1, 2, 3})
        expect_found(on_host(labels, classes, ignored, threads), expected, what + ", cpu");
}

// Whole blocks are looked at together, what is left one by one; 600000 are enough for three threads.
TEST(LabelRange, TheHostFindsALabelAnywhere) {
    for (const int64_t count : {1, 255, 256, 257, 1000, 600000})
        for (const int64_t at : {int64_t(0), count / 2, count - 1}) {
            auto labels = labels_of(count);
            const std::string what = std::to_string(at) + " of " + std::to_string(count);
            check_host(labels, {0, -1, 0}, what + ", nothing planted");
            labels[size_t(at)] = 254;
            check_host(labels, {1, at, 254}, what);
        }
}

TEST(LabelRange, TheFirstOfSeveralIsKeptAndAllAreCounted) {
    auto labels = labels_of(600000);
    for (const size_t at : {599999, 300001, 1000}) labels[at] = uint8_t(3 + at % 7);
    check_host(labels, {3, 1000, 3 + 1000 % 7}, "three");
}

TEST(LabelRange, WhatIsOutOfRangeDependsOnClassesAndOnWhatIsIgnored) {
    std::vector<uint8_t> labels(300, 0);
    labels[7] = 255, labels[9] = 2;
    check_host(labels, {1, 9, 2}, "two classes", 2);
    check_host(labels, {0, -1, 0}, "three classes", 3);
    check_host(labels, {1, 7, 255}, "nothing is ignored", 3, -1);
    check_host(labels, {1, 7, 255}, "2 is ignored", 2, 2);
    check_host(labels, {1, 7, 255}, "255 classes, nothing is ignored", 255, -1);
    check_host(labels, {0, -1, 0}, "256 classes", 256, -1);
    labels[5] = 300 - 256;
    check_host(labels, {2, 5, 44}, "300 is ignored, which no label is", 3, 300);
}

using LabelRangeCuda = test::CudaTest;

// Aligned and not; tails of a vector, of a chunk (16384 labels), and 300 chunks, more than the merging block has threads.
TEST_F(LabelRangeCuda, FindsALabelAnywhere) {
    const auto check = [&](const std::vector<uint8_t>& labels, int64_t shift, const std::string& what) {
        SCOPED_TRACE(what + ", shifted by " + std::to_string(shift));
        test::Array<uint8_t> l;
        l.host = labels;
        test::Array<int64_t> found(3, 77);
        const auto count = int64_t(labels.size()) - shift;
        auto* const host = reinterpret_cast<LabelsOutOfRange*>(found.host.data());
        auto* const to = reinterpret_cast<LabelsOutOfRange*>(found.upload(stream()));
        EXPECT_EQ(gpu_->both(reference::label_range, {l.host.data() + shift, count, 3, 255, host}, cuda::label_range,
                             {l.upload(stream()) + shift, count, 3, 255, to}),
                  test::Names{std::string("label_range/") + (shift % 16 == 0 ? "vec16" : "scalar")});
        found.expect(stream(), "found");
        gpu_->scratch.blocks.clear();
    };
    for (const int64_t shift : {0, 3})
        for (const int64_t count : {1, 15, 16, 17, 4097, 16384 + 5, 300 * 16384 + 9}) {
            auto labels = labels_of(count + shift);
            check(labels, shift, "nothing planted");
            for (const int64_t at : {count - 1, count / 2, int64_t(0)}) {
                labels[size_t(at + shift)] = uint8_t(200 + at % 16);
                check(labels, shift, std::to_string(at) + " of " + std::to_string(count));
            }
        }
}

}  // namespace
}  // namespace atrous::kernels
