// The rows of a contact sheet: which samples, their proportions, and that their scores are those of the evaluation.
#include "segmentation/result_sheet.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "data/palette.h"
#include "engine/train/evaluate.h"
#include "models/unet.h"
#include "segmentation/score_text.h"

namespace atrous {
namespace {

struct Set {
    std::string folder = std::filesystem::temp_directory_path() / ("atrous_sheet_" + std::to_string(getpid()));
    std::vector<data::Sample> samples;
    ModelCard card;
    std::unique_ptr<SegmentationNet> net;

    explicit Set(int64_t classes) {
        std::filesystem::create_directories(folder);
        for (int i = 0; i < 5; ++i) add("s" + std::to_string(i), 40 + 9 * i, 90 - 13 * i, classes);
        card.net = unet({.out_channels = logits_of(classes), .base_channels = 2, .depth = 2});
        card.height = 30;  // the net pads it
        card.width = 26;
        card.mask_values = "ids";
        card.loss.name = classes > 2 ? "ce+dice" : "bce+dice";
        for (int64_t c = 0; c < classes; ++c) {
            card.class_names.push_back("c" + std::to_string(c));
            card.colours.push_back(data::mask_palette(int(classes))[size_t(c)]);
        }
        net = make_net(card.net);
        net->materialize({.device = {DeviceKind::cpu}, .compute = DType::f32, .seed = 1});
    }
    ~Set() { std::filesystem::remove_all(folder); }

    void add(const std::string& name, int64_t h, int64_t w, int64_t classes) {
        data::Image image = data::make_image<uint8_t>(h, w, 3), mask = data::make_image<uint8_t>(h, w, 1);
        for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 37 + i * i * 3);
        for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = uint8_t((i / 7) % size_t(classes));
        mask.u8[3] = 255;
        data::save_png(folder + "/" + name + ".png", image);
        data::save_png(folder + "/" + name + "_mask.png", mask);
        samples.push_back({folder + "/" + name + ".png", folder + "/" + name + "_mask.png", name});
    }

    // The score of every sample, as `eval` finds it.
    std::map<std::string, std::string> scores(const std::string& metric) {
        const auto source = data::make_loader(samples, data::parse_mask_rule(card.mask_values),
                                              loader_options(card, 2, 0, net->input_multiple()));
        std::map<std::string, std::string> out;
        evaluate(*net, *source, {.loss = loss_of(card), .on_image = [&](const ImageResult& image) {
                                     const Metric& m = Metric::catalogue().at(metric);
                                     out[image.name()] =
                                         m.title + " " +
                                         score_text(m.of_counts(ConfusionMatrix(card.classes(), image.counts)));
                                 }});
        return out;
    }
};

TEST(ResultSheet, RowsAreSpreadOverTheSamplesInTheirProportions) {
    Set set(2);
    const auto rows = result_rows(*set.net, set.card, DType::f32, set.samples, 3);
    ASSERT_EQ(rows.size(), 3u);
    EXPECT_EQ(rows[0].name + rows[1].name + rows[2].name, "s0s1s3");
    const auto [h, w] = data::cell_size(40, 90);
    for (const data::Image* image : {&rows[0].image, &rows[0].truth, &rows[0].prediction}) {
        EXPECT_EQ(image->h, h);
        EXPECT_EQ(image->w, w);
    }
    EXPECT_EQ(result_rows(*set.net, set.card, DType::f32, set.samples, 200).size(), 5u);
    const data::Image sheet = result_sheet(*set.net, set.card, DType::f32, set.samples, 3);
    EXPECT_EQ(sheet.u8, data::contact_sheet(rows, {set.card.class_names, set.card.colours}).u8);
}

// A model card may hold fewer names than classes: the others go by their numbers.
TEST(ResultSheet, ClassesWithoutNamesGoByTheirNumbers) {
    Set set(3);
    set.card.class_names = {"0"};
    const data::Image some = result_sheet(*set.net, set.card, DType::f32, set.samples, 3);
    set.card.class_names = {"0", "1", "2"};
    EXPECT_EQ(some.u8, result_sheet(*set.net, set.card, DType::f32, set.samples, 3).u8);
}

TEST(ResultSheet, ScoresAreThoseOfTheEvaluation) {
    for (const int64_t classes : {2, 3}) {
        Set set(classes);
        set.net->set_training(true);
        const auto expected = set.scores(classes == 2 ? "dice" : "miou");
        const auto rows = result_rows(*set.net, set.card, DType::f32, set.samples, 5);
        EXPECT_TRUE(set.net->training()) << "its mode is restored";
        ASSERT_EQ(rows.size(), 5u);
        for (const auto& row : rows) EXPECT_EQ(row.score, expected.at(row.name)) << classes;
        EXPECT_TRUE(rows[0].score.starts_with(classes == 2 ? "Dice 0." : "mIoU 0.")) << rows[0].score;
    }
}

TEST(ResultSheet, GoesByTheThreshold) {
    Set set(2);
    const auto all = result_rows(*set.net, set.card, DType::f32, set.samples, 1, -1e9);
    const auto none = result_rows(*set.net, set.card, DType::f32, set.samples, 1, 1e9);
    EXPECT_EQ(std::count(all[0].prediction.u8.begin(), all[0].prediction.u8.end(), 1), all[0].prediction.count());
    EXPECT_EQ(std::count(none[0].prediction.u8.begin(), none[0].prediction.u8.end(), 0), none[0].prediction.count());
    EXPECT_EQ(none[0].score, "Dice 0.0000");
    EXPECT_NE(all[0].score, none[0].score);
}

}  // namespace
}  // namespace atrous
