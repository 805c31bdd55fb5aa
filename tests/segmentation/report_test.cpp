// The report of a run: what is read of a folder that is whole, of another version or cut off; names in HTML; numbers;
// intervals; which images are shown.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "base/error.h"
#include "data/palette.h"
#include "segmentation/extremes.h"
#include "segmentation/html_page.h"
#include "segmentation/report/image_scores.h"
#include "segmentation/report/page.h"
#include "segmentation/report/run_data.h"
#include "segmentation/report/shown_images.h"

namespace atrous::report {
namespace {

namespace fs = std::filesystem;
constexpr double infinity = std::numeric_limits<double>::infinity();

struct ReportTest : testing::Test {
    fs::path folder = fs::temp_directory_path() / ("atrous report " + std::to_string(getpid()));
    ReportTest() { fs::create_directories(folder); }
    ~ReportTest() override { fs::remove_all(folder); }
    void write(const std::string& name, const std::string& text) const { std::ofstream(folder / name) << text; }
    Json read() const { return run_data(folder.string()); }
    // The one note that has these words.
    static void expect_note(const Json& run, const std::string& words) {
        int found = 0;
        for (const auto& note : run["notes"]) found += note.get<std::string>().find(words) != std::string::npos;
        EXPECT_EQ(found, 1) << words << "\n" << run["notes"].dump(2);
    }
    static const Json& setting(const Json& run, const std::string& key) {
        for (const auto& s : run["settings"])
            if (s["key"] == key) return s;
        throw Error("no setting " + key);
    }
};

TEST_F(ReportTest, NumbersThatAreNoneAreNullAndInfiniteOnesAreTexts) {
    EXPECT_EQ(number(std::nan("")).dump(), "null");
    EXPECT_EQ(number(infinity).dump(), "\"inf\"");
    EXPECT_EQ(number(-infinity).dump(), "\"-inf\"");
    for (const double value :
         {0.1, 1. / 3, 1e-300, -0.0, 12345678901234567., 5e-324})  // exactly the same when read back
        EXPECT_EQ(Json::parse(number(value).dump()).get<double>(), value);
}

TEST_F(ReportTest, JsonInPiecesIsTheJson) {
    const Json value = Json::parse(R"({"a":[],"b":{},"c":[1,[2.5,null],{"d":"x\"<","e":true}],"f":""})");
    std::string text;
    write_json(value, [&](const std::string& piece) { text += piece; });
    EXPECT_EQ(text, value.dump());
}

TEST_F(ReportTest, SettingsSayWhatDiffersAndKeepWhatTheyDoNotKnow) {
    write("config.toml",
          "lr = 0.25\nepochs = 10\nscale = [0.5, 2.0]\nfreeze_bn = true\nfrom_tomorrow = \"yes\"\nbatch-size = -4\n");
    write("metrics.csv", "epoch,step\n");
    const Json run = read();
    EXPECT_EQ(setting(run, "lr")["value"], "0.25");
    EXPECT_TRUE(setting(run, "lr")["differs"]);
    EXPECT_FALSE(setting(run, "epochs")["differs"]);
    EXPECT_EQ(setting(run, "scale")["words"], (Json{"0.5", "2"}));
    EXPECT_TRUE(setting(run, "freeze-bn")["is_flag"]);
    EXPECT_EQ(setting(run, "from-tomorrow")["value"], "yes");
    EXPECT_TRUE(setting(run, "from-tomorrow")["default"].is_null());
    expect_note(run, "2 settings of another version");
}

TEST_F(ReportTest, ADamagedConfigurationIsANote) {
    write("config.toml", "lr = [");
    const Json run = read();
    EXPECT_TRUE(run["settings"].empty());
    expect_note(run, "settings are left out");
}

TEST_F(ReportTest, MetricsAreTakenAsFarAsTheyGo) {
    write("metrics.csv",
          "epoch,step,train_loss,val_loss,val_dice,val_of_tomorrow,seconds\n"
          "1,20,1.25,nan,,0.5,3.5\n"
          "2,40,inf,-inf,0.125,0.75,3.25\n"
          "3,60,1.0");
    const Json metrics = read()["metrics"];
    ASSERT_EQ(metrics["rows"].size(), 2u);
    EXPECT_EQ(metrics["rows"][0], (Json{1., 20., 1.25, nullptr, nullptr, .5, 3.5}));
    EXPECT_EQ(metrics["rows"][1], (Json{2., 40., "inf", "-inf", .125, .75, 3.25}));
    EXPECT_EQ(metrics["columns"][4]["title"], "Dice");
    EXPECT_EQ(metrics["columns"][5]["title"], "val_of_tomorrow");
    EXPECT_EQ(metrics["columns"][3]["higher_is_better"], false);
    EXPECT_EQ(metrics["columns"][4]["higher_is_better"], true);
    EXPECT_TRUE(metrics["columns"][5]["higher_is_better"].is_null()) << "nobody knows which of its values is the best";
    expect_note(read(), "metrics.csv:4: is cut off");
}

TEST_F(ReportTest, AFolderWithNothingInItHasANoteForEachFile) {
    const Json run = read();
    for (const char* file : {"config.toml", "metrics.csv", "report.json"}) expect_note(run, file);
    EXPECT_THROW(run_data((folder / "absent").string()), IoError);
}

TEST_F(ReportTest, ARecordIsReadBackAndADamagedOneIsLeftOut) {
    std::string note;
    Json record = new_record();
    record["net"]["model"] = "unet \xff";
    write_record(folder.string(), record);
    EXPECT_EQ(read_record(folder.string(), note)["net"].size(), 1u);
    EXPECT_EQ(note, "");
    for (const char* text : {"", "{", "[]", "{\"engine\":\"atrous\",\"format\":1,\"epochs\":{}}"}) {
        write("report.json", text);
        EXPECT_EQ(read_record(folder.string(), note), new_record()) << text;
        EXPECT_NE(note.find("is damaged"), std::string::npos) << note;
    }
    record["format"] = 2;
    write("report.json", record.dump(-1, ' ', false, Json::error_handler_t::replace));
    EXPECT_EQ(read_record(folder.string(), note), new_record());
    EXPECT_NE(note.find("of format 2, expected 1"), std::string::npos) << note;
}

TEST_F(ReportTest, WhatComesAgainIsForgotten) {
    Json record = new_record();
    for (int epoch = 1; epoch <= 3; ++epoch) {
        record["epochs"].push_back({{"epoch", epoch}});
        record["steps"].push_back(Json{epoch * 10, 0.1, 0.5});
    }
    record["best"] = {{"epoch", 2}};
    record["best_before"] = {{"epoch", 1}};
    Json later = record;
    forget_after(later, 2, 20, 1);
    EXPECT_EQ(later["epochs"].size(), 2u);
    EXPECT_EQ(later["steps"].size(), 2u);
    EXPECT_EQ(later["best"]["epoch"], 2);
    EXPECT_FALSE(later.contains("best_before"));
    later = record;
    forget_after(later, 1, 15, 0);
    EXPECT_EQ(later["epochs"].size(), 1u);
    EXPECT_EQ(later["steps"].size(), 1u);
    EXPECT_EQ(later["best"]["epoch"], 1) << "the training goes back to the best epoch before";
}

TEST_F(ReportTest, TheBestEpochIsTheCheckpointsOrNone) {
    for (const int64_t best : {-1, 2}) {  // of no epoch, or of one that was trained without a report
        Json record = new_record();
        record["best"] = {{"epoch", 2}};
        forget_after(record, 3, 30, best);
        EXPECT_TRUE(record["best"].empty()) << best;
    }
}

TEST_F(ReportTest, ARecordThatEndsEarlyDoesNotKnowTheBestEpoch) {
    Json record = new_record();
    record["epochs"].push_back({{"epoch", 3}});
    record["best"] = {{"epoch", 3}};
    write_record(folder.string(), record);
    write("metrics.csv", "epoch,step\n3,30\n");
    EXPECT_EQ(read()["record"]["best"]["epoch"], 3);
    write("metrics.csv", "epoch,step\n3,30\n4,40\n");
    const Json run = read();
    EXPECT_TRUE(run["record"]["best"].empty());
    expect_note(run, "report.json: ends at epoch 3, metrics.csv at epoch 4");
    EXPECT_EQ(run_data(folder.string(), &record)["record"]["best"]["epoch"], 3) << "a training knows its best epoch";
}

TEST_F(ReportTest, ARunHasTheNameOfItsFolderHoweverThatIsWritten) {
    for (const char* end : {"", "/", "//", "/.", "/./"}) {
        const Json run = run_data(folder.string() + end);
        EXPECT_EQ(run["name"], folder.filename().string()) << end;
        EXPECT_EQ(run["folder"], folder.string()) << end;
    }
}

TEST_F(ReportTest, WarningsComeFromTheLog) {
    write("log.txt", "unet\nwarning: one\nepoch 1\nwarning: two \xfe\n");
    const Json warnings = read()["warnings"];
    ASSERT_EQ(warnings.size(), 2u);
    EXPECT_EQ(warnings[0], "one");
}

// ---- the page

TEST(ReportPage, NoNameEndsTheScriptOrBecomesAnElement) {
    const std::string evil = "</script><script>alert('x')</script><!-- & \"";
    Json run;
    run["name"] = evil;
    run["record"]["classes"] = Json::array({Json{{"name", evil}, {"colour", "#000000"}}});
    const std::string page = page_of(Json::array({run}));
    EXPECT_EQ(page.find("<script>alert"), std::string::npos);
    EXPECT_NE(page.find("<title>&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&lt;!-- &amp; &quot; "),
              std::string::npos);
    const size_t begin = page.find("id=\"runs\">") + 10, end = page.find("</script>", begin);
    const Json read = Json::parse(page.substr(begin, end - begin));
    EXPECT_EQ(read[0]["name"], evil);
    EXPECT_EQ(read[0]["record"]["classes"][0]["name"], evil);
}

TEST(ReportPage, IsOneFileThatIsKnownAgain) {
    const std::string page = page_of(Json::array({Json::object(), Json::object()}));
    EXPECT_TRUE(is_own_page(page));
    EXPECT_FALSE(is_own_page("<!DOCTYPE html>\n<html>"));
    EXPECT_NE(page.find(page_style()), std::string::npos);
    EXPECT_NE(page.find(page_program()), std::string::npos);
    EXPECT_TRUE(page_program().starts_with("'use strict';"));
    for (const std::string_view part : {page_style(), page_program()}) {
        EXPECT_EQ(part.find("</"), std::string::npos) << "would end its element";
        EXPECT_EQ(part.find("innerHTML"), std::string::npos) << "names would become HTML";
    }
    EXPECT_EQ(page.find("src=\"http"), std::string::npos);
}

// ---- intervals

std::vector<ImageScore> images_of(const std::vector<std::array<int64_t, 4>>& counts) {
    std::vector<ImageScore> images;
    for (const auto& c : counts) images.push_back(image_score("i", double(images.size()), 2, c.data()));
    return images;
}
Interval interval_of(const std::vector<NamedInterval>& all, const std::string& key) {
    for (const NamedInterval& i : all)
        if (i.score == key) return i.interval;
    throw Error("no interval of " + key);
}

TEST(Bootstrap, EqualImagesHaveNoSpread) {
    const auto images = images_of({{90, 2, 3, 5}, {90, 2, 3, 5}, {90, 2, 3, 5}});
    const Interval dice = interval_of(bootstrap_intervals(images, 2, 100), "dice");
    EXPECT_DOUBLE_EQ(dice.low, 10. / 15);
    EXPECT_DOUBLE_EQ(dice.high, 10. / 15);
}

// Of n values the mean of a set has the standard error s / sqrt(n), and 95 % lie within 1.96 of it.
TEST(Bootstrap, MeansSpreadByTheirStandardError) {
    std::vector<ImageScore> images;
    const std::array<int64_t, 4> counts{10, 0, 0, 0};
    for (int i = 0; i < 200; ++i) images.push_back(image_score("i", double(i), 2, counts.data()));
    const Interval loss = interval_of(bootstrap_intervals(images, 2, 1000), "loss");
    const double error = std::sqrt((200. * 200 - 1) / 12 / 200);
    EXPECT_NEAR(loss.low, 99.5 - 1.96 * error, .15 * error);
    EXPECT_NEAR(loss.high, 99.5 + 1.96 * error, .15 * error);
}

TEST(Bootstrap, IsTheSameEveryTimeAndEmptyForOneImage) {
    const auto images = images_of({{90, 2, 3, 5}, {50, 20, 3, 27}, {10, 2, 40, 48}});
    const auto one = bootstrap_intervals(images, 2, 50), two = bootstrap_intervals(images, 2, 50);
    for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i].interval.low, two[i].interval.low) << one[i].score;
    EXPECT_TRUE(bootstrap_intervals({images[0]}, 2, 50).empty());
}

TEST(Bootstrap, AScoreThatIsNotDefinedHasNoInterval) {
    std::vector<ImageScore> images = images_of({{100, 0, 0, 0}, {100, 0, 0, 0}});
    images[0].loss = images[1].loss = std::nan("");
    const auto all = bootstrap_intervals(images, 2, 100);
    EXPECT_TRUE(std::isnan(interval_of(all, "dice").low));
    EXPECT_TRUE(std::isnan(interval_of(all, "loss").high));
    EXPECT_EQ(interval_of(all, "pixel_accuracy").low, 1);
}

TEST(Bootstrap, ManyImagesHaveFewerSets) {
    EXPECT_EQ(bootstrap_sets(images_of({{1, 0, 0, 1}}), 2), 1000);
    const ImageScore image{"i", 0, {{0u, 1}, {1u, 1}, {2u, 1}, {3u, 1}}, {}, {}};
    EXPECT_EQ(bootstrap_sets(std::vector<ImageScore>(100'000, image), 2), 124);
    EXPECT_EQ(bootstrap_sets(std::vector<ImageScore>(200'000, image), 2), 0) << "too few sets are worth nothing";
    EXPECT_EQ(bootstrap_sets({image}, 255), 768) << "the sum of a set has every pair of classes";
    EXPECT_TRUE(bootstrap_intervals(images_of({{1, 0, 0, 1}, {1, 0, 0, 1}}), 2, 0).empty());
}

TEST(ImageScore, HasEachMetricOfItsCounts) {
    const std::array<int64_t, 4> counts{90, 2, 3, 5};
    const ImageScore image = image_score("i", 1, 2, counts.data());
    size_t at = 0;
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts && !metric->detail) {
            EXPECT_EQ(image.values.at(at++), metric->of_counts(ConfusionMatrix(2, counts.data())));
        }
    EXPECT_EQ(image.values.size(), at);
}

TEST(ImageScore, TheHighestLossComesFirstAndNoneLast) {
    std::vector<ImageScore> images(5);
    const double losses[] = {1, std::nan(""), infinity, 3, 1};
    for (size_t i = 0; i < 5; ++i) images[i].loss = losses[i];
    EXPECT_EQ(by_loss(images), (std::vector<size_t>{2, 3, 0, 4, 1}));
}

// ---- pictures

struct ShownTest : testing::Test {
    ModelCard card;
    HostBatch batch;
    ShownTest() {
        card.net.out_channels = 1;
        card.normalization = {{.5f, .25f, 0.f}, {.5f, .25f, 1.f}};
        batch = {.n = 1, .h = 448, .w = 300, .c = 3, .images = {}, .labels = {}, .names = {""}, .indices = {0}};
        batch.images.assign(size_t(448 * 300 * 3), 0);
        batch.labels.assign(size_t(448 * 300), 0);
    }
    // The upper half is predicted to be the object.
    void add(ShownImages& shown, const std::string& name, double loss) {
        Tensor logits = Tensor::full({1, 448, 300, 1}, DType::f32, {DeviceKind::cpu}, -1);
        std::fill_n(logits.as<float>(), 224 * 300, 1.f);
        const std::array<int64_t, 4> counts{10, 0, 0, 10};
        batch.names[0] = name;
        shown.add({batch, 0, counts.data(), loss, logits});
    }
    static std::string names(const std::vector<ShownImage>& images) {
        std::string all;
        for (const ShownImage& i : images) all += i.name;
        return all;
    }
};

TEST_F(ShownTest, KeepsTheBestAndTheWorstInTheirOrder) {
    ShownImages shown(card);
    for (const auto& [name, loss] : std::vector<std::pair<std::string, double>>{{"g", 7},
                                                                                {"c", 3},
                                                                                {"l", 12},
                                                                                {"a", 1},
                                                                                {"k", 11},
                                                                                {"h", 8},
                                                                                {"b", 2},
                                                                                {"j", 10},
                                                                                {"d", 4},
                                                                                {"i", 9},
                                                                                {"e", 5},
                                                                                {"f", 6},
                                                                                {"-", std::nan("")},
                                                                                {"+", infinity}})
        add(shown, name, loss);
    EXPECT_EQ(names(shown.worst()), "lkjih");
    EXPECT_EQ(names(shown.best()), "abcde");
    shown.clear();
    for (const char* name : {"x", "y", "z"}) add(shown, name, 1);
    EXPECT_EQ(names(shown.worst()), "xyz") << "of equal ones the first come first";
    EXPECT_EQ(names(shown.best()), "") << "none is shown twice";
}

TEST_F(ShownTest, PicturesAreSmallAndOfTheImagesOwnColours) {
    for (size_t i = 0; i < batch.labels.size(); ++i) batch.labels[i] = i % 300 < 150 ? 1 : 0;  // the left half
    batch.labels.back() = 255;
    ShownImages shown(card);
    add(shown, "a", 1);
    const ShownImage& image = shown.worst().at(0);
    EXPECT_EQ(image.picture.h, 224);
    EXPECT_EQ(image.picture.w, 150);
    EXPECT_EQ(image.picture.u8[0], 128);  // .5
    EXPECT_EQ(image.picture.u8[1], 64);   // .25
    EXPECT_EQ(image.picture.u8[2], 0);
    EXPECT_EQ(image.score, 1);
    const data::Image errors = error_map(image, 2);
    const data::Palette palette = error_palette(2);
    const auto at = [&](int64_t y, int64_t x) { return palette[errors.u8[size_t(y * 150 + x)]]; };
    EXPECT_EQ(at(0, 0), 0x00c48cu);      // found
    EXPECT_EQ(at(0, 149), 0xff6a13u);    // false alarm
    EXPECT_EQ(at(223, 0), 0x3c8cffu);    // missed
    EXPECT_EQ(at(223, 100), 0x171b22u);  // rightly nothing
    EXPECT_EQ(at(223, 149), 0x8a8f98u);  // ignored
    EXPECT_TRUE(png_uri(errors, palette).starts_with("data:image/png;base64,iVBORw0KGgo"));
    EXPECT_TRUE(jpeg_uri(image.picture).starts_with("data:image/jpeg;base64,/9j/"));
}

}  // namespace
}  // namespace atrous::report

namespace atrous {
namespace {

TEST(Extremes, SaysWhatItTakes) {
    EXPECT_EQ(parse_extremes("best=5,worst=3").best, 5);
    EXPECT_EQ(parse_extremes("worst=3").worst, 3);
    EXPECT_EQ(parse_extremes("").best, 0);
    for (const char* text : {"best", "best=", "best=0", "best=-1", "best=5x", "good=5", "best=5;worst=5", "5",
                             "best=1001", "best=5,best=3", "best=5,", ",best=5", "best=5,,worst=5", ","})
        EXPECT_THROW(parse_extremes(text), UsageError) << text;
}

TEST(Extremes, RanksByLossAndTakesNoSampleTwice) {
    const auto text_of = [](const std::vector<RankedSample>& ranking) {
        std::string text;
        for (const RankedSample& r : ranking) text += r.rank + ":" + std::to_string(r.sample) + " ";
        return text;
    };
    const std::vector<ScoredSample> samples{{0, .5}, {1, std::nan("")}, {2, .9}, {3, .1}};
    EXPECT_EQ(text_of(ranked(samples, {.best = 1, .worst = 1})), "worst-1:2 best-1:3 ");
    EXPECT_EQ(text_of(ranked(samples, {.best = 5, .worst = 2})), "worst-1:2 worst-2:0 best-1:3 ");
    EXPECT_EQ(text_of(ranked(samples, {.best = 2, .worst = 0})), "best-1:3 best-2:0 ");
}

}  // namespace
}  // namespace atrous
