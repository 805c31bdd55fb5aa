// What is kept of a check: a second one decodes nothing, and nothing that changed is taken for what it was.
#include "data/check_index.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <thread>

#include "data/drawn_mask.h"
#include "sets.h"

namespace atrous::data::test {
namespace {

struct Checked {
    DatasetReport report;
    int64_t looked_at = 0;  // samples that were decoded
    std::vector<std::string> warnings;
};

Checked check(const std::vector<Sample>& samples, const std::string& file, const std::string& rule = "auto") {
    CheckIndex index(file);
    Checked checked;
    checked.report = check_dataset(samples, {.rule = parse_mask_rule(rule), .index = &index});
    checked.looked_at = index.added();
    checked.warnings = index.warnings();
    return checked;
}

std::vector<Sample> samples_in(const TempDir& dir) {
    return find(dir, [](auto& o) { o.val_fraction = 0; }).train;
}

void damage(const std::string& path, const std::function<void(std::vector<uint8_t>&)>& change) {
    std::vector<uint8_t> bytes = read_file(path);
    change(bytes);
    write_file(path, bytes);
}

}  // namespace

TEST(CheckIndex, ASecondCheckDecodesNothingAndSaysTheSame) {
    TempDir dir, cache;
    flat(dir, 6);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    const Checked first = check(samples, file), second = check(samples, file);
    EXPECT_EQ(first.looked_at, 6);
    EXPECT_EQ(second.looked_at, 0);
    EXPECT_EQ(first.report.text(), second.report.text());
    EXPECT_EQ(check_dataset(samples, {}).text(), second.report.text()) << "as without an index";
}

// The values of a mask are kept, not its classes: another rule needs no other look. `auto` also counts pieces.
TEST(CheckIndex, AnotherRuleIsAnsweredFromTheSameFacts) {
    TempDir dir, cache;
    flat(dir, 4);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    check(samples, file, "auto");
    for (const std::string rule : {"binary", "binary:255", "0", "0=1,255=ignore", "#000000,#ffffff"}) {
        const Checked kept = check(samples, file, rule);
        EXPECT_EQ(kept.looked_at, 0) << rule;
        EXPECT_EQ(kept.report.text(), check_dataset(samples, {.rule = parse_mask_rule(rule)}).text()) << rule;
    }
}

TEST(CheckIndex, ManyValuesAreKeptForTheirRuleAlone) {
    TempDir dir, cache;
    add_image(dir / "images/a.png", 10, 30);
    Image mask = make_image<uint8_t>(10, 30, 1);
    for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = uint8_t(i * 7);
    save_png(dir / "masks/a.png", mask);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    EXPECT_EQ(check(samples, file, "binary:100").looked_at, 1);
    EXPECT_EQ(check(samples, file, "binary:100").looked_at, 0);
    const Checked other = check(samples, file, "binary:50");
    EXPECT_EQ(other.looked_at, 1);
    EXPECT_EQ(other.report.text(), check_dataset(samples, {.rule = parse_mask_rule("binary:50")}).text());
}

// A file of the same size with the time of before, as `cp -p` and archives leave it, is another file.
TEST(CheckIndex, AChangedFileIsLookedAtAgain) {
    TempDir dir, cache;
    flat(dir, 3);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index", path = samples[1].mask_path;
    EXPECT_EQ(check(samples, file).looked_at, 3);
    struct stat before;
    ASSERT_EQ(::stat(path.c_str(), &before), 0);
    Image none = make_image<uint8_t>(6, 8, 1);
    save_png(path, none);
    EXPECT_EQ(check(samples, file).looked_at, 1);
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    const Checked back = check(samples, file);
    EXPECT_EQ(back.looked_at, 1);
    EXPECT_EQ(back.report.samples_with[1], 2);
}

TEST(CheckIndex, ADamagedFileIsOneWarningAndIsReplaced) {
    TempDir dir, cache;
    flat(dir, 5);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    check(samples, file);
    const size_t size = read_file(file).size();
    const std::function<void(std::vector<uint8_t>&)> damages[] = {
        [](auto& b) { b.clear(); },      [](auto& b) { b.resize(b.size() / 2); },
        [](auto& b) { b.resize(20); },   [](auto& b) { b[b.size() - 3] ^= 1; },
        [](auto& b) { b[40] ^= 64; },    [](auto& b) { b[0] = 'x'; },
        [](auto& b) { b[17] ^= 1; },  // the number of entries
        [](auto& b) { b.push_back(0); },
    };
    for (const auto& change : damages) {
        damage(file, change);
        const Checked again = check(samples, file);
        EXPECT_EQ(again.looked_at, 5);
        ASSERT_EQ(again.warnings.size(), 1u);
        EXPECT_NE(again.warnings[0].find("checked anew"), std::string::npos) << again.warnings[0];
        EXPECT_EQ(read_file(file).size(), size);
        EXPECT_EQ(check(samples, file).looked_at, 0);
    }
    damage(file, [](auto& b) { b[8] = 99; });  // a later version
    const Checked later = check(samples, file);
    EXPECT_EQ(later.looked_at, 5);
    EXPECT_TRUE(later.warnings.empty());
}

// Whatever lies there, the answer is that of the images, and the file is good afterwards.
static void expect_checked_anew(const std::vector<Sample>& samples, const std::string& file, const std::string& what) {
    const Checked again = check(samples, file);
    EXPECT_EQ(again.looked_at, int64_t(samples.size())) << what;
    EXPECT_LE(again.warnings.size(), 1u) << what;
    EXPECT_EQ(check(samples, file).looked_at, 0) << what;
}

TEST(CheckIndex, NoByteOfItsHeaderIsTrusted) {
    TempDir dir, cache;
    flat(dir, 2);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    check(samples, file);
    for (size_t at = 0; at < 40; ++at)
        for (const uint8_t bits : {1, 0x80, 0xff}) {
            damage(file, [&](auto& b) { b[at] ^= bits; });
            expect_checked_anew(samples, file, "byte " + std::to_string(at));
        }
    const std::vector<uint8_t> good = read_file(file);
    for (size_t size = 0; size < good.size(); ++size) {
        write_file(file, std::span(good).first(size));
        const Checked again = check(samples, file);
        EXPECT_EQ(again.looked_at, 2) << size;
        EXPECT_EQ(again.warnings.size(), 1u) << size;
    }
}

// No memory is taken for it: it is larger than the machine's.
TEST(CheckIndex, AHugeForeignFileIsReplaced) {
    TempDir dir, cache;
    flat(dir, 2);
    const auto samples = samples_in(dir);
    const std::string file = cache / "a.index";
    write_text(file, "somebody else's");
    fs::resize_file(file, uintmax_t(1) << 42);
    expect_checked_anew(samples, file, "foreign");
    fs::resize_file(file, uintmax_t(3) << 30);
    expect_checked_anew(samples, file, "longer than it says");
}

// Two trainings of one folder with different rules, turn about.
TEST(CheckIndex, RulesDoNotReplaceEachOthersFacts) {
    TempDir dir, cache;
    add_image(dir / "images/a.png", 10, 30);
    Image mask = make_image<uint8_t>(10, 30, 1);
    for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = uint8_t(i * 7);
    save_png(dir / "masks/a.png", mask);
    const auto samples = samples_in(dir);
    for (const int64_t looked_at : {1, 0})
        for (const std::string rule : {"binary:100", "binary:50"})
            EXPECT_EQ(check(samples, cache / "a.index", rule).looked_at, looked_at) << rule;
}

// Of a file that is mostly of samples long gone, those are dropped that nobody asked for.
TEST(CheckIndex, WhatWasAskedForStays) {
    TempDir cache;
    const std::string file = cache / "a.index";
    SampleFacts facts;
    facts.image.h = facts.image.w = 4;
    facts.all_values = true;
    facts.instances = 0;
    CheckIndex many(file);
    for (uint64_t name = 1; name <= 10001; ++name) many.add({name, 1}, {}, facts);
    many.save();
    CheckIndex next(file);
    EXPECT_TRUE(next.find({5, 1}, {}));
    next.add({20000, 1}, {}, facts);
    next.save();
    CheckIndex last(file);
    EXPECT_TRUE(last.find({5, 1}, {}));
    EXPECT_TRUE(last.find({20000, 1}, {}));
    EXPECT_FALSE(last.find({6, 1}, {}));
}

TEST(CheckIndex, AFolderThatCannotBeWrittenToIsAWarning) {
    TempDir dir, cache;
    flat(dir, 2);
    write_text(cache / "file", "no folder");
    const Checked checked = check(samples_in(dir), cache / "file" + "/checks/a.index");
    EXPECT_EQ(checked.report.samples, 2);
    ASSERT_EQ(checked.warnings.size(), 1u);
    EXPECT_NE(checked.warnings[0].find("`check-cache`"), std::string::npos) << checked.warnings[0];
}

// Each adds what the other lacks, whoever comes last.
TEST(CheckIndex, TwoProcessesLoseNothing) {
    TempDir dir, cache;
    flat(dir, 8);
    const auto samples = samples_in(dir);
    const std::vector<Sample> some(samples.begin(), samples.begin() + 4), others(samples.begin() + 4, samples.end());
    const std::string file = cache / "a.index";
    CheckIndex one(file), two(file);
    check_dataset(some, {.rule = {}, .index = &one});
    check_dataset(others, {.rule = {}, .index = &two});
    EXPECT_EQ(check(samples, file).looked_at, 0);
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) threads.emplace_back([&, t] { check({samples[size_t(t)]}, cache / "b.index"); });
    threads.clear();
    EXPECT_EQ(check(samples, cache / "b.index").looked_at, 4);
}

TEST(CheckIndex, SamplesWithProblemsAreLookedAtEachTime) {
    TempDir dir, cache;
    flat(dir, 2);
    write_text(dir / "images/a0.jpg", "no image");
    const auto samples = samples_in(dir);
    for (int i = 0; i < 2; ++i) expect_error([&] { check(samples, cache / "a.index"); }, {"a0.jpg"});
    CheckIndex index(cache / "a.index");
    look_at_samples(samples, {}, 1, {}, &index);
    EXPECT_EQ(index.added(), 0) << "the good one is known";
}

TEST(CheckIndex, DrawnMasksAreKnownByWhatTheyDraw) {
    TempDir dir, cache;
    add_image(dir / "a.png", 20, 20);
    const auto sample = [&](double x) {
        DrawnMask mask;
        mask.drawings.push_back({.id = 1, .rings = {{{x, 2}, {12, 2}, {12, 12}}}});
        return std::vector<Sample>{{dir / "a.png", "list, line 1", "a", drawn_mask(mask)}};
    };
    EXPECT_EQ(check(sample(2), cache / "a.index").looked_at, 1);
    EXPECT_EQ(check(sample(2), cache / "a.index").looked_at, 0);
    EXPECT_EQ(check(sample(3), cache / "a.index").looked_at, 1);
    class Unknown : public MaskSource {
        RawMask draw(int64_t h, int64_t w, const std::string&) const override {
            RawMask mask{make_image<uint8_t>(h, w, 1), {}};
            mask.image.u8[0] = 1;
            return mask;
        }
    };
    const std::vector<Sample> unknown{{dir / "a.png", "elsewhere", "a", std::make_shared<Unknown>()}};
    check(unknown, cache / "a.index");
    CheckIndex index(cache / "a.index");
    EXPECT_FALSE(index.find(key_of(unknown[0]), {})) << "a source of somebody else's that says no fingerprint";
}

TEST(CheckIndex, LiesInTheCacheFolderOrWhereTheSettingSays) {
    EXPECT_EQ(check_index_file("none", "/data"), "");
    EXPECT_TRUE(check_index_file("/x", "/data").starts_with("/x/"));
    EXPECT_EQ(check_index_file("/x", "/data"), check_index_file("/x", "/data/../data/")) << "one folder, one file";
    EXPECT_NE(check_index_file("/x", "/data"), check_index_file("/x", "/date"));
}

}  // namespace atrous::data::test
