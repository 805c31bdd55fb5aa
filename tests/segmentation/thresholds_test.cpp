// Thresholds by class: what is taken, from where, and which pixels they decide about.
#include "segmentation/thresholds.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "segmentation/config_file.h"
#include "segmentation/postprocess.h"

namespace atrous::test {

namespace {

struct Given {
    Thresholds thresholds;
    Settings settings;
    Given() { describe_thresholds(settings, thresholds); }
    explicit Given(const std::string& text) : Given() {
        if (!settings.at("threshold").assign({{text}})) throw Error("not taken: " + text);
        settings.at("threshold").origin = Origin::flag;
    }
    ClassThresholds logits(const ModelCard& card) { return logit_thresholds(settings, thresholds, card); }
};

ModelCard card_of(int64_t channels, bool overlap, std::vector<std::string> names = {}) {
    ModelCard card;
    card.net.out_channels = channels;
    card.class_names = std::move(names);
    if (overlap) card.loss.labels = LabelForm::bits;
    return card;
}

template <class E>
void expect_error(const std::string& text, const ModelCard& card, const std::string& words) {
    try {
        Given(text).logits(card);
        ADD_FAILURE() << text << " was taken";
    } catch (const E& error) {
        EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
    }
}

class ThresholdFiles : public testing::Test {
 protected:
    ~ThresholdFiles() override { std::filesystem::remove(path_); }
    std::string write(const std::string& text) {
        std::ofstream(path_) << text;
        return path_.string();
    }
    const std::filesystem::path path_ =
        std::filesystem::temp_directory_path() / ("atrous thresholds " + std::to_string(getpid()) + ".json");
};

}  // namespace

TEST(Thresholds, AreNumbersOrAFile) {
    EXPECT_EQ(Given().settings.at("threshold").shown(), "0.5");
    EXPECT_EQ(Given("0.25").settings.at("threshold").shown(), "0.25");
    EXPECT_EQ(Given("0.25,0.5,1e-3").settings.at("threshold").shown(), "0.25,0.5,0.001");
    EXPECT_EQ(Given("0.25, 0.5,  1e-3").settings.at("threshold").shown(), "0.25,0.5,0.001");
    EXPECT_EQ(Given("runs/scores.json").settings.at("threshold").shown(), "runs/scores.json");
    for (const char* text : {"", "0", "1", "-0.5", "nan", "half", "0.5,", ",0.5", "0.5;0.6", "0.5,2", "0.5 0.6", " 0.5",
                             "0.5, ", "scores.txt"})
        EXPECT_THROW(Given{text}, Error) << text;
}

// And what is written is read again.
TEST_F(ThresholdFiles, StandInAConfiguration) {
    const auto read = [&](const std::string& text) {
        Given given;
        read_config_file(given.settings, write(text));
        const std::string written = as_toml(given.settings);
        Given again;
        read_config_text(again.settings, written, "written");
        EXPECT_EQ(again.thresholds, given.thresholds) << written;
        return std::pair{given.thresholds, written};
    };
    const Thresholds two{{0.4, 0.55}};
    EXPECT_EQ(read("threshold = [0.4, 0.55]").first, two);
    EXPECT_EQ(read("threshold = \"0.4, 0.55\"").first, two);
    EXPECT_EQ(read("threshold = 0.4"), (std::pair{Thresholds{{0.4}}, std::string("threshold = 0.4\n")}));
    EXPECT_EQ(read("threshold = \"scores.json\"").first.file, "scores.json");
    for (const char* wrong : {"[]", "[0.4, 2]", "[0.4, true]", "[0.4, \"scores.json\"]", "true"})
        EXPECT_THROW(read(std::string("threshold = ") + wrong), UsageError) << wrong;
}

TEST(Thresholds, AreOneOrOneAClass) {
    const ClassThresholds all = Given("0.75").logits(card_of(3, true)),
                          each = Given("0.75,0.5,0.25").logits(card_of(3, true));
    for (int64_t c = 0; c < 3; ++c) EXPECT_DOUBLE_EQ(all[c], std::log(3.)) << c;
    EXPECT_DOUBLE_EQ(each[0], std::log(3.));
    EXPECT_DOUBLE_EQ(each[1], 0);
    EXPECT_DOUBLE_EQ(each[2], -std::log(3.));
    EXPECT_DOUBLE_EQ(Given("0.75").logits(card_of(1, false))[0], std::log(3.));
    EXPECT_DOUBLE_EQ(Given().logits(card_of(5, false))[0], 0) << "not given, not refused";
    expect_error<UsageError>("0.5,0.6", card_of(3, true),
                             "2 of them; expected one, or one for each of the net's 3 classes");
    expect_error<UsageError>("0.5,0.6", card_of(1, false), "2 of them; expected one");
    expect_error<UsageError>("0.5", card_of(3, false), "the likeliest is taken");
}

TEST(Thresholds, DecideOfEachClass) {
    const std::vector<float> logits{0.5f, 0.5f, -1.5f, -0.5f, 1.5f, 0.f};  // two pixels of three classes
    ClassThresholds thresholds;
    thresholds.of[0] = 0, thresholds.of[1] = 1, thresholds.of[2] = -1;
    EXPECT_EQ(labels_of(logits.data(), 1, 2, 3, thresholds, LabelForm::bits).u8, (std::vector<uint8_t>{1, 2 | 4}));
}

// Classes by their names, wherever they stand.
TEST_F(ThresholdFiles, AreThoseThatEvalFound) {
    const ModelCard organs = card_of(2, true, {"liver", "tumour"}), one = card_of(1, false);
    const std::string classes = write(
        R"({"classes": [{"name": "tumour", "best_threshold": 0.25}, {"name": "liver", "best_threshold": 0.75}]})");
    Given given(classes);
    const ClassThresholds logits = given.logits(organs);
    EXPECT_DOUBLE_EQ(logits[0], std::log(3.));
    EXPECT_DOUBLE_EQ(logits[1], -std::log(3.));
    EXPECT_EQ(given.thresholds.values, (std::vector<double>{0.75, 0.25})) << "for what is said of them";
    expect_error<UsageError>(classes, card_of(2, false), "the likeliest is taken");
    expect_error<DataError>(classes, card_of(3, true, {"a", "b", "c"}), "scores of 2 classes; the net has 3");
    expect_error<DataError>(classes, card_of(2, true, {"liver", "spleen"}), "no scores of class spleen");
    expect_error<DataError>(classes, one, "no best threshold: these are the scores of another kind of net");
    expect_error<DataError>(classes, card_of(2, true),
                            "its classes have names, such as tumour, and the net's have none");
    const ClassThresholds unnamed = Given(write(R"({"classes": [{"name": "0", "best_threshold": 0.75},
                                                                {"name": "1", "best_threshold": 0.25}]})"))
                                        .logits(card_of(2, true));
    EXPECT_DOUBLE_EQ(unnamed[0], std::log(3.));
    EXPECT_DOUBLE_EQ(unnamed[1], -std::log(3.));
    EXPECT_DOUBLE_EQ(Given(write(R"({"classes": [], "best_threshold": 0.75})")).logits(one)[0], std::log(3.));
    expect_error<DataError>(write(R"({"classes": [{"name": "liver", "best_threshold": 0.75},
                                      {"name": "tumour", "best_threshold": null}]})"),
                            organs, "no pixel of class tumour was scored");
    expect_error<DataError>(path_.string(), organs, "such as `threshold` 0.75,0.5");
    expect_error<DataError>(write(R"({"classes": [{"name": "liver", "best_threshold": 1.5},
                                      {"name": "tumour", "best_threshold": 0.5}]})"),
                            organs, "the best threshold of class liver is 1.5; expected a number above 0");
    expect_error<DataError>(write(R"({"classes": [], "best_threshold": null})"), one,
                            "no pixel of the foreground was scored");
    for (const char* broken :
         {"", "[]", "{}", R"({"classes": 3})", R"({"classes": [1, 2]})", "{\"classes\": [", "\x01"})
        expect_error<DataError>(write(broken), organs, "`threshold`");
    expect_error<DataError>("no such.json", organs, "no such.json");
}

}  // namespace atrous::test
