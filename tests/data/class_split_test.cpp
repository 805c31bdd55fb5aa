// Splits that keep each class on both sides.
#include "data/class_split.h"

#include <set>

#include "base/philox.h"
#include "data/check_index.h"
#include "data/split.h"
#include "sets.h"

namespace atrous::data::test {
namespace {

Dataset numbered(int count) {
    Dataset dataset;
    for (int i = 0; i < count; ++i) dataset.train.push_back({"", "", "s" + std::to_string(i)});
    return dataset;
}

// Class 0 everywhere, the others in a few samples each.
SampleClasses drawn_classes(int count, int classes, uint64_t seed) {
    Random random(seed);
    SampleClasses held{size_t(count), {0}};
    for (int id = 1; id < classes; ++id)
        for (uint64_t k = 0; k < 2 + random.below(3); ++k) {
            auto& sample = held[random.below(uint64_t(count))];
            if (sample.back() != id) sample.push_back(id);
        }
    return held;
}

std::set<int> classes_of(const std::vector<Sample>& samples, const SampleClasses& held) {
    std::set<int> classes;
    for (const Sample& s : samples) {
        const auto& own = held[size_t(std::stoi(s.name.substr(1)))];
        classes.insert(own.begin(), own.end());
    }
    return classes;
}

int holders(const SampleClasses& held, int id) {
    return int(
        std::count_if(held.begin(), held.end(), [&](const auto& c) { return std::count(c.begin(), c.end(), id); }));
}

}  // namespace

// Rare classes that no sample shares are on both sides for every seed, and the part keeps its size.
TEST(ClassSplit, EachClassIsOnBothSides) {
    for (uint64_t seed = 0; seed < 40; ++seed) {
        SampleClasses held(30, {0});
        for (size_t i : {3, 11, 20}) held[i].push_back(1);
        for (size_t i : {5, 6}) held[i].push_back(2);
        Dataset dataset = numbered(30);
        split_by_fraction(dataset, 0.1, seed, "", held);
        EXPECT_EQ(classes_of(dataset.train, held), (std::set<int>{0, 1, 2})) << seed;
        EXPECT_EQ(classes_of(dataset.val, held), (std::set<int>{0, 1, 2})) << seed;
        EXPECT_EQ(dataset.val.size(), 3u) << seed;
    }
}

// Many rare classes that share samples: none is lost by training, and next to none by the other side.
TEST(ClassSplit, NoClassIsLostToTraining) {
    int lost = 0, all = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
        const SampleClasses held = drawn_classes(60, 9, seed);
        Dataset dataset = numbered(60);
        split_by_fraction(dataset, 0.2, seed, "", held);
        const auto train = classes_of(dataset.train, held), val = classes_of(dataset.val, held);
        for (int id = 0; id < 9; ++id) {
            if (holders(held, id) == 0) continue;
            EXPECT_TRUE(train.contains(id)) << seed << " class " << id;
            if (holders(held, id) < 2) continue;
            ++all;
            lost += !val.contains(id);
        }
        EXPECT_NEAR(double(dataset.val.size()), 12, 6) << seed;
    }
    EXPECT_LE(lost * 50, all) << lost << " of " << all;
}

TEST(ClassSplit, AClassOfASingleSampleIsTrainedOn) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        SampleClasses held(10, {0});
        held[4].push_back(1);
        Dataset dataset = numbered(10);
        split_by_fraction(dataset, 0.3, seed, "", held);
        EXPECT_TRUE(classes_of(dataset.train, held).contains(1)) << seed;
        EXPECT_EQ(dataset.val.size(), 3u);
    }
}

// Whatever is drawn holds a class of its own; it validates nevertheless.
TEST(ClassSplit, ASampleIsLeftToValidate) {
    for (uint64_t seed = 0; seed < 20; ++seed)
        for (const int count : {2, 10, 20}) {
            SampleClasses held(size_t(count), {0});
            for (int i = 0; i < count; ++i) held[size_t(i)].push_back(i + 1);
            Dataset dataset = numbered(count);
            split_by_fraction(dataset, 0.1, seed, "", held);
            EXPECT_FALSE(dataset.val.empty()) << count << " samples, seed " << seed;
            EXPECT_FALSE(dataset.train.empty());
        }
}

// What is drawn is changed no more than it must be, and the same seed draws the same.
TEST(ClassSplit, KeepsADrawThatHasEachClassOnBothSides) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
        SampleClasses held(40, {0, 1});
        Dataset plain = numbered(40), by_class = numbered(40), again = numbered(40);
        split_by_fraction(plain, 0.25, seed);
        split_by_fraction(by_class, 0.25, seed, "", held);
        EXPECT_EQ(names(plain.val), names(by_class.val));
        held[7].push_back(2), held[8].push_back(2);
        split_by_fraction(again, 0.25, seed, "", held);
        std::set<std::string> changed;
        for (const auto& name : names(again.val)) changed.insert(name);
        for (const auto& name : names(plain.val)) changed.erase(name);
        EXPECT_LE(changed.size(), 1u);
    }
}

TEST(ClassSplit, EachFoldHasAClassOfAsManySamples) {
    SampleClasses held(50, {0});
    for (size_t i : {1, 2, 3, 4, 5}) held[i].push_back(1);
    for (size_t i : {1, 2, 8}) held[i].push_back(2);
    std::multiset<std::string> validated;
    int folds_with_two = 0;
    for (int k = 1; k <= 5; ++k) {
        Dataset dataset = numbered(50);
        split_by_fold(dataset, std::to_string(k) + "/5", 3, "", held);
        EXPECT_TRUE(classes_of(dataset.val, held).contains(1)) << k;
        EXPECT_TRUE(classes_of(dataset.train, held).contains(2)) << k;
        folds_with_two += classes_of(dataset.val, held).contains(2);
        EXPECT_EQ(dataset.val.size(), 10u);
        for (const auto& name : names(dataset.val)) validated.insert(name);
    }
    EXPECT_EQ(folds_with_two, 3);
    EXPECT_EQ(validated.size(), 50u);
    EXPECT_EQ(std::set<std::string>(validated.begin(), validated.end()).size(), 50u) << "a partition";
}

TEST(ClassSplit, GroupsStayTogether) {
    const std::vector<ClassGroup> groups{{4, {0, 1}}, {4, {0}}, {4, {0, 1}}, {4, {0}}, {4, {0}}};
    std::vector<bool> validates{false, true, false, false, false};
    keep_classes_on_both_sides(groups, validates);
    EXPECT_EQ(validates, (std::vector<bool>{true, false, false, false, false}));
    std::vector<bool> nothing(5, false);
    keep_classes_on_both_sides(groups, nothing);
    EXPECT_EQ(nothing, std::vector<bool>(5, false)) << "`val-fraction` 0 stays so";
}

// From masks on disk, for each seed; the masks are read once for the split and the check.
TEST(ClassSplit, FollowsFromMasks) {
    TempDir dir;
    flat(dir, 12);
    for (int i = 0; i < 12; ++i) {
        Image mask = make_image<uint8_t>(6, 8, 1);
        if (i == 2 || i == 9) mask.u8[3] = 255;
        save_png(dir / ("masks/" + std::string(1, char('a' + i)) + std::to_string(i) + ".png"), mask);
    }
    int lacking = 0;
    for (int64_t seed = 0; seed < 8; ++seed)
        for (const bool by_class : {false, true}) {
            DatasetOptions options{.root = dir.path().string(), .val_fraction = 0.1, .seed = seed};
            options.split_by_class = by_class;
            CheckIndex index("");
            CheckOptions looking{.index = &index};
            Dataset dataset = find_dataset(options, looking);
            EXPECT_TRUE(dataset.drawn_split);
            EXPECT_EQ(index.added(), by_class ? 12 : 0);
            std::vector<Sample> all = dataset.train;
            all.insert(all.end(), dataset.val.begin(), dataset.val.end());
            looking.train_count = int64_t(dataset.train.size());
            looking.drawn_split = dataset.drawn_split;
            const DatasetReport report = check_dataset(all, looking);
            if (by_class) {
                EXPECT_EQ(index.added(), 12) << "no mask is decoded twice";
                EXPECT_EQ(report.val_with[1], 1) << seed;
                EXPECT_EQ(report.train_with[1], 1) << seed;
                EXPECT_TRUE(report.warnings.empty()) << report.warnings[0];
            } else if (!report.warnings.empty()) {
                ++lacking;
                EXPECT_NE(report.warnings[0].find("`split-by-class`"), std::string::npos) << report.warnings[0];
            }
        }
    EXPECT_GT(lacking, 0);
}

// Ids with gaps are ids where the set names as many classes, before the split as after it.
TEST(ClassSplit, NamesOfTheSetTellIdsFromLevels) {
    TempDir dir;
    flat(dir, 6);
    for (int i = 0; i < 6; ++i) {
        Image mask = make_image<uint8_t>(6, 8, 1);
        mask.u8[0] = 7, mask.u8[1] = 90;
        save_png(dir / ("masks/" + std::string(1, char('a' + i)) + std::to_string(i) + ".png"), mask);
    }
    std::string lines;
    for (int id = 0; id < 100; ++id) lines += "class" + std::to_string(id) + "\n";
    write_text(dir / "class_names.txt", lines);
    for (const bool by_class : {false, true}) {
        DatasetOptions options{.root = dir.path().string()};
        options.split_by_class = by_class;
        EXPECT_EQ(find_dataset(options).val.size(), 1u) << by_class;
    }
}

// The check says why; the split by class says nothing of masks it could not see, and keeps what it found out.
TEST(ClassSplit, LeavesFaultsToTheCheck) {
    TempDir dir, cache;
    flat(dir, 3);
    const std::string file = cache / "a.index";
    DatasetOptions options{.root = dir.path().string()};
    options.split_by_class = true;
    for (const char* name : {"a0", "b1"}) fs::resize_file(dir / ("images/" + std::string(name) + ".jpg"), 20);
    {
        CheckIndex index(file);
        find_dataset(options, {.index = &index});
    }
    CheckIndex index(file);
    find_dataset(options, {.index = &index});
    EXPECT_EQ(index.added(), 0) << "the good one is known";
    fs::resize_file(dir / "images/c2.jpg", 20);
    const Dataset dataset = find_dataset(options);
    EXPECT_EQ(dataset.val.size(), 1u);
    expect_error([&] { check_dataset(dataset.train, {}); }, {"2 of 2 samples have problems"});
}

}  // namespace atrous::data::test
