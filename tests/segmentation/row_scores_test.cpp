// Scores row by row against those of whole images: the same counts.
#include "segmentation/row_scores.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "data/mask_source.h"
#include "engine/train/evaluate.h"
#include "models/unet.h"
#include "segmentation/logit_scores.h"
#include "segmentation/native_scores.h"
#include "segmentation/postprocess.h"
#include "segmentation/windowed_net.h"

namespace atrous::test {

namespace {

namespace fs = std::filesystem;

class RowScores : public testing::Test {
 protected:
    RowScores() {
        fs::create_directories(root_);
        draw("a", 150, 233);
        draw("b", 97, 64);
        net_.card.height = net_.card.width = 32;
        net_.card.sources = {32, 32, 48, 48};
        net_.card.net = unet({.base_channels = 2, .depth = 1});
        net_.net = make_net(net_.card.net);
        net_.net->materialize({});
        net_.net->set_training(false);
        report_.sizes = {{150, 233}, {97, 64}};
        report_.min_h = 97, report_.min_w = 64, report_.max_h = 150, report_.max_w = 233;
        report_.rule = data::parse_mask_rule("0=0,255=1,128=ignore");
    }
    ~RowScores() override { fs::remove_all(root_); }

    void draw(const std::string& name, int64_t h, int64_t w) {
        data::Image image = data::make_image<uint8_t>(h, w, 3), mask = data::make_image<uint8_t>(h, w, 1);
        for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 7919 >> 5);
        for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = i % 11 == 0 ? 128 : (i / 13) % 3 == 0 ? 255 : 0;
        const std::string at = (root_ / name).string();
        data::save_png(at + ".png", image), data::save_png(at + "_mask.png", mask);
        samples_.push_back({at + ".png", at + "_mask.png", name});
    }
    // One matrix after the other, of the images and at their own sizes.
    using Matrices = std::vector<int64_t>;
    static void append(const ConfusionMatrix& m, Matrices& all) {
        for (int64_t t = 0; t < 2; ++t)
            for (int64_t p = 0; p < 2; ++p) all.push_back(m.at(t, p));
    }
    Matrices whole(const WindowOptions& windows) {
        const ScoringView view = scoring_view(net_, windows, report_, 1, 0);
        const auto source = data::make_loader(samples_, report_.rule, view.loader);
        NativeScores native(net_.card, report_.rule, samples_, view.loader, 0);
        Matrices all;
        const auto on_image = [&](const ImageResult& i) { all.insert(all.end(), i.counts, i.counts + 4); };
        evaluate(*view.net, *source, {.loss = loss_of(net_.card), .on_image = on_image},
                 [&](const HostBatch& batch, const Tensor& logits, int64_t) { native.add(batch, logits); });
        append(native.scores().confusion, all);
        return all;
    }
    Matrices by_rows(const WindowOptions& windows, bool native = true) {
        Matrices all;
        RowScoring options{windows, 0, native, {}, {}};
        options.on_image = [&](const std::string&, const int64_t* c) { all.insert(all.end(), c, c + 4); };
        const ScoresByRows scored = score_by_rows(net_, samples_, report_.rule, options);
        EXPECT_EQ(scored.scores.images, int64_t(samples_.size()));
        EXPECT_TRUE(std::isnan(scored.scores.loss)) << "no loss is known";
        if (native) append(scored.native.confusion, all);
        return all;
    }

    const fs::path root_ = fs::temp_directory_path() / ("atrous row scores " + std::to_string(getpid()));
    LoadedNet net_;
    data::DatasetReport report_;
    std::vector<data::Sample> samples_;
};

}  // namespace

TEST_F(RowScores, AreThoseOfWholeImages) {
    for (const char* windows : {"auto", "on", "off", "exact"}) {
        SCOPED_TRACE(windows);
        EXPECT_EQ(by_rows({windows, 0.25}), whole({windows, 0.25}));
    }
    net_.card.resize = data::ResizeMode::none;
    EXPECT_EQ(by_rows({}), whole({})) << "images as they are";
    net_.card.resize = data::ResizeMode::letterbox;
    EXPECT_EQ(by_rows({"on", 0.25}), whole({"on", 0.25}));
    const Matrices with = by_rows({}), without = by_rows({}, false);
    EXPECT_EQ(without, Matrices(with.begin(), with.end() - 4));
}

TEST_F(RowScores, HaveTheProbabilitiesOfWholeImages) {
    const ScoringView view = scoring_view(net_, {}, report_, 1, 0);
    const auto source = data::make_loader(samples_, report_.rule, view.loader);
    ProbabilityScores whole(net_.card), rows(net_.card);
    const auto on_image = [&](const ImageResult& i) {
        const std::vector<float> logits = host_logits(i.logits, i.logits.dim(1), i.logits.dim(2));
        whole.add(logits.data(), i.batch.labels.data(), int64_t(logits.size()), 0);
    };
    evaluate(*view.net, *source, {.loss = loss_of(net_.card), .on_image = on_image});
    RowScoring options{{}, 0, false, {}, {}};
    options.on_row = [&](const float* logits, const uint8_t* labels, int64_t n) { rows.add(logits, labels, n, 0); };
    score_by_rows(net_, samples_, report_.rule, options);
    EXPECT_EQ(rows.precision_recall()->average_precision(), whole.precision_recall()->average_precision());
    EXPECT_EQ(rows.calibration().error(), whole.calibration().error());
}

// Resized and as they are: pixels at the border of two blocks are counted once, at both sizes.
TEST_F(RowScores, OfBlocksOfColumnsAreThoseOfWholeImages) {
    draw("c", 70, 1100);
    samples_.erase(samples_.begin(), samples_.end() - 1);
    report_.sizes = {{70, 1100}};
    report_.min_h = report_.max_h = 70, report_.min_w = report_.max_w = 1100;
    const auto image = data::open_rows(samples_[0].image_path);
    for (const data::ResizeMode resize : {data::ResizeMode::stretch, data::ResizeMode::none})
        for (const char* windows : {"on", "exact"}) {
            SCOPED_TRACE(windows);
            net_.card.resize = resize;
            const WindowOptions in_blocks{windows, 0.25, 1};
            ASSERT_GE(column_blocks(*image, view_of(net_.card, in_blocks, 70, 1100), 1, 0, 1).size(), 2u);
            const Matrices expected = whole({windows, 0.25}), found = by_rows(in_blocks);
            EXPECT_EQ(found, expected);
            EXPECT_EQ(by_rows(in_blocks, false), Matrices(expected.begin(), expected.end() - 4));
        }
}

// A mask that is no file is drawn once, whatever the blocks: polygons of a large image take a while.
TEST_F(RowScores, DrawAMaskOnceForAllBlocks) {
    class Counted : public data::MaskSource {
     public:
        data::RawMask draw(int64_t h, int64_t w, const std::string&) const override {
            ++drawn;
            data::RawMask mask{data::make_image<uint8_t>(h, w, 1), {}, false};
            for (size_t i = 0; i < mask.image.u8.size(); ++i) mask.image.u8[i] = (i / 13) % 3 == 0 ? 255 : 0;
            return mask;
        }
        mutable int drawn = 0;
    };
    draw("c", 70, 1100);
    samples_.erase(samples_.begin(), samples_.end() - 1);
    const auto source = std::make_shared<Counted>();
    samples_[0].mask = source;
    const Matrices one = by_rows({"on", 0.25});
    EXPECT_EQ(source->drawn, 1);
    EXPECT_EQ(by_rows({"on", 0.25, 1}), one);
    EXPECT_EQ(source->drawn, 2) << "at both sizes, in several blocks";
}

TEST_F(RowScores, OfImagesWhoseChannelsAreFiles) {
    net_.card.net = unet({.in_channels = 2, .base_channels = 2, .depth = 1});
    net_.net = make_net(net_.card.net);
    net_.net->materialize({});
    net_.net->set_training(false);
    report_.channels = 2;
    for (data::Sample& sample : samples_) {
        const data::Image image = data::load_image(sample.image_path);
        for (const int part : {1, 2}) {  // the second band has half the size
            data::Image band = data::make_image<uint8_t>(part == 2 ? image.h / 2 : image.h / 2 * 2,
                                                         part == 2 ? image.w / 2 : image.w / 2 * 2, 1);
            for (size_t i = 0; i < band.u8.size(); ++i) band.u8[i] = uint8_t(image.u8[i] * part);
            sample.bands.push_back((root_ / (sample.name + "_B" + std::to_string(part) + ".png")).string());
            data::save_png(sample.bands.back(), band);
        }
        const data::Image whole = data::load_image(sample);
        sample.mask_path = (root_ / (sample.name + "_even.png")).string();
        data::Image mask = data::make_image<uint8_t>(whole.h, whole.w, 1);
        for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = (i / 13) % 3 == 0 ? 255 : 0;
        data::save_png(sample.mask_path, mask);
    }
    for (const char* windows : {"auto", "off", "exact"}) {
        SCOPED_TRACE(windows);
        EXPECT_EQ(by_rows({windows, 0.25}), whole({windows, 0.25}));
    }
}

TEST_F(RowScores, CountImagesThatGiveNaN) {
    Parameter& bias = *net_.net->parameters().back().parameter;
    std::vector<float> nan(size_t(bias.shape.count()), std::nanf(""));
    bias.value.copy_from_host(nan.data(), nan.size() * sizeof(float));
    const ScoresByRows scored = score_by_rows(net_, samples_, report_.rule, {});
    EXPECT_EQ(scored.scores.images, 2);
    EXPECT_EQ(scored.native.images, 2);
    EXPECT_EQ(scored.scores.nonfinite, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(scored.scores.pixels, 0);
}

TEST_F(RowScores, NameAValueWithoutAClassByItsPlace) {
    report_.rule = data::parse_mask_rule("0=0,255=1");
    try {
        by_rows({});
        ADD_FAILURE() << "nothing was thrown";
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("a_mask.png: pixel (0, 0) has the value 128"), std::string::npos)
            << e.what();
    }
}

TEST_F(RowScores, RefuseAClassThatTheNetLacks) {
    report_.rule = data::parse_mask_rule("0=0,255=7,128=ignore");
    EXPECT_THROW(by_rows({}), DataError);
}

TEST_F(RowScores, AreForImagesThatAreTooLarge) {
    EXPECT_FALSE(needs_rows(net_, {}, report_));
    report_.sizes.push_back({10000, 6000});
    EXPECT_TRUE(needs_rows(net_, {}, report_)) << "at the training's scale 6667x4000";
    report_.sizes.back() = {6000, 5000};
    EXPECT_FALSE(needs_rows(net_, {"off", 0.25}, report_)) << "30 million pixels, shrunk to the net's size";
    report_.sizes.back() = {20000, 20000};
    EXPECT_TRUE(needs_rows(net_, {"off", 0.25}, report_));
    report_.sizes.back() = {3000, 3000};
    report_.channels = 16;
    EXPECT_FALSE(needs_rows(net_, {"off", 0.25}, report_));
    report_.float_images = 1;
    EXPECT_TRUE(needs_rows(net_, {"off", 0.25}, report_)) << "9 million pixels of 64 bytes";
}

}  // namespace atrous::test
