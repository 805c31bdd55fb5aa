// Mosaic and copy-paste: what they take from other samples, and that labels and draws follow.
#include <map>
#include <set>

#include "data/augmentation.h"
#include "data/loader.h"
#include "data/prepare.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

// Sample i of n has the value 10 i + class everywhere, and the left half of it is of class 1, of sample 3 of class 2.
Example solid(int64_t i, int64_t h = 8, int64_t w = 12) {
    Example e;
    e.image = make_image<uint8_t>(h, w, 3);
    e.labels = make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const int label = p % w < w / 2 ? (i == 3 ? 2 : 1) : 0;
        e.labels.u8[size_t(p)] = uint8_t(label);
        for (int64_t c = 0; c < 3; ++c) e.image.u8[size_t(3 * p + c)] = uint8_t(10 * i + label);
    }
    e.source_h = h, e.source_w = w;
    return e;
}

LoaderOptions mixing(std::initializer_list<std::pair<std::string, std::string>> values) {
    LoaderOptions o;
    o.augment = true;
    o.seed = 7;
    o.augmentations = values;
    return o;
}

const MixedSamples six{6, [](int64_t i) { return solid(i); }};

Example mixed(const LoaderOptions& o, int64_t index, int64_t epoch = 0, const MixedSamples& of = six) {
    Example e = of.decoded(index);
    finish_augmented(e, o, epoch, index, of);
    return e;
}

int sample_at(const Example& e, int64_t p) { return e.image.u8[size_t(3 * p)] / 10; }

// Every pixel is one of a sample, with its label.
void expect_whole_pixels(const Example& e) {
    for (int64_t p = 0; p < e.image.h * e.image.w; ++p) {
        ASSERT_EQ(e.image.u8[size_t(3 * p)] % 10, e.labels.u8[size_t(p)]) << "pixel " << p;
        ASSERT_EQ(e.image.u8[size_t(3 * p)], e.image.u8[size_t(3 * p + 2)]);
    }
}

}  // namespace

TEST(Mosaic, FillsFourPartsFromTheSampleAndOthers) {
    const LoaderOptions o = mixing({{"mosaic", "1"}});
    std::set<int> seen;
    std::set<std::pair<int64_t, int64_t>> points;
    for (int64_t epoch = 0; epoch < 40; ++epoch) {
        const Example e = mixed(o, 2, epoch);
        ASSERT_EQ(e.image.h, 8);
        ASSERT_EQ(e.image.w, 12);
        expect_whole_pixels(e);
        EXPECT_EQ(sample_at(e, 0), 2) << "its own part is the first";
        for (const int64_t corner : {11, 7 * 12, 7 * 12 + 11}) {
            EXPECT_NE(sample_at(e, corner), 2) << "the others are of others";
            seen.insert(sample_at(e, corner));
        }
        int64_t x = 0, y = 0;
        while (x < 12 && sample_at(e, x) == 2) ++x;
        while (y < 8 && sample_at(e, 12 * y) == 2) ++y;
        EXPECT_TRUE(x >= 3 && x <= 9 && y >= 2 && y <= 6) << x << " " << y << ": the middle half";
        points.insert({x, y});
    }
    EXPECT_EQ(seen, (std::set<int>{0, 1, 3, 4, 5}));
    EXPECT_GT(points.size(), 10u);
}

TEST(CopyPaste, LaysTheClassesOfAnotherSampleOver) {
    const LoaderOptions o = mixing({{"copy-paste", "1"}});
    std::set<int> from;
    for (int64_t epoch = 0; epoch < 30; ++epoch) {
        const Example e = mixed(o, 2, epoch);
        expect_whole_pixels(e);
        for (int64_t p = 0; p < 8 * 12; ++p)
            EXPECT_EQ(sample_at(e, p) == 2, p % 12 >= 6) << "pixel " << p << ": class 0 is not pasted";
        from.insert(sample_at(e, 0));
    }
    EXPECT_EQ(from, (std::set<int>{0, 1, 3, 4, 5}));
}

TEST(CopyPaste, TakesTheNamedClassesAloneAndLooksForThem) {
    const LoaderOptions o = mixing({{"copy-paste", "1"}, {"copy-paste-classes", "2"}});
    int pasted = 0;
    constexpr int epochs = 200;
    for (int64_t epoch = 0; epoch < epochs; ++epoch) {
        const Example e = mixed(o, 2, epoch);
        expect_whole_pixels(e);
        EXPECT_TRUE(sample_at(e, 0) == 2 || sample_at(e, 0) == 3) << "sample 3 alone has the class";
        pasted += sample_at(e, 0) == 3;
    }
    // One of five others has it: 1 - 0.8^5 = 0.67 of five draws. Four standard deviations are 0.13.
    EXPECT_NEAR(double(pasted) / epochs, 0.67, 0.13);
}

// Beyond a letterboxed image an object would lie over nothing.
// Of labels 0 to 7 on the left half of sample 1 those with bit 1 lie over sample 0, whichever other bits they have.
TEST(CopyPaste, TakesEveryLabelWithTheBitOfTheClass) {
    const LoaderOptions o = mixing({{"copy-paste", "1"}, {"copy-paste-classes", "1"}});
    const MixedSamples two{2, [](int64_t i) {
                               Example e = solid(i);
                               e.form = LabelForm::bits;
                               for (int64_t p = 0; p < 96; ++p) e.labels.u8[size_t(p)] = i ? uint8_t(p % 8) : 0;
                               return e;
                           }};
    const Example e = mixed(o, 0, 0, two);
    for (int64_t p = 0; p < 96; ++p) {
        const bool pasted = p % 8 & 2;
        EXPECT_EQ(e.labels.u8[size_t(p)], pasted ? p % 8 : 0) << "pixel " << p;
        EXPECT_EQ(sample_at(e, p), pasted ? 1 : 0) << "pixel " << p;
    }
}

TEST(CopyPaste, NothingLiesOverIgnoredPixels) {
    const MixedSamples bordered{2, [](int64_t i) {
                                    Example e = solid(i);
                                    for (int64_t p = 0; i == 0 && p < 2 * 12; ++p) e.labels.u8[size_t(p)] = 255;
                                    return e;
                                }};
    const Example e = mixed(mixing({{"copy-paste", "1"}}), 0, 0, bordered);
    for (int64_t p = 0; p < 2 * 12; ++p) {
        EXPECT_EQ(e.labels.u8[size_t(p)], 255);
        EXPECT_EQ(sample_at(e, p), 0);
    }
    EXPECT_EQ(sample_at(e, 2 * 12), 1) << "below them it is pasted";
}

TEST(CopyPaste, IgnoredPixelsAreNeverPasted) {
    const MixedSamples ignored{2, [](int64_t i) {
                                   Example e = solid(i);
                                   if (i == 1) std::fill(e.labels.u8.begin(), e.labels.u8.end(), uint8_t(255));
                                   return e;
                               }};
    const Example e = mixed(mixing({{"copy-paste", "1"}}), 0, 0, ignored);
    EXPECT_EQ(e.image.u8, solid(0).image.u8);
    EXPECT_EQ(e.labels.u8, solid(0).labels.u8);
}

TEST(Mixing, ProbabilitiesAreWhatTheySay) {
    for (const char* key : {"mosaic", "copy-paste"}) {
        const LoaderOptions o = mixing({{key, "0.3"}});
        int changed = 0;
        for (int64_t epoch = 0; epoch < 300; ++epoch) changed += mixed(o, 2, epoch).image.u8 != solid(2).image.u8;
        EXPECT_NEAR(changed / 300., 0.3, 0.11) << key << ": four standard deviations";
    }
}

TEST(Mixing, OneSampleOrNoneKnownOrOfAnotherKindStaysAsItIs) {
    const LoaderOptions o = mixing({{"mosaic", "1"}, {"copy-paste", "1"}});
    const MixedSamples one{1, [](int64_t i) { return solid(i); }};
    const MixedSamples deep{2, [](int64_t i) {
                                Example e = solid(i);
                                if (i == 1) {
                                    e.image.u16.assign(e.image.u8.begin(), e.image.u8.end());
                                    e.image.u8.clear();
                                }
                                return e;
                            }};
    EXPECT_EQ(mixed(o, 0, 0, one).image.u8, solid(0).image.u8);
    Example alone = solid(0);
    finish_augmented(alone, o, 0, 0);
    EXPECT_EQ(alone.image.u8, solid(0).image.u8);
    const Example pasted = mixed(mixing({{"copy-paste", "1"}}), 0, 0, deep);
    EXPECT_EQ(pasted.image.u8, solid(0).image.u8) << "16 bits have no place among 8";
}

// Other draws stay as they are: the sample's own crop, flips and colours are those of a training without mixing.
TEST(Mixing, OthersHaveDrawsOfTheirOwnAndTakeNone) {
    LoaderOptions plain = mixing({{"scale", "0.5 2"}, {"hflip", "0.5"}});
    plain.crop_h = plain.crop_w = 8;
    LoaderOptions pasting = plain;
    pasting.augmentations.set("copy-paste", "1");
    std::set<std::vector<uint8_t>> sources;
    for (int64_t epoch = 0; epoch < 20; ++epoch) {
        const Example without = mixed(plain, 2, epoch), with = mixed(pasting, 2, epoch);
        ASSERT_EQ(with.image.h, 8);
        for (int64_t p = 0; p < 64; ++p)
            if (with.labels.u8[size_t(p)] == 0) {
                ASSERT_EQ(with.image.u8[size_t(3 * p)], without.image.u8[size_t(3 * p)]) << epoch;
            }
        std::vector<uint8_t> shape;  // of what was pasted: it varies with the other's own scale and crop
        for (int64_t p = 0; p < 64; ++p) shape.push_back(with.labels.u8[size_t(p)] != without.labels.u8[size_t(p)]);
        sources.insert(shape);
    }
    EXPECT_GT(sources.size(), 5u);
}

TEST(Mixing, ClassesThatThereAreNotAreRefused) {
    Augmentations a{{"copy-paste", "0.5"}, {"copy-paste-classes", "1 4"}};
    EXPECT_NO_THROW(check_classes(a, 5));
    expect_error<UsageError>([&] { check_classes(a, 4); }, {"`copy-paste-classes` 4", "4 classes, 0 to 3"});
    a.set("copy-paste", "0");
    EXPECT_NO_THROW(check_classes(a, 2)) << "they change nothing";
    EXPECT_EQ(without_plan(Augmentations{{"mosaic", "0.5"}}), "mosaic") << "the host augments";
}

// ---- through the loader: of files, letterboxed, with any number of workers ----

namespace {

struct MixedBatches : ::testing::Test {
    TempDir dir;
    std::vector<Sample> samples;
    MaskRule rule = parse_mask_rule("ids");
    LoaderOptions options = mixing({{"mosaic", "0.5"}, {"copy-paste", "0.5"}, {"scale", "0.7 1.3"}, {"hflip", "0.5"}});

    MixedBatches() {
        for (int i = 0; i < 6; ++i) {
            const Example e = solid(i, 8 + i, 12);  // of several sizes
            const std::string stem = dir / std::to_string(i);
            save_png(stem + ".png", e.image);
            save_png(stem + "_mask.png", e.labels);
            samples.push_back({stem + ".png", stem + "_mask.png", std::to_string(i)});
        }
        rule.class_count = 3;
        options.batch_size = 4;
        options.shuffle = true;
        options.fit = [](ImageSize image) { return fit(ResizeMode::letterbox, image, {16, 16}); };
        options.crop_h = options.crop_w = 16;
    }
    std::vector<HostBatch> epoch(int workers, int64_t cache, int64_t number = 3) const {
        LoaderOptions o = options;
        o.workers = workers, o.cache_bytes = cache;
        const auto loader = make_loader(samples, rule, o);
        loader->start_epoch(number, 0);
        std::vector<HostBatch> batches;
        for (HostBatch b; loader->next(b);) batches.push_back(b);
        return batches;
    }
};

}  // namespace

TEST_F(MixedBatches, AreTheSameWithAnyWorkersAndAnyCache) {
    const auto expected = epoch(0, 0);
    ASSERT_EQ(expected.size(), 2u);
    for (const int workers : {0, 1, 3})
        for (const int64_t cache : {0, 700, 1 << 20}) {  // none, one sample, all
            const auto found = epoch(workers, cache);
            ASSERT_EQ(found.size(), expected.size());
            for (size_t i = 0; i < found.size(); ++i) {
                EXPECT_EQ(found[i].images, expected[i].images) << workers << " workers, cache " << cache;
                EXPECT_EQ(found[i].labels, expected[i].labels);
            }
        }
    EXPECT_NE(epoch(0, 0, 4)[0].labels, expected[0].labels) << "another epoch draws others";
}

TEST_F(MixedBatches, AreWhatLoadSampleGives) {
    for (const HostBatch& batch : epoch(0, 0))
        for (int64_t i = 0; i < batch.n; ++i) {
            const Example e = load_sample(samples, rule, options, 3, batch.indices[size_t(i)]);
            EXPECT_TRUE(std::equal(e.labels.u8.begin(), e.labels.u8.end(), batch.labels.begin() + i * 256));
        }
}

// The samples are those of the loader: a training's loader has no other.
TEST_F(MixedBatches, AnotherSampleThatCannotBeReadIsNamed) {
    options.augmentations = {{"mosaic", "1"}};
    std::filesystem::remove(samples[5].image_path);
    LoaderOptions o = options;
    o.batch_size = 1, o.shuffle = false;
    const auto loader = make_loader(samples, rule, o);
    HostBatch batch;
    bool named = false;
    for (int i = 0; i < 5; ++i) try {
            loader->next(batch);
        } catch (const Error& e) {
            named = named || std::string(e.what()).find("5.png") != std::string::npos;
        }
    EXPECT_TRUE(named);
}

}  // namespace atrous::data::test
