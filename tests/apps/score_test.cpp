// What eval and predict claim: which samples are scored and whether the net was trained on them, by which mask rule;
// what a probability is; what becomes of images that cannot be read.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/image.h"
#include "engine/io/safetensors.h"
#include "segmentation/split_record.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using test::Outcome, test::program, test::shell;

// Twelve drawings of two classes and of three, in one folder, and nets trained for an epoch on most of them.
class ScoreTest : public testing::Test {
 protected:
    static void SetUpTestSuite() {
        root() = fs::temp_directory_path() / ("atrous score " + std::to_string(getpid()));
        draw("two", 2);
        draw("three", 3);
        trained() = train("two", "net", "--val-fraction 0.25 --seed 5");
        train("three", "softmax", "--val-fraction 0.25 --loss ce+dice");
        train("three", "channels", "--val-fraction 0.25 --loss bce+dice");
    }
    static void TearDownTestSuite() { fs::remove_all(root()); }

    static fs::path& root() {
        static fs::path path;
        return path;
    }
    static Outcome& trained() {
        static Outcome outcome;
        return outcome;
    }
    static std::string quoted(const std::string& name) { return "'" + (root() / name).string() + "'"; }
    static Outcome run(const std::string& arguments) { return shell(program() + " " + arguments); }

    // Bright squares on darkness: the brighter, the higher their class.
    static void draw(const std::string& name, int classes) {
        for (const char* folder : {"images", "masks"}) fs::create_directories(root() / name / folder);
        for (int i = 0; i < 12; ++i) {
            data::Image image = data::make_image<uint8_t>(16, 16, 3), mask = data::make_image<uint8_t>(16, 16, 1);
            for (int p = 0; p < 256; ++p) {
                const int y = p / 16, x = p % 16, at = i % 8;
                const bool inside = y >= at && y < at + 8 && x >= 4 && x < 12;
                mask.u8[size_t(p)] = inside ? uint8_t(1 + (x + i) / 4 % (classes - 1)) : 0;
                for (int c = 0; c < 3; ++c)
                    image.u8[size_t(3 * p + c)] = uint8_t(100 * mask.u8[size_t(p)] + (p * 37 + c * 11) % 23);
            }
            const std::string file = "/p" + std::to_string(i) + ".png";
            data::save_png((root() / name / "images").string() + file, image);
            data::save_png((root() / name / "masks").string() + file, mask);
        }
    }
    static Outcome train(const std::string& data, const std::string& folder, const std::string& more) {
        Outcome outcome = run("train --data " + quoted(data) + " --base-channels 4 --depth 1 --size 16 --epochs 1 " +
                              "--batch-size 3 --lr 1e-2 --threads 2 --output-dir " + quoted(folder) + " " + more);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        return outcome;
    }
    static std::string net(const std::string& folder) {
        return " --checkpoint " + quoted(folder + "/best.safetensors");
    }
    static Outcome eval(const std::string& data, const std::string& folder, const std::string& more = "") {
        return run("eval --data " + quoted(data) + net(folder) + " --per-image " + quoted("images.csv") + " --json " +
                   quoted("scores.json") + " " + more);
    }
    // The last eval's files: each image's Dice by name, and the whole.
    static std::map<std::string, double> image_scores() {
        std::map<std::string, double> scores;
        std::ifstream csv(root() / "images.csv");
        std::string line;
        std::getline(csv, line);
        while (std::getline(csv, line)) {
            const size_t comma = line.find(','), loss_ends = line.find(',', comma + 1);
            scores[line.substr(0, comma)] = std::stod(line.substr(loss_ends + 1));
        }
        return scores;
    }
    static nlohmann::json scores() {
        std::ifstream file(root() / "scores.json");
        return nlohmann::json::parse(file);
    }
    // A copy of a checkpoint with another model card, and `more` added to every bias of the last layer.
    static void copy_net(const std::string& from, const std::string& to,
                         const std::function<void(nlohmann::json&)>& change, float more = 0) {
        const io::SafetensorsFile file((root() / from / "best.safetensors").string());
        std::vector<std::vector<std::byte>> values;
        for (const auto& t : file.tensors()) {
            values.push_back(file.bytes(t));
            float* numbers = reinterpret_cast<float*>(values.back().data());
            if (t.name == "outc.conv.bias")
                for (int64_t i = 0; i < t.shape[0]; ++i) numbers[i] += more;
        }
        std::vector<io::TensorToWrite> tensors;
        for (size_t i = 0; i < values.size(); ++i) {
            const auto& t = file.tensors()[i];
            tensors.push_back(io::tensor_in_memory(t.name, t.dtype, t.shape, values[i].data()));
        }
        auto card = nlohmann::json::parse(file.metadata().at("atrous.recipe"));
        change(card);
        fs::create_directories(root() / to);
        io::write_safetensors((root() / to / "best.safetensors").string(), tensors, {{"atrous.recipe", card.dump()}});
    }
    static std::vector<uint8_t> pixels(const std::string& file) {
        return data::load_image((root() / file).string()).u8;
    }
    static void expect_says(const Outcome& outcome, int code, const std::vector<std::string>& parts) {
        EXPECT_EQ(outcome.code, code) << outcome.output;
        for (const auto& part : parts)
            EXPECT_NE(outcome.output.find(part), std::string::npos) << "lacks: " << part << "\n" << outcome.output;
    }
};

// The files are named by rank, and the ranks are those of the losses in the table by image.
TEST_F(ScoreTest, EvalSavesTheBestAndTheWorst) {
    expect_says(eval("two", "net", "--save best=2,worst=1 -o " + quoted("shown")), 0, {"wrote 3 pictures to "});
    std::vector<std::pair<double, std::string>> losses;
    std::ifstream csv(root() / "images.csv");
    std::string line;
    std::getline(csv, line);
    EXPECT_TRUE(line.starts_with("name,loss,dice,")) << line;
    while (std::getline(csv, line)) {
        const size_t comma = line.find(',');
        std::string name = line.substr(0, comma);
        std::replace(name.begin(), name.end(), '/', '_');
        losses.emplace_back(std::stod(line.substr(comma + 1)), name);
    }
    ASSERT_EQ(losses.size(), 3u);
    EXPECT_TRUE(losses[0].first >= losses[1].first && losses[1].first >= losses[2].first);
    for (const auto& [rank, at] :
         std::vector<std::pair<std::string, size_t>>{{"worst-1", 0}, {"best-2", 1}, {"best-1", 2}})
        EXPECT_TRUE(fs::exists(root() / "shown" / (rank + "_" + losses[at].second + ".png"))) << rank;
    expect_says(eval("two", "net", "--save best=2"), 2, {"--save best=2: needs a folder; name it with --output"});
    expect_says(eval("two", "net", "--save good=2 -o x"), 2, {"expected best=N, worst=N or both"});
    fs::copy_file(root() / "shown" / ("worst-1_" + losses[0].second + ".png"), root() / "shown/worst-9_old.png");
    std::ofstream(root() / "shown/worst-2_theirs.png") << "somebody's";
    expect_says(eval("two", "net", "--save best=1 -o " + quoted("shown")), 0, {"wrote 1 pictures to "});
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator(root() / "shown")) left.push_back(entry.path().filename());
    std::sort(left.begin(), left.end());
    EXPECT_EQ(left, (std::vector<std::string>{"best-1_" + losses[2].second + ".png", "worst-2_theirs.png"}))
        << "pictures of an earlier evaluation";
    std::ofstream(root() / "file") << "no folder";
    expect_says(eval("two", "net", "--save best=1 -o " + quoted("file/shown")), 2,
                {"is no folder; choose another name"});
    std::ofstream(root() / "shown" / ("worst-1_" + losses[0].second + ".png")) << "somebody's";
    expect_says(eval("two", "net", "--save worst=1 -o " + quoted("shown")), 2, {"is not one of this program's"});
}

TEST_F(ScoreTest, EvalScoresWhatTrainingHeldOut) {
    const Outcome held_out = eval("two", "net");
    expect_says(held_out, 0, {"3 images", "9 train, 3 validate"});
    EXPECT_EQ(held_out.output.find("warning"), std::string::npos) << held_out.output;
    // The very line that training ended with: the same samples, rule and size.
    const auto line = [](const std::string& text) {
        const size_t at = text.rfind("Dice", text.find("(mean over images"));
        return text.substr(at, text.find('\n', at) - at);
    };
    EXPECT_EQ(line(held_out.output), line(trained().output)) << held_out.output << trained().output;
    const auto validated = image_scores();
    EXPECT_EQ(validated.size(), 3u);
    EXPECT_EQ(scores().at("trained_on"), 0);

    const Outcome other = eval("two", "net", "--val-fraction 0.5 --seed 8");
    int64_t trained_on = 0;
    for (const auto& [name, dice] : image_scores()) trained_on += validated.count(name) == 0;
    EXPECT_EQ(image_scores().size(), 6u);
    EXPECT_GE(trained_on, 3) << "three of six at most were held out";
    expect_says(other, 0,
                {"warning: " + std::to_string(trained_on) + " of these 6 samples", "--val-fraction 0.25 --seed 5"});
    EXPECT_EQ(scores().at("trained_on"), trained_on);
    expect_says(eval("two", "net", "--split train"), 0, {"warning: 9 of these 9 samples"});
    fs::create_directories(root() / "elsewhere");
    fs::copy(root() / "two", root() / "elsewhere/train", fs::copy_options::recursive);
    expect_says(eval("elsewhere", "net"), 0, {"trained on no sample of this data set", "3 images"});
}

TEST_F(ScoreTest, EvalKnowsListsAndPatternsOfTheTraining) {
    train("two", "pattern", "--val-pattern 'p1?.png'");
    expect_says(eval("two", "pattern"), 0, {"2 images", "p1?.png", "10 train, 2 validate"});
    EXPECT_TRUE(image_scores().count("images/p10") && image_scores().count("images/p11"));

    std::ofstream(root() / "held.txt") << "p2\np5\np7\np8\n";
    // A list is found from any folder, although it was given relative to the working one.
    const Outcome listed = shell("cd " + quoted("") + " && " + program() + " train --data two --val-list held.txt " +
                                 "--base-channels 4 --depth 1 --size 16 --epochs 1 --batch-size 4 --output-dir listed");
    ASSERT_EQ(listed.code, 0) << listed.output;
    const Outcome scored = eval("two", "listed");
    expect_says(scored, 0, {"4 images"});
    EXPECT_EQ(scored.output.find("warning"), std::string::npos) << scored.output;
    EXPECT_TRUE(image_scores().count("images/p5"));
    expect_says(eval("two", "listed", "--val-pattern 'p[012].png'"), 0, {"3 images", "warning: 2 of these 3 samples"});
    expect_says(eval("two", "net", "--val-list " + quoted("held.txt")), 0, {"4 images", "of these 4 samples"});
    fs::rename(root() / "held.txt", root() / "moved.txt");
    expect_says(eval("two", "listed"), 3, {"held.txt", "training split by --val-list", "give its own"});
    expect_says(eval("two", "listed", "--val-list " + quoted("moved.txt")), 0, {"4 images"});
    fs::rename(root() / "moved.txt", root() / "h\xe9ld.txt");  // not UTF-8, as JSON has to be
    train("two", "latin", "--val-list " + quoted("h\xe9ld.txt"));
    expect_says(eval("two", "latin"), 0, {"4 images"});
    EXPECT_TRUE(image_scores().count("images/p5"));
    fs::copy(root() / "two", root() / "caf\xe9", fs::copy_options::recursive);
    train("caf\xe9", "l\xe9t\xe9", "");
    expect_says(run("train --resume " + quoted("l\xe9t\xe9") + " --epochs 2"), 0, {"best checkpoint"});
    // A list of every sample there is: a test set to score, but nothing to train on.
    std::ofstream all(root() / "all.txt");
    for (int i = 0; i < 12; ++i) all << "p" << i << "\n";
    all.close();
    expect_says(eval("two", "listed", "--val-list " + quoted("all.txt")), 0, {"12 images", "8 of these 12 samples"});
    expect_says(run("train --data " + quoted("two") + " --val-list " + quoted("all.txt")), 3, {"is left to train on"});
}

TEST_F(ScoreTest, EvalTakesTheFoldersOfTheTraining) {
    fs::copy(root() / "two", root() / "other", fs::copy_options::recursive);
    fs::rename(root() / "other/images", root() / "other/photos");
    fs::rename(root() / "other/masks", root() / "other/truth");
    train("other", "given", "--images photos --masks 'truth/**/*.png' --test-images 'photos/p1?.png'");
    expect_says(eval("other", "given"), 0, {"1 images", "9 train, 1 validate, 2 test"});
    expect_says(eval("other", "given", "--split test"), 0, {"2 images"});
    EXPECT_TRUE(image_scores().count("photos/p10") && image_scores().count("photos/p11"));
    expect_says(eval("two", "given"), 3,
                {"photos", "no such folder", "the checkpoint's training took --images", "--images ''"});
    expect_says(eval("two", "given", "--images ''"), 0, {"images + masks"});
    expect_says(eval("two", "net", "--split test"), 3, {"has no part test", "--test-images"});
}

TEST_F(ScoreTest, CheckpointsFromBeforeTheSplitWasRecordedLoad) {
    copy_net("net", "old", [](nlohmann::json& card) { card.erase("split"); });
    expect_says(eval("two", "old", "--val-fraction 0.25 --seed 5"), 0, {"3 images", "does not say how"});
    EXPECT_TRUE(scores().at("trained_on").is_null());
    copy_net("net", "wrong", [](nlohmann::json& card) { card["split"]["trained_sketch"] = "many"; });
    expect_says(eval("two", "wrong"), 4, {"model card cannot be read"});
    // A training goes on from one, and then records the split.
    fs::copy(root() / "net", root() / "before");
    const io::SafetensorsFile last((root() / "before/last.safetensors").string());
    auto card = nlohmann::json::parse(last.metadata().at("atrous.recipe"));
    EXPECT_EQ(card.at("split").at("trained"), 9);
    expect_says(run("train --resume " + quoted("before") + " --epochs 2 --val-fraction 0.5"), 0, {});
    const io::SafetensorsFile on((root() / "before/last.safetensors").string());
    card = nlohmann::json::parse(on.metadata().at("atrous.recipe"));
    EXPECT_EQ(card.at("split").at("trained_sketch").size(), 9u) << "what either part was trained on";
}

TEST_F(ScoreTest, EvalShowsTheDataAndWarnsOfClassesThatVanish) {
    expect_says(eval("three", "softmax"), 0, {"masks: the value is the class", "class   2:"});
    // Masks of 0 and 255, where the net's are ids: 255 is ignored, and no object is left.
    fs::create_directories(root() / "white/masks");
    fs::create_directory_symlink(root() / "two/images", root() / "white/images");
    for (int i = 0; i < 12; ++i) {
        const std::string file = "masks/p" + std::to_string(i) + ".png";
        data::Image mask = data::load_image((root() / "two" / file).string());
        for (uint8_t& v : mask.u8) v = v ? 255 : 0;
        data::save_png((root() / "white" / file).string(), mask);
    }
    expect_says(
        eval("white", "softmax", "--split all"), 0,
        {"warning: ", "% of the pixels are ignored while no pixel has class 1, 2", "--mask-values", "ignored: "});
    expect_says(eval("white", "softmax", "--split all --mask-values 0=0,255=2"), 0, {"255 is class 2"});
}

TEST_F(ScoreTest, TheThresholdDecidesAndImagesMakeTheMean) {
    expect_says(run("predict " + quoted("two/images") + net("net") + " --output " + quoted("p") +
                    " --save probability binary --threshold 0.35"),
                0, {"wrote 12 images"});
    int64_t foreground = 0;
    for (int i = 0; i < 12; ++i)
        for (uint8_t v : pixels("p/p" + std::to_string(i) + "_binary.png")) foreground += v == 255;
    expect_says(eval("two", "net", "--split all --threshold 0.35"), 0, {});
    const auto low = scores();
    EXPECT_EQ(low.at("classes").at(1).at("predicted_pixels"), foreground) << "eval and predict agree";
    EXPECT_EQ(low.at("threshold"), 0.35);
    double sum = 0;
    for (const auto& [name, dice] : image_scores()) sum += dice;
    EXPECT_NEAR(sum / 12, low.at("image_dice").get<double>(), 1e-6) << "six digits are written";
    expect_says(eval("two", "net", "--split all --threshold 0.7"), 0, {});
    EXPECT_LT(scores().at("classes").at(1).at("predicted_pixels"), foreground);
    expect_says(eval("three", "softmax", "--threshold 0.7"), 2, {"--threshold", "3 classes"});
    for (const char* verb : {"train --output-dir x", "eval --checkpoint x"})
        expect_says(run(verb + std::string(" --val-fraction 1 --data ") + quoted("two")), 2, {"--val-fraction"});
    expect_says(run("synth --output " + quoted("new") + " --val-fraction 1"), 2, {"--val-fraction"});
}

TEST_F(ScoreTest, TheBestThresholdGivesTheDiceItSays) {
    expect_says(eval("two", "net", "--split all"), 0, {"average precision 0.", "best threshold 0.", "(at 0.5: "});
    const auto usual = scores();
    const double said = usual.at("best_threshold_dice");
    EXPECT_GE(said, usual.at("dice").get<double>());
    std::ostringstream threshold;
    threshold.precision(17);
    threshold << usual.at("best_threshold").get<double>();
    expect_says(eval("two", "net", "--split all --threshold " + threshold.str()), 0, {});
    EXPECT_NEAR(scores().at("dice").get<double>(), said, 1e-9);
    int64_t pixels = 0;
    double error = 0;
    for (const auto& bin : usual.at("calibration_bins")) {
        if (bin.at("pixels") == 0) continue;
        pixels += bin.at("pixels").get<int64_t>();
        error += bin.at("pixels").get<double>() *
                 std::abs(bin.at("accuracy").get<double>() - bin.at("confidence").get<double>());
    }
    EXPECT_EQ(pixels, usual.at("pixels"));
    EXPECT_NEAR(error / double(pixels), usual.at("calibration_error").get<double>(), 1e-9);
    const auto& curve = usual.at("precision_recall");
    EXPECT_EQ(curve.back().at("recall"), 1);
    for (size_t i = 1; i < curve.size(); ++i) EXPECT_GT(curve[i].at("recall"), curve[i - 1].at("recall"));
    expect_says(eval("three", "softmax"), 0, {"\ncalibration error 0."});
    EXPECT_FALSE(scores().contains("average_precision")) << "several classes have no threshold";
}

TEST_F(ScoreTest, BoundariesAreScoredWhereAsked) {
    expect_says(eval("two", "net", "--split all"), 0, {"precision ", "frequency-weighted IoU "});
    EXPECT_FALSE(scores().contains("hd95"));
    // A threshold at which there is foreground to score, however little the net has learnt.
    const std::string all = "--split all --surface --threshold " + scores().at("best_threshold").dump();
    expect_says(eval("two", "net", all + " --native"), 0,
                {"boundary F1 ", "HD95", "at the images' own sizes: boundary F1"});
    const auto narrow = scores();
    EXPECT_EQ(narrow.at("native").at("boundary_f1"), narrow.at("boundary_f1")) << "the images have the net's size";
    expect_says(eval("two", "net", all + " --boundary-tolerance 23"), 0, {});
    const auto object = narrow.at("classes").at(1), wide = scores().at("classes").at(1);
    EXPECT_EQ(object.at("boundary_f1_images"), 12) << "the object is in all";
    ASSERT_GT(object.at("hd95_images"), 0) << "so that this shows something";
    EXPECT_EQ(wide.at("hd95"), object.at("hd95"));
    // Nothing is further than 23 pixels in an image of 16x16.
    EXPECT_DOUBLE_EQ(wide.at("boundary_f1"), wide.at("hd95_images").get<double>() / 12);
    EXPECT_LT(object.at("boundary_f1"), wide.at("boundary_f1"));
    expect_says(eval("two", "net", "--boundary-tolerance 2"), 0, {"--boundary-tolerance", "--surface"});
}

// The likeliest of three classes has at least a third. Logits may be shifted together: the softmax does not change, the
// sigmoids of a loss by channel do.
TEST_F(ScoreTest, TheProbabilityIsThatOfThePredictedClass) {
    const auto predict = [&](const std::string& folder) {
        expect_says(run("predict " + quoted("three/images/p3.png") + net(folder) + " --save probability --output " +
                        quoted(folder + "/out")),
                    0, {"wrote 1"});
        return pixels(folder + "/out/p3_probability.png");
    };
    for (const std::string loss : {"softmax", "channels"}) {
        const auto plain = predict(loss);
        copy_net(
            loss, loss + " shifted", [](nlohmann::json&) {}, 3);
        const auto shifted = predict(loss + " shifted");
        int furthest = 0;
        for (size_t i = 0; i < plain.size(); ++i) furthest = std::max(furthest, std::abs(plain[i] - shifted[i]));
        if (loss == "softmax") {
            EXPECT_LE(furthest, 1) << "of 255: where rounding of the shifted logits meets a half";
            EXPECT_GE(*std::min_element(plain.begin(), plain.end()), 85) << "a third of 255";
        } else {
            EXPECT_GE(furthest, 10) << "a sigmoid sees a shift by 3";
        }
    }
    expect_says(run("predict " + quoted("three/images/p3.png") + net("softmax") + " --output " + quoted("by default")),
                0, {"index"});
    EXPECT_TRUE(fs::exists(root() / "by default/p3_index.png"));
    EXPECT_FALSE(fs::exists(root() / "by default/p3_binary.png")) << "it would merge the classes";
}

TEST_F(ScoreTest, ProbabilitiesArePyTorchs) {
    const std::string python = test::python_with("torch, PIL");
    if (python.empty())
        GTEST_SKIP() << "PyTorch is not installed (apt-get install python3-torch): NOT compared with it";
    std::string files;
    for (const auto& [folder, data] : {std::pair{"net", "two"}, {"softmax", "three"}, {"channels", "three"}}) {
        const std::string name = folder, image = quoted(std::string(data) + "/images/p3.png");
        expect_says(run("predict " + image + net(name) + " --save probability --output " + quoted("torch " + name)), 0,
                    {});
        files += " " + quoted(name + "/best.safetensors") + " " + image + " " +
                 quoted("torch " + name + "/p3_probability.png");
    }
    expect_says(shell(python + " '" + test::test_root() + "/tests/goldens/load_in_pytorch.py'" + files), 0,
                {"largest difference: 0."});
}

TEST_F(ScoreTest, AnImageThatCannotBeReadStopsNoOther) {
    fs::create_directories(root() / "mixed/deeper");
    for (const char* name : {"mixed/a.png", "mixed/z.png", "mixed/deeper/a.png"})
        fs::copy(root() / "two/images/p1.png", root() / name);
    std::ofstream(root() / "mixed/broken.jpg") << "\xff\xd8\xff\xe0 nothing";
    std::ofstream(root() / "mixed/scan.tiff") << std::string("II*\0 nothing", 12);
    const std::string command = "predict " + quoted("mixed") + "/" + net("net") + " --output " + quoted("mixed/out");
    const Outcome outcome = run(command);
    expect_says(outcome, 3, {"wrote 2 images", "2 of 4 images were skipped: ", "broken.jpg", "the TIFF is truncated"});
    EXPECT_NE(outcome.output.find("scan.tiff", outcome.output.find("atrous: ")), std::string::npos)
        << "named at the end: " << outcome.output;
    EXPECT_TRUE(fs::exists(root() / "mixed/out/a_binary.png") && fs::exists(root() / "mixed/out/z_overlay.png"));
    EXPECT_FALSE(fs::exists(root() / "mixed/out/deeper"));
    // Below: folders are kept apart, and what was written before is no input.
    for (int i = 0; i < 2; ++i) expect_says(run(command + " -r"), 3, {"wrote 3 images", "2 of 5 images"});
    EXPECT_TRUE(fs::exists(root() / "mixed/out/deeper/a_binary.png"));
    // Results may lie among the user's images, which are no results because of that.
    expect_says(run("predict " + quoted("mixed") + net("net") + " -r --output " + quoted("mixed")), 3,
                {"passed over 6 results", "wrote 3 images", "2 of 5 images"});
    expect_says(run("predict " + quoted("mixed/scan.tiff") + net("net") + " --output " + quoted("o")), 3,
                {"atrous: " + (root() / "mixed/scan.tiff").string() + ": the TIFF"});
}

TEST_F(ScoreTest, PredictionsReplaceFilesAtOnce) {
    const std::string command = "predict " + quoted("two/images/p1.png") + net("net") + " --output " + quoted("once");
    expect_says(run(command), 0, {});
    const auto before = data::read_file((root() / "once/p1_binary.png").string());
    fs::create_hard_link(root() / "once/p1_binary.png", root() / "once/link");
    const fs::path left = root() / "once/.p1_binary.png.0123456789abcdef.tmp";  // of a run that was killed
    std::ofstream(left) << "half an image";
    std::ofstream(root() / "once/.mine.tmp") << "not ours";
    expect_says(run(command), 0, {});
    EXPECT_EQ(data::read_file((root() / "once/link").string()), before);
    EXPECT_FALSE(fs::equivalent(root() / "once/link", root() / "once/p1_binary.png"))
        << "another file takes the name; the old one is not written into";
    EXPECT_EQ(pixels("once/p1_binary.png").size(), 256u);
    EXPECT_FALSE(fs::exists(left));
    EXPECT_TRUE(fs::exists(root() / "once/.mine.tmp"));
}

// Every bias of the last layer is NaN: no mask is better than a wrong one.
TEST_F(ScoreTest, NanIsNoPrediction) {
    copy_net(
        "net", "nan", [](nlohmann::json&) {}, std::nanf(""));
    const Outcome predicted = run("predict " + quoted("two/images") + net("nan") + " --output " + quoted("nan out"));
    expect_says(predicted, 6, {"NaN or Inf for 12 of 12 images", "p0.png", "wrote 0 images"});
    EXPECT_FALSE(fs::exists(root() / "nan out/p0_binary.png"));
    expect_says(eval("two", "nan"), 6, {"NaN or Inf for 3 of 3 images", "loss -"});
    EXPECT_EQ(scores().at("nonfinite_images").size(), 3u);
    EXPECT_TRUE(scores().at("loss").is_null());
}

TEST_F(ScoreTest, ARunFolderServesAsACheckpoint) {
    const std::string folder = " --checkpoint " + quoted("net");
    expect_says(run("eval --data " + quoted("two") + folder), 0, {"net/best.safetensors", "3 images"});
    expect_says(run("predict " + quoted("two/images/p1.png") + " " + quoted("two/images/p2.png") + folder +
                    " --output " + quoted("several")),
                0, {"wrote 2 images"});
    EXPECT_TRUE(fs::exists(root() / "several/p1_binary.png") && fs::exists(root() / "several/p2_binary.png"));
    expect_says(run("predict " + quoted("two/images/p1.png") + " " + quoted("three/images/p1.png") + folder +
                    " --output " + quoted("several")),
                2, {"would both be called 'p1.png'"});
    expect_says(run("summary" + folder), 0, {"unet"});
    expect_says(run("eval --data " + quoted("two") + " --checkpoint " + quoted("two")), 4,
                {"neither best.safetensors nor last"});
    expect_says(run("convert " + quoted("net/best.safetensors") + " " + quoted("named.pth")), 0, {});
    expect_says(run("eval --data " + quoted("two") + " --checkpoint " + quoted("named.pth")), 2,
                {"does not say what net it is of", "--model"});
    expect_says(run("summary --checkpoint " + quoted("named.pth")), 4, {"PyTorch's", "--pretrained"});
    expect_says(run("train --resume " + quoted("nowhere")), 4, {"no run folder and no checkpoint", "No such file"});
    expect_says(run("train --resume " + quoted("net")), 0, {"nothing is left to train, epoch 1 of 1", "--epochs"});
}

TEST_F(ScoreTest, MoreThreadsThanCoresAreWarnedOf) {
    expect_says(eval("two", "net", "--threads 500"), 0, {"warning: 500 threads on", "use --threads"});
    EXPECT_EQ(eval("two", "net", "--threads 1").output.find("warning: 1 thread"), std::string::npos);
}

TEST_F(ScoreTest, TheLossIsTheSameForEveryBatchSize) {
    expect_says(eval("two", "net", "--split all --batch-size 1"), 0, {});
    const double one = scores().at("loss");
    for (const char* batch : {"5", "12"}) {
        expect_says(eval("two", "net", std::string("--split all --batch-size ") + batch), 0, {});
        // Convolutions of other batch sizes may add in another order: some last bits of float.
        EXPECT_NEAR(scores().at("loss").get<double>(), one, 1e-5 * one) << batch << " images at once";
    }
}

TEST_F(ScoreTest, AScoreThatIsNotDefinedIsAbsent) {
    fs::create_directories(root() / "empty/masks");
    fs::create_directory_symlink(root() / "two/images", root() / "empty/images");
    for (int i = 0; i < 12; ++i)
        data::save_png((root() / "empty/masks/p").string() + std::to_string(i) + ".png",
                       data::make_image<uint8_t>(16, 16, 1));
    // A net that never claims the object.
    copy_net(
        "net", "silent", [](nlohmann::json&) {}, -100);
    expect_says(eval("empty", "silent", "--split all"), 0, {"Dice - (mean over images -)", "class 1"});
    EXPECT_TRUE(scores().at("dice").is_null());
    std::ifstream csv(root() / "images.csv");
    std::string heading, line;
    std::getline(csv, heading);
    std::getline(csv, line);
    EXPECT_NE(line.find(",,1.000000"), std::string::npos) << "no Dice, the background's IoU: " << line;
}

// The same files by other names: a list that spells them otherwise, another folder that leads to them.
TEST_F(ScoreTest, WhatWasTrainedOnIsKnownByItsFile) {
    fs::create_directory_symlink(root() / "two", root() / "renamed");
    fs::create_directories(root() / "parent");
    fs::create_directory_symlink(root() / "two", root() / "parent/inner");
    std::ofstream list(root() / "parent/all.txt");
    for (int i = 0; i < 12; ++i) list << "./inner//images/p" << i << ".png ./inner/masks/p" << i << ".png\n";
    list.close();
    for (const char* data : {"renamed", "two"})
        expect_says(eval(data, "net", "--split all"), 0, {"warning: 9 of these 12 samples"});
    expect_says(
        eval("parent", "net", "--val-list " + quoted("parent/all.txt") + " --train-list " + quoted("parent/all.txt")),
        0, {"warning: 9 of these 12 samples"});
}

TEST_F(ScoreTest, NamesWithTerminalEscapesAreShownWithoutThem) {
    const std::string name = "a\033[31mred\a";
    fs::create_directories(root() / "escapes");
    fs::copy(root() / "two/images/p1.png", root() / "escapes" / (name + ".png"));
    const Outcome outcome = run("predict " + quoted("escapes") + net("net") + " --output " + quoted("escapes out"));
    expect_says(outcome, 0, {"a?[31mred?.png"});
    std::ofstream(root() / "escapes" / (name + "broken.png")) << "nothing";
    expect_says(run("predict " + quoted("escapes") + net("net") + " --output " + quoted("escapes out")), 3,
                {"a?[31mred?broken.png"});
    EXPECT_EQ(run("predict " + quoted("escapes") + net("net") + " --output " + quoted("escapes out"))
                  .output.find_first_of("\033\a"),
              std::string::npos);
}

// A plain .pth with options that only NetOptions knows: the same logits as the checkpoint that names them itself.
TEST_F(ScoreTest, ForwardBuildsTheNetItIsTold) {
    const std::string options = "--kernel 5 --bilinear --no-align-corners --full-width";
    train("two", "kernels", options);
    expect_says(run("convert " + quoted("kernels/best.safetensors") + " " + quoted("plain.pth")), 0, {});
    std::vector<float> x(3 * 16 * 16);
    for (size_t i = 0; i < x.size(); ++i) x[i] = float(i % 97) / 97;
    io::write_safetensors((root() / "x.safetensors").string(),
                          {io::tensor_in_memory("x", DType::f32, {1, 3, 16, 16}, x.data())});
    const auto forward = [&](const std::string& checkpoint, const std::string& more) {
        const Outcome outcome = run("forward --checkpoint " + checkpoint + " --input " + quoted("x.safetensors") +
                                    " --output " + quoted("y.safetensors") + " --threads 2 " + more);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        const io::SafetensorsFile y((root() / "y.safetensors").string());
        return y.bytes(y.at("y"));
    };
    EXPECT_EQ(forward(quoted("plain.pth"), "--base-channels 4 --depth 1 " + options),
              forward(quoted("kernels/best.safetensors"), ""));
    expect_says(run("forward --checkpoint " + quoted("plain.pth") + " --input " + quoted("x.safetensors") +
                    " --output " + quoted("y.safetensors") + " --base-channels 4 --depth 1 --no-batch-norm " + options),
                4, {"tensors are missing", "--encoder"});
}

std::vector<data::Sample> named(const std::string& prefix, int from, int to) {
    std::vector<data::Sample> samples;
    for (int i = from; i < to; ++i) samples.push_back({"", "", prefix + std::to_string(i)});
    return samples;
}

TEST(Split, SaysHowManySamplesWereTrainedOn) {
    const SplitRecord few = record_split({}, {named("a", 0, 500), named("a", 500, 600)});
    EXPECT_EQ(trained_among(few, named("a", 500, 600)), 0);
    EXPECT_EQ(trained_among(few, named("a", 450, 600)), 50) << "exact, of so few";
    EXPECT_EQ(trained_among(few, named("b", 0, 600)), 0);

    const SplitRecord many = record_split({}, {named("a", 0, 20000), named("a", 20000, 22000)});
    EXPECT_EQ(many.sketch.size(), sketch_size);
    EXPECT_EQ(trained_among(many, named("a", 20000, 22000)), 0);
    // 1024 of 20000 are known, so of 4000 about 205, give or take 13 (one standard deviation).
    EXPECT_NEAR(double(trained_among(many, named("a", 16000, 22000))), 4000, 4000 * 3 * 13 / 205.0);
    EXPECT_EQ(trained_among(many, named("a", 0, 20000)), 20000);

    const SplitRecord both = joined(few, record_split({}, {named("b", 0, 100)}));
    EXPECT_EQ(both.trained, 600);
    EXPECT_EQ(trained_among(both, named("b", 50, 150)), 50);
    EXPECT_EQ(trained_among(both, named("a", 490, 510)), 10);
}

}  // namespace
}  // namespace atrous
