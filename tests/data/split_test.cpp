// What validates: by groups, folds and counting. (By fraction, pattern and list: dataset_test.cpp.)
#include "data/split.h"

#include <set>

#include "sets.h"

namespace atrous::data::test {
namespace {

Dataset numbered(int count, const std::string& format) {
    Dataset dataset;
    for (int i = 0; i < count; ++i) {
        char name[64];
        std::snprintf(name, sizeof name, format.c_str(), i / 4, i % 4);
        dataset.train.push_back({"", "", name});
    }
    return dataset;
}

std::set<std::string> groups(const std::vector<Sample>& samples) {
    std::set<std::string> found;
    for (const Sample& s : samples) found.insert(s.name.substr(0, s.name.find('_')));
    return found;
}

}  // namespace

// Four images a patient: no patient is on both sides, whichever way the split is drawn.
TEST(Split, GroupsStayTogether) {
    for (const int64_t seed : {0, 1, 2})
        for (const bool folds : {false, true}) {
            Dataset dataset = numbered(40, "patient%02d_slice%d");
            if (folds)
                split_by_fold(dataset, "2/5", uint64_t(seed), "^([^_]+)_");
            else
                split_by_fraction(dataset, 0.2, uint64_t(seed), "^([^_]+)_");
            EXPECT_EQ(dataset.val.size(), 8u) << "two patients of ten";
            for (const std::string& patient : groups(dataset.val))
                EXPECT_FALSE(groups(dataset.train).contains(patient)) << patient;
        }
}

// Without groups a fraction validates on the samples that it did before there were any.
TEST(Split, AGroupForEachSampleIsNoGroup) {
    Dataset alone = numbered(40, "p%02d_s%d"), each = alone;
    split_by_fraction(alone, 0.25, 3);
    split_by_fraction(each, 0.25, 3, "^.*$");
    EXPECT_EQ(names(alone.val), names(each.val));
}

// Every sample validates in exactly one of the folds, which differ by at most one in size.
TEST(Split, FoldsAreAPartition) {
    std::multiset<std::string> validated;
    for (int k = 1; k <= 5; ++k) {
        Dataset dataset = numbered(43, "p%02d_s%d");
        split_by_fold(dataset, std::to_string(k) + "/5", 7);
        EXPECT_EQ(dataset.train.size() + dataset.val.size(), 43u);
        EXPECT_GE(dataset.val.size(), 8u);
        EXPECT_LE(dataset.val.size(), 9u);
        for (const Sample& s : dataset.val) validated.insert(s.name);
    }
    EXPECT_EQ(validated.size(), 43u);
    EXPECT_EQ(std::set<std::string>(validated.begin(), validated.end()).size(), 43u);
}

TEST(Split, EveryTenthIsTheFirstOfTen) {
    Dataset dataset = numbered(25, "p%02d_s%d");
    const auto all = names(dataset.train);
    split_by_count(dataset, 10);
    EXPECT_EQ(names(dataset.val), (Names{all[0], all[10], all[20]}));
    EXPECT_EQ(dataset.train.size(), 22u);
}

TEST(Split, WhatCannotBeSplitIsRefused) {
    const auto drawn = [](const std::string& fold, const std::string& pattern) {
        return [=] {
            Dataset dataset = numbered(8, "p%02d_s%d");
            split_by_fold(dataset, fold, 0, pattern);
        };
    };
    for (const char* bad : {"", "5", "0/5", "6/5", "1/1", "1/5x", "-1/5", "a/b"})
        expect_error<UsageError>(drawn(bad, ""), {"`fold`", "2/5"});
    expect_error<UsageError>(drawn("1/2", "("), {"`group-pattern`", "regular expression"});
    expect_error(drawn("1/3", "^([^_]+)_"), {"only 2 groups"});
    expect_error(drawn("1/9", ""), {"only 8 samples"});
    expect_error(drawn("1/2", "^(p)"), {"`group-pattern`", "one group"});
    expect_error(drawn("1/2", "^(x)"), {"`group-pattern`", "matches none", "p00_s0"});
}

TEST(Split, OneWayAtATime) {
    TempDir dir;
    flat(dir, 6);
    const Dataset every = find(dir, [](auto& o) { o.val_every = 3; });
    EXPECT_EQ(names(every.val), (Names{"images/a0", "images/d3"}));
    EXPECT_EQ(find(dir, [](auto& o) { o.fold = "1/3"; }).val.size(), 2u);
    expect_error<UsageError>([&] { find(dir, [](auto& o) { o.fold = "1/3", o.val_every = 3; }); },
                             {"`fold` and `val-every`", "give one"});
    expect_error<UsageError>(
        [&] {
            find(dir, [](auto& o) { o.fold = "1/3", o.images = "images", o.masks = "masks", o.val_images = "images"; });
        },
        {"`fold` and `val-images`"});
}

}  // namespace atrous::data::test
