// What a checkpoint says of itself is looked at before anything is done with it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/io/safetensors.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::Outcome;

struct ModelCardTest : testing::Test {
    fs::path path = fs::temp_directory_path() / ("atrous-card-" + std::to_string(getpid()) + ".safetensors");
    void TearDown() override { fs::remove(path); }

    static json small() {
        return json::parse(R"({"version": 1, "model": "unet", "in_channels": 3, "out_channels": 3, "base_channels": 4,
            "depth": 2, "bilinear": false, "align_corners": true, "full_width": false, "batch_norm": true, "kernel": 3,
            "encoder": "", "output_stride": 0, "rates": [], "aspp_pooling": true, "auxiliary": true,
            "gentle_decoder": false, "separable": false, "height": 32, "width": 48, "mean": [0.5, 0, 0],
            "std": [1, 0.5, 1], "mask_values": "ids,7=ignore", "class_names": ["a", "b", "c"],
            "colours": [0, 16777215, 8388608], "precision": "fp32", "threads": 2,
            "loss": {"name": "ce+dice", "focal_gamma": 2, "tversky_alpha": 0.3, "tversky_beta": 0.7,
                     "tversky_exponent": 0.75, "class_weights": [1, 0.5, 2]},
            "split": {"train_list": "", "val_list": "", "val_pattern": "", "val_fraction": 0.1, "seed": 0,
                      "trained": 9, "validated": 1, "trained_sketch": [1, 2, 3]}})");
    }
    Outcome summary_of(const std::string& card) const {
        io::write_safetensors(path, {}, {{"atrous.recipe", card}}, {.quick = true});
        return test::shell(test::program() + " summary --json --checkpoint " + path.string());
    }
    // `at`: a JSON pointer. One line with code 4 that names the file, the field and what is allowed.
    void expect_refused(const std::string& at, const json& value, const std::string& words) const {
        json card = small();
        card[json::json_pointer(at)] = value;
        const Outcome out = summary_of(card.dump());
        EXPECT_EQ(out.code, 4) << at << "\n" << out.output;
        EXPECT_EQ(out.output.find("atrous: " + path.string() + ": "), 0u) << out.output;
        EXPECT_NE(out.output.find(words), std::string::npos) << at << "\n  said: " << out.output;
        EXPECT_EQ(std::count(out.output.begin(), out.output.end(), '\n'), 1) << out.output;
    }
    void expect_accepted(const std::function<void(json&)>& change) const {
        json card = small();
        change(card);
        const Outcome out = summary_of(card.dump());
        EXPECT_EQ(out.code, 0) << out.output;
    }
};

TEST_F(ModelCardTest, WhatTrainWritesIsRead) {
    expect_accepted([](json&) {});
    const Outcome out = summary_of(small().dump());
    EXPECT_EQ(json::parse(out.output)["width"], 48);
    // From before these existed.
    expect_accepted([](json& r) {
        for (const char* name : {"split", "rates", "encoder", "kernel", "aspp_pooling"}) r.erase(name);
        r["loss"] = "bce+dice";
    });
    expect_accepted([](json& r) { r["class_names"] = r["colours"] = json::array(); });
    expect_accepted([](json& r) { r["model"] = "deeplabv3", r["rates"] = {1, 4096}, r["output_stride"] = 16; });
}

TEST_F(ModelCardTest, NumbersOutOfTheirRangeAreRefused) {
    const struct {
        const char* at;
        std::vector<json> values;
        const char* words;
    } cases[] = {
        {"/width",
         {-1, 0, 7, 8193, int64_t{1} << 31, INT64_MIN, UINT64_MAX, 1e300, 32.5, "32", true, nullptr},
         "expected an integer from 8 to 8192"},
        {"/height", {-1, int64_t{1} << 40}, "height is '"},
        {"/in_channels", {0, -3, 17, int64_t{1} << 32, 3.0}, "in_channels is "},
        {"/out_channels", {0, 256}, "out_channels is '"},
        {"/base_channels", {0, 1025, int64_t{1} << 40}, "expected an integer from 1 to 1024"},
        {"/depth", {0, 9, 1000, (int64_t{1} << 32) + 2}, "expected an integer from 1 to 8"},
        {"/kernel", {0, 16, (int64_t{1} << 32) + 3}, "expected an integer from 1 to 15"},
        {"/output_stride", {-8, 33, int64_t{1} << 33}, "expected an integer from 0 to 32"},
        {"/rates", {{-1}, {0}, {1, 4097}, {1.5}, "6", json::object()}, "rates is "},
        {"/rates", {std::vector<int>(33, 1)}, "expected a list of at most 32"},
        {"/mean", {{0, 0}, {0, 0, 0, 0}, {0, 0, 1e300}, {0, 0, "x"}, 0}, "mean is "},
        {"/std", {{1, 1}, {1, 1, 0}, {1, 1, -1}, {1, 1, nullptr}}, "std is "},
        {"/class_names", {{"a", "b", "c", "d"}, {1}, "a"}, "class_names is "},
        {"/colours", {{0, 0, 0, 0}, {-1}, {1 << 24}, {0.5}}, "colours is "},
        {"/threads", {-1, int64_t{1} << 32}, "threads is "},
        {"/version", {0, 2, 1.5, "1"}, "version"},
        {"/loss/focal_gamma", {-1, "2"}, "loss.focal_gamma is "},
        {"/loss/tversky_alpha", {-0.1}, "loss.tversky_alpha is '-0.1'; expected a number of at least 0"},
        {"/loss/tversky_beta", {-0.1}, "loss.tversky_beta is "},
        {"/loss/tversky_exponent", {0, -1}, "expected a number above 0"},
        {"/loss/class_weights", {{1, -1, 1}, {1, 1, 1, 1}, {"a"}}, "class_weights is "},
        {"/loss/class_weights", {{1, 1}}, "2 numbers for 3 classes"},
        {"/split/val_fraction", {-0.1, 1}, "split.val_fraction is '"},
        {"/split/seed", {-1, 0.5}, "split.seed is "},
        {"/split/trained", {-1}, "split.trained is "},
        {"/split/validated", {-1}, "split.validated is "},
        {"/split/trained_sketch", {{2, 1}, {-1}, {0.5}, "many", std::vector<int>(1025, 1)}, "split.trained_sketch is "},
    };
    for (const auto& c : cases)
        for (const json& value : c.values) expect_refused(c.at, value, c.words);
}

TEST_F(ModelCardTest, WordsThatMeanNothingAreRefused) {
    const std::string unbuilt = "its model card's net cannot be built: ";
    expect_refused("/model", "unett", "model is '\"unett\"'; expected unet, unet11");
    expect_refused("/model", 3, "model is '3'; expected unet");
    expect_refused("/encoder", "resnet19", unbuilt + "encoder 'resnet19' is unknown");
    expect_refused("/kernel", 2, unbuilt + "U-Net: a 2x2 kernel");
    expect_refused("/output_stride", 8, unbuilt + "model unet takes no output stride");
    expect_refused("/precision", "fp8", "precision is '\"fp8\"'; expected one of fp32, tf32, bf16, fp16");
    expect_refused("/mask_values", "0=1,\x1b[2J", "--mask-values '0=1,?[2J'");
    expect_refused("/mask_values", "0=0,1=3", "has class 3, the net has 3 classes");
    expect_refused("/mask_values", "0=0,*=3", "has class 3, the net has 3 classes");
    expect_refused("/loss", "hinge", "--loss hinge: 'hinge' is unknown");
    expect_refused("/loss/name", "bce", "--class-weights: loss bce has none");
    expect_refused("/loss", 7, "loss is '7'; expected an object");
    expect_refused("/split", "no", "split is '\"no\"'; expected an object");
    expect_refused("/batch_norm", 1, "batch_norm is '1'; expected true or false");
    for (const char* text : {"", "{", "[]", "7", "null", "{\"version\":1}"}) {
        const Outcome out = summary_of(text);
        EXPECT_EQ(out.code, 4) << text << "\n" << out.output;
        EXPECT_NE(out.output.find("its model card cannot be read: "), std::string::npos) << out.output;
    }
    const json whole = small();
    for (const auto& [name, value] : whole.items()) {
        json card = whole;
        card.erase(name);
        // What came with later versions may be missing.
        static const std::set<std::string> later{"align_corners", "aspp_pooling",   "auxiliary", "base_channels",
                                                 "batch_norm",    "bilinear",       "depth",     "encoder",
                                                 "full_width",    "gentle_decoder", "kernel",    "output_stride",
                                                 "rates",         "separable",      "split"};
        EXPECT_EQ(summary_of(card.dump()).code, later.count(name) ? 0 : 4) << "without " << name;
    }
    EXPECT_EQ(summary_of(std::string(1 << 20, '[')).code, 4);
}

}  // namespace
}  // namespace atrous
