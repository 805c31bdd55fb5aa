// Public data sets as users have them; skipped where they are not on this machine.
#include <cmath>

#include "data/dataset.h"
#include "data/loader.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

struct Expected {
    const char* folder;
    const char* rule;
    const char* val_pattern;
    size_t train, val;
    int classes;
    bool ignored;  // some pixels are
};

class RealSet : public ::testing::TestWithParam<Expected> {};

}  // namespace

TEST_P(RealSet, IsFoundCheckedAndLoaded) {
    const Expected& expected = GetParam();
    const fs::path root = shared_data() / expected.folder;
    if (!fs::is_directory(root))
        GTEST_SKIP() << root << " is not here; set ATROUS_SHARED_DATA to the folder of the sets";
    DatasetOptions options;
    options.root = root.string();
    options.val_pattern = expected.val_pattern;
    const Dataset dataset = find_dataset(options);
    EXPECT_EQ(dataset.train.size(), expected.train);
    EXPECT_EQ(dataset.val.size(), expected.val);
    EXPECT_TRUE(dataset.warnings.empty());
    const DatasetReport report = check_dataset(dataset.val, {parse_mask_rule(expected.rule), 0, 0});
    EXPECT_EQ(report.rule.class_count, expected.classes);
    EXPECT_EQ(report.ignored_pixels > 0, expected.ignored);

    LoaderOptions loading;
    loading.batch_size = 2;
    loading.resize_h = 64;
    loading.resize_w = 96;
    loading.workers = 2;
    const auto loader = make_loader(dataset.val, report.rule, loading);
    HostBatch batch;
    ASSERT_TRUE(loader->next(batch));
    EXPECT_EQ(batch.h, 64);
    EXPECT_EQ(batch.c, 3);
    for (float v : batch.images) ASSERT_TRUE(v >= 0 && v <= 1);
    for (uint8_t v : batch.labels) ASSERT_TRUE(v < expected.classes || v == ignored_class);
}

INSTANTIATE_TEST_SUITE_P(Sets, RealSet,
                         ::testing::Values(Expected{"dsb2018", "auto", "", 240, 40, 2, false},
                                           Expected{"isbi2012", "0", "", 24, 6, 2, false},
                                           Expected{"camvid_jpg100", "ids,11=ignore", "", 60, 20, 11, true},
                                           Expected{"comma10k11", "#402020,#ff0000,#808060,#00ff66,#cc00ff", "*9.png",
                                                    9, 2, 5, false},
                                           Expected{"voc", "auto", "", 47, 17, 21, true},
                                           Expected{"carvana512", "auto", "", 80, 32, 2, false},
                                           Expected{"carvana_orig32", "binary", "*_16.jpg", 30, 2, 2, false}),
                         [](const auto& info) { return std::string(info.param.folder); });

}  // namespace atrous::data::test
