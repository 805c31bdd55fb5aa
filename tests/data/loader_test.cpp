// Batches: the same whatever the number of workers, exact in content, and honest about failures.
#include "data/loader.h"

#include <atomic>
#include <set>

#include "data/transform.h"
#include "fixtures.h"

namespace atrous::data::test {

namespace {

// Eleven images whose red channel is the label's value times 100 and whose other channels vary.
class LoaderTest : public ::testing::Test {
 protected:
    LoaderTest() {
        for (int i = 0; i < 11; ++i) {
            Image image = pattern(12, 16, 3), mask = make_image<uint8_t>(12, 16, 1);
            for (size_t p = 0; p < mask.u8.size(); ++p) {
                mask.u8[p] = uint8_t((p * p + size_t(i)) % 3 == 0);
                image.u8[3 * p] = uint8_t(mask.u8[p] * 100);
                image.u8[3 * p + 1] = uint8_t(i * 20);
            }
            const std::string name = "s" + std::to_string(i);
            save_png(dir_ / (name + ".png"), image);
            save_png(dir_ / (name + "_mask.png"), mask);
            samples_.push_back({dir_ / (name + ".png"), dir_ / (name + "_mask.png"), name});
        }
        rule_ = parse_mask_rule("ids");
        rule_.class_count = 2;
        options_.batch_size = 3;
        options_.shuffle = true;
        options_.seed = 42;
    }
    std::vector<HostBatch> epoch(const LoaderOptions& options, int64_t epoch, int64_t first = 0) {
        auto loader = make_loader(samples_, rule_, options);
        loader->start_epoch(epoch, first);
        return drain(*loader);
    }
    static std::vector<HostBatch> drain(BatchSource& loader) {
        std::vector<HostBatch> batches;
        for (HostBatch batch; loader.next(batch);) batches.push_back(batch);
        return batches;
    }
    static void expect_equal(const std::vector<HostBatch>& a, const std::vector<HostBatch>& b) {
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) {
            EXPECT_EQ(a[i].images, b[i].images) << i;
            EXPECT_EQ(a[i].labels, b[i].labels) << i;
            EXPECT_EQ(a[i].names, b[i].names) << i;
            EXPECT_EQ(a[i].indices, b[i].indices) << i;
            EXPECT_EQ(a[i].h, b[i].h);
            EXPECT_EQ(a[i].w, b[i].w);
        }
    }
    LoaderOptions augmented() const {
        LoaderOptions o = options_;
        o.augment = true;
        o.crop_h = o.crop_w = 10;
        o.augmentations = {{"hflip", "0.5"},     {"vflip", "0.5"},      {"turn", "true"},   {"rotate", "20"},
                           {"scale", "0.7 1.3"}, {"brightness", "0.1"}, {"contrast", "0.1"}};
        return o;
    }

    // All that a device has no form for.
    LoaderOptions strongly_augmented() const {
        LoaderOptions o = augmented();
        for (const auto& [key, value] : {std::pair{"shift", "0.1"},
                                         {"shear", "10"},
                                         {"perspective", "0.1"},
                                         {"elastic", "0.5"},
                                         {"rotate-border", "ignore"},
                                         {"saturation", "0.5"},
                                         {"hue", "0.1"},
                                         {"gamma", "0.5"},
                                         {"night", "0.3"},
                                         {"blur", "0.5"},
                                         {"noise", "0.5"},
                                         {"jpeg", "0.5"},
                                         {"coarse-dropout", "0.5"},
                                         {"crop-class-share", "0.6"}})
            o.augmentations.set(key, value);
        return o;
    }

    TempDir dir_;
    std::vector<Sample> samples_;
    MaskRule rule_;
    LoaderOptions options_;
};

}  // namespace

TEST_F(LoaderTest, BatchesHoldTheSamplesTheyName) {
    const auto batches = epoch(options_, 0);
    ASSERT_EQ(batches.size(), 4u);
    EXPECT_EQ(batches.back().n, 2);
    std::set<int64_t> seen;
    for (const auto& batch : batches)
        for (int64_t i = 0; i < batch.n; ++i) {
            const int64_t index = batch.indices[size_t(i)];
            EXPECT_TRUE(seen.insert(index).second);
            EXPECT_EQ(batch.names[size_t(i)], samples_[size_t(index)].name);
            for (size_t p = 0; p < 12 * 16; ++p) {
                const float* pixel = batch.images.data() + (size_t(i) * 192 + p) * 3;
                ASSERT_EQ(pixel[0], float(batch.labels[size_t(i) * 192 + p] * 100) / 255.f);
                ASSERT_EQ(pixel[1], float(index * 20) / 255.f);
            }
        }
    EXPECT_EQ(seen.size(), 11u);
}

TEST_F(LoaderTest, WorkersPrefetchAndCacheChangeNothing) {
    for (LoaderOptions o : {options_, augmented(), strongly_augmented()}) {
        auto plain = make_loader(samples_, rule_, o);
        std::vector<std::vector<HostBatch>> expected;
        for (int64_t e : {0, 1, 2}) {
            plain->start_epoch(e);
            expected.push_back(drain(*plain));
        }
        for (int workers : {1, 2, 3, 4})
            for (int64_t cache : {0, 2000, 1 << 20}) {
                o.workers = workers;
                o.prefetch = workers;
                o.cache_bytes = cache;
                auto loader = make_loader(samples_, rule_, o);
                for (int64_t e : {0, 1, 2}) {
                    loader->start_epoch(e);
                    expect_equal(drain(*loader), expected[size_t(e)]);
                }
            }
    }
}

TEST_F(LoaderTest, EpochsAndSeedsDiffer) {
    const auto indices = [&](const LoaderOptions& o, int64_t e) {
        std::vector<int64_t> all;
        for (const auto& batch : epoch(o, e)) all.insert(all.end(), batch.indices.begin(), batch.indices.end());
        return all;
    };
    EXPECT_NE(indices(options_, 0), indices(options_, 1));
    LoaderOptions other = options_;
    other.seed = 43;
    EXPECT_NE(indices(options_, 0), indices(other, 0));
    other.shuffle = false;
    EXPECT_EQ(indices(other, 7), (std::vector<int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(LoaderTest, AnEpochCanBeginInItsMiddle) {
    for (int workers : {0, 2}) {
        LoaderOptions o = strongly_augmented();
        o.workers = workers;
        const auto whole = epoch(o, 5);
        for (int64_t first : {0, 1, 3, 4}) {
            const auto rest = epoch(o, 5, first);
            expect_equal(rest, {whole.begin() + first, whole.end()});
        }
    }
}

TEST_F(LoaderTest, TheLastBatchIsKeptDroppedOrMerged) {
    const auto sizes = [&](LastBatch last, int64_t batch_size) {
        LoaderOptions o = options_;
        o.last = last;
        o.batch_size = batch_size;
        std::vector<int64_t> out;
        auto loader = make_loader(samples_, rule_, o);
        for (const auto& batch : drain(*loader)) out.push_back(batch.n);
        EXPECT_EQ(int64_t(out.size()), loader->batches_per_epoch());
        return out;
    };
    using Sizes = std::vector<int64_t>;
    EXPECT_EQ(sizes(LastBatch::keep, 5), (Sizes{5, 5, 1}));
    EXPECT_EQ(sizes(LastBatch::drop, 5), (Sizes{5, 5}));
    EXPECT_EQ(sizes(LastBatch::merge, 5), (Sizes{5, 6}));
    EXPECT_EQ(sizes(LastBatch::merge, 11), (Sizes{11}));
    EXPECT_EQ(sizes(LastBatch::merge, 20), (Sizes{11}));
    expect_error<UsageError>([&] { sizes(LastBatch::drop, 20); }, {"11 samples", "20"});
}

TEST_F(LoaderTest, AugmentationMovesImageAndMaskTogether) {
    LoaderOptions o = options_;
    o.augment = true;
    o.crop_h = o.crop_w = 10;
    o.augmentations = {{"hflip", "0.5"}, {"vflip", "0.5"}, {"turn", "true"}};
    const auto first = epoch(o, 0);
    for (const auto& batch : first)
        for (size_t p = 0; p < batch.labels.size(); ++p)
            ASSERT_EQ(batch.images[3 * p], float(batch.labels[p] * 100) / 255.f);
    EXPECT_NE(first[0].images, epoch(o, 1)[0].images);
    for (const auto& batch : epoch(augmented(), 0))  // resampling invents no label
        for (uint8_t label : batch.labels) ASSERT_TRUE(label == 0 || label == 1 || label == ignored_class);
}

// Two classes and an ignored column, of which crops are drawn until the larger class has at most 0.6 of what counts.
TEST_F(LoaderTest, ACropIsDrawnAgainWhereOneClassTakesTooMuch) {
    Image mask = make_image<uint8_t>(40, 40, 1);
    for (size_t p = 0; p < mask.u8.size(); ++p) mask.u8[p] = uint8_t(p % 40 == 0 ? 255 : p % 40 >= 30);
    const Image image = pattern(40, 40, 3);
    save_png(dir_ / "wide.png", image);
    save_png(dir_ / "wide_mask.png", mask);
    const Sample sample{dir_ / "wide.png", dir_ / "wide_mask.png", "wide"};
    LoaderOptions o = options_;
    o.augment = true;
    o.crop_h = o.crop_w = 10;
    LoaderOptions limited = o;
    limited.augmentations.crop_class_share = 0.6;
    EXPECT_EQ(without_plan(limited.augmentations), "crop-class-share");
    // Of a crop at this column 4, 5 or 6 of the ten columns are of class 1.
    const auto balanced = [](uint64_t column) { return column >= 24 && column <= 26; };
    const std::vector<Sample> same(200, sample);
    int at_once = 0, later = 0, never = 0;
    for (int64_t i = 0; i < 200; ++i) {
        Random place(limited.seed, 0, uint64_t(i), crop_stream);
        uint64_t row = 0, column = 0;
        int draws = 0;
        do {
            row = place.below(31);
            column = place.below(31);
        } while (++draws < 11 && !balanced(column));
        ++(!balanced(column) ? never : draws == 1 ? at_once : later);
        const Example cropped = load_sample(same, rule_, limited, 0, i);
        ASSERT_EQ(cropped.image.u8, crop(image, int64_t(row), int64_t(column), 10, 10).u8) << i;
        ASSERT_EQ(cropped.labels.u8, crop(mask, int64_t(row), int64_t(column), 10, 10).u8) << i;
        if (draws == 1) {
            EXPECT_EQ(load_sample(same, rule_, o, 0, i).image.u8, cropped.image.u8) << "the first draw";
        }
    }
    EXPECT_GT(at_once, 0);
    EXPECT_GT(later, 0);
    EXPECT_GT(never, 0);
}

TEST_F(LoaderTest, ADrawDoesNotDependOnTheOthers) {
    LoaderOptions o = options_;
    o.augment = true;
    o.augmentations.set("hflip", "0.5");
    const auto flips = epoch(o, 3);
    o.augmentations.set("vflip", "1");
    const auto both = epoch(o, 3);
    const auto& a = flips[0];
    const auto& b = both[0];
    for (int64_t i = 0; i < a.n; ++i)
        for (int64_t y = 0; y < 12; ++y)
            for (int64_t x = 0; x < 16; ++x)
                ASSERT_EQ(a.labels[size_t((i * 12 + y) * 16 + x)], b.labels[size_t((i * 12 + 11 - y) * 16 + x)]);
}

TEST_F(LoaderTest, ResizeCropAndPadGiveTheSizesAsked) {
    LoaderOptions o = options_;
    o.resize_h = 9;
    o.resize_w = 7;
    EXPECT_EQ(epoch(o, 0)[0].h, 9);
    EXPECT_EQ(epoch(o, 0)[0].w, 7);
    o.size_multiple = 8;
    const HostBatch padded = epoch(o, 0)[0];
    EXPECT_EQ(padded.h, 16);
    EXPECT_EQ(padded.w, 8);
    for (int64_t y = 0; y < 16; ++y)
        for (int64_t x = 0; x < 8; ++x) EXPECT_EQ(padded.labels[size_t(y * 8 + x)] == ignored_class, y >= 9 || x >= 7);
    o = options_;
    o.crop_h = 20;
    o.crop_w = 10;
    const HostBatch cropped = epoch(o, 0)[0];
    EXPECT_EQ(cropped.h, 20);
    EXPECT_EQ(cropped.labels[0], ignored_class);
    EXPECT_NE(cropped.labels[4 * 10], ignored_class);
}

TEST_F(LoaderTest, ImagesOfSeveralSizesArePaddedToTheLargest) {
    save_png(samples_[1].image_path, pattern(5, 20, 3));
    save_png(samples_[1].mask_path, make_image<uint8_t>(5, 20, 1));
    options_.shuffle = false;
    options_.normalization = Normalization::imagenet();
    const HostBatch batch = epoch(options_, 0)[0];
    EXPECT_EQ(batch.h, 12);
    EXPECT_EQ(batch.w, 20);
    EXPECT_EQ(batch.labels[size_t(12 * 20 + 5 * 20)], ignored_class);
    // The mean colour, off by the rounding to 8 bits at most: half a level over the smallest deviation.
    EXPECT_NEAR(batch.images[size_t(12 * 20 + 5 * 20) * 3], 0, 0.5 / 255 / 0.224);
}

// What the device makes of the bytes of a batch.
static std::vector<float> normalized(const HostBatch& batch) {
    std::vector<float> values;
    for (size_t i = 0; i < batch.bytes.size(); ++i)
        values.push_back(batch.levels[i % size_t(batch.c) % 3 * 256 + batch.bytes[i]]);
    return values;
}

TEST_F(LoaderTest, BytesStandForTheSameFloats) {
    save_png(samples_[1].image_path, pattern(5, 20, 3));
    save_png(samples_[1].mask_path, make_image<uint8_t>(5, 20, 1));
    LoaderOptions padded = options_, ranged = augmented(), gray = augmented();
    padded.normalization = Normalization::imagenet();
    padded.size_multiple = 8;
    ranged.normalization.range = {10, 200};
    gray.channels = 1;
    for (LoaderOptions o : {padded, ranged, gray}) {
        const auto floats = epoch(o, 1);
        o.bytes = true;
        const auto bytes = epoch(o, 1);
        ASSERT_EQ(bytes.size(), floats.size());
        for (size_t i = 0; i < bytes.size(); ++i) {
            EXPECT_EQ(floats[i].form, ImageForm::floats);
            EXPECT_EQ(bytes[i].form, ImageForm::bytes);
            EXPECT_TRUE(bytes[i].images.empty());
            EXPECT_EQ(normalized(bytes[i]), floats[i].images) << i;
            EXPECT_EQ(bytes[i].labels, floats[i].labels) << i;
        }
    }
}

// A batch with one deep image is one of floats, and so is what its memory held before.
TEST_F(LoaderTest, BatchesWithDeepImagesAreFloats) {
    Image deep = make_image<uint16_t>(12, 16, 3);
    for (size_t p = 0; p < deep.u16.size(); ++p) deep.u16[p] = uint16_t(p * 90);
    save_png(samples_[4].image_path, deep);
    options_.shuffle = false;
    const auto floats = epoch(options_, 0);
    options_.bytes = true;
    auto loader = make_loader(samples_, rule_, options_);
    HostBatch batch;
    for (size_t i = 0; loader->next(batch); ++i) {
        EXPECT_EQ(batch.form, i == 1 ? ImageForm::floats : ImageForm::bytes);
        EXPECT_EQ(batch.bytes.empty(), i == 1);
        EXPECT_EQ(i == 1 ? batch.images : normalized(batch), floats[i].images) << i;
    }
}

// The place is the file's, whatever becomes of the sample on its way to the net.
TEST_F(LoaderTest, FindsALabelInTheMasksFile) {
    Image mask = make_image<uint8_t>(12, 16, 1);
    mask.u8[5 * 16 + 9] = mask.u8[7 * 16 + 1] = 4;
    save_png(samples_[6].mask_path, mask);
    rule_.class_count = 0;
    LoaderOptions o = augmented();
    o.resize_h = 24, o.resize_w = 40;
    auto loader = make_loader(samples_, rule_, o);
    const auto found = loader->find_label(6, 4);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->file, samples_[6].mask_path);
    EXPECT_EQ(found->x, 9);
    EXPECT_EQ(found->y, 5);
    EXPECT_EQ(found->value, "4");
    const auto expect_no_place = [&](int64_t index, uint8_t label, const char* why) {
        const auto place = loader->find_label(index, label);
        ASSERT_TRUE(place) << why;
        EXPECT_EQ(place->file, samples_[size_t(index)].mask_path) << why;
        EXPECT_EQ(place->x, -1) << why;
    };
    expect_no_place(6, 3, "it has none");
    expect_no_place(5, 4, "another sample");
    std::filesystem::remove(samples_[6].mask_path);
    expect_no_place(6, 4, "the file is gone");
    EXPECT_FALSE(loader->find_label(6, 4)->mixed);
    o.augmentations.set("mosaic", "0.5");
    EXPECT_TRUE(make_loader(samples_, rule_, o)->find_label(5, 4)->mixed) << "it may be another sample's";
    o.augment = false;
    EXPECT_FALSE(make_loader(samples_, rule_, o)->find_label(5, 4)->mixed) << "a validation mixes nothing";
}

// Who looks into the file finds no class ids there.
TEST_F(LoaderTest, ALabelsValueInTheMasksFileIsTold) {
    Image gray = make_image<uint8_t>(12, 16, 1), colours = make_image<uint8_t>(12, 16, 3);
    gray.u8[5 * 16 + 9] = 8;
    save_png(samples_[6].mask_path, gray);
    colours.u8[3 * (7 * 16 + 2)] = 255;
    save_png(samples_[7].mask_path, colours);
    const auto expect_found = [&](const std::string& rule, int64_t index, int64_t x, int64_t y, const char* value) {
        const auto found = make_loader(samples_, parse_mask_rule(rule), options_)->find_label(index, 7);
        ASSERT_TRUE(found) << rule;
        EXPECT_EQ(found->x, x) << rule;
        EXPECT_EQ(found->y, y) << rule;
        EXPECT_EQ(found->value, value) << rule;
    };
    expect_found("ids-from-1", 6, 9, 5, "8");
    expect_found("0=0,8=7", 6, 9, 5, "8");
    expect_found("#000000=0,#ff0000=7", 7, 2, 7, "#ff0000");
    for (Sample& sample : samples_) sample.mask_path.clear();
    EXPECT_FALSE(make_loader(samples_, rule_, options_)->find_label(6, 7)) << "there are no masks";
}

TEST_F(LoaderTest, OneChannelAndNoMasks) {
    options_.channels = 1;
    for (auto& sample : samples_) sample.mask_path.clear();
    const HostBatch batch = epoch(options_, 0)[0];
    EXPECT_EQ(batch.c, 1);
    EXPECT_EQ(batch.images.size(), size_t(3 * 12 * 16));
    EXPECT_TRUE(batch.labels.empty());
}

TEST_F(LoaderTest, FailuresReachTheConsumerAtTheirBatch) {
    fs::remove(samples_[4].image_path);
    options_.shuffle = false;
    for (int workers : {0, 1, 4}) {
        options_.workers = workers;
        auto loader = make_loader(samples_, rule_, options_);
        HostBatch batch;
        EXPECT_TRUE(loader->next(batch));
        expect_error([&] { loader->next(batch); }, {"s4.png"});
        EXPECT_TRUE(loader->next(batch));
        EXPECT_EQ(batch.indices[0], 6);
        loader->start_epoch(1);
        EXPECT_TRUE(loader->next(batch));
    }
}

TEST_F(LoaderTest, ALoaderCanBeDroppedAtAnyMoment) {
    options_.workers = 3;
    options_.prefetch = 3;
    for (int taken = 0; taken < 4; ++taken) {
        auto loader = make_loader(samples_, rule_, options_);
        HostBatch batch;
        for (int i = 0; i < taken; ++i) EXPECT_TRUE(loader->next(batch));
        loader->start_epoch(taken);
    }
}

TEST_F(LoaderTest, TheCacheSparesDecoding) {
    options_.cache_bytes = 1 << 20;
    auto loader = make_loader(samples_, rule_, options_);
    const auto first = drain(*loader);
    for (const auto& sample : samples_) fs::remove(sample.image_path);
    loader->start_epoch(0);
    expect_equal(drain(*loader), first);
}

TEST_F(LoaderTest, BadOptionsAreUsageErrors) {
    const auto with = [&](auto change) {
        LoaderOptions o = options_;
        change(o);
        expect_error<UsageError>([&] { make_loader(samples_, rule_, o); }, {});
    };
    with([](auto& o) { o.batch_size = 0; });
    with([](auto& o) { o.resize_h = 5; });
    with([](auto& o) { o.channels = 17; });
    with([](auto& o) { o.augmentations.set("scale", "2 1"); });
    with([](auto& o) { o.size_multiple = 0; });
    expect_error([&] { make_loader({}, rule_, options_); }, {"no samples"});
}

TEST_F(LoaderTest, LoadSampleIsWhatABatchHolds) {
    const LoaderOptions o = augmented();
    const auto batches = epoch(o, 2);
    for (int64_t i = 0; i < batches[0].n; ++i) {
        const int64_t index = batches[0].indices[size_t(i)];
        const Example sample = load_sample(samples_, rule_, o, 2, index);
        EXPECT_TRUE(std::equal(sample.labels.u8.begin(), sample.labels.u8.end(), batches[0].labels.begin() + i * 100));
        EXPECT_EQ(sample.source_h, 12);
    }
}

}  // namespace atrous::data::test
