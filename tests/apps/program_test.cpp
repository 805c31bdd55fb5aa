// The program as a user runs it: drawn data, training, interruption and resumption, evaluation, prediction, and errors.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/image.h"
#include "engine/io/checkpoint.h"
#include "engine/io/safetensors.h"
#include "kernels/gpu/runtime.h"
#include "tests/apps/program.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;

using test::Outcome, test::program, test::shell;

class ProgramTest : public test::WithDrawnData<ProgramTest> {
 protected:
    static void SetUpTestSuite() { draw("program", 24); }
    static Outcome run(const std::string& arguments) { return shell(program() + " " + arguments); }
    static std::string small_training(const std::string& run_folder, const std::string& more = "", int epochs = 3) {
        return "train --data " + quoted("data") + " --base-channels 4 --depth 2 --size 32 --epochs " +
               std::to_string(epochs) + " --batch-size 4 --lr 1e-3 --threads 2 --output-dir " + quoted(run_folder) +
               " " + more;
    }
    static std::string text_of(const std::string& file) {
        std::ifstream in(root() / file, std::ios::binary);
        return {std::istreambuf_iterator<char>(in), {}};
    }
    static std::vector<std::byte> weights(const std::string& file) {
        const io::SafetensorsFile f((root() / file).string());
        std::vector<std::byte> all;
        for (const auto& t : f.tensors())
            for (std::byte b : f.bytes(t)) all.push_back(b);
        return all;
    }
};

TEST_F(ProgramTest, ADryRunShowsTheExperimentAndWritesNothing) {
    const Outcome shown = run(small_training("dry", "--dry-run --lr 0.125"));
    EXPECT_EQ(shown.code, 0) << shown.output;
    for (const char* words :
         {"lr = 0.125\n", "classes = 2\n", "loss = \"bce+dice\"\n", "no run folder was made or changed"})
        EXPECT_NE(shown.output.find(words), std::string::npos) << words << "\n" << shown.output;
    EXPECT_FALSE(fs::exists(root() / "dry"));
}

TEST_F(ProgramTest, AReportThatCannotBeWrittenEndsNoTraining) {
    ASSERT_EQ(run(small_training("blocked", "")).code, 0);
    fs::remove(root() / "blocked/report.html");
    fs::create_directories(root() / "blocked/report.html/in the way");
    const Outcome resumed = run("train --resume " + quoted("blocked") + " --epochs 4");
    EXPECT_EQ(resumed.code, 0) << resumed.output;
    const size_t at = resumed.output.find("the training goes on without its report");
    EXPECT_NE(at, std::string::npos) << resumed.output;
    EXPECT_EQ(resumed.output.find("without its report", at + 40), std::string::npos) << "said twice\n"
                                                                                     << resumed.output;
}

TEST_F(ProgramTest, ReportsAreWrittenAnewAndComparisonsReplaceNobodysFile) {
    ASSERT_EQ(run(small_training("told", "")).code, 0);
    fs::remove(root() / "told/report.html");
    EXPECT_EQ(run("report " + quoted("told")).code, 0);
    EXPECT_TRUE(fs::exists(root() / "told/report.html"));
    std::ofstream(root() / "told/metrics.csv", std::ios::app) << "4,";
    const Outcome both = run("report " + quoted("told") + " " + quoted("told") + " -o " + quoted("both.html"));
    EXPECT_EQ(both.code, 0) << both.output;
    EXPECT_NE(both.output.find("metrics.csv:5: is cut off or damaged"), std::string::npos) << both.output;
    std::ofstream(root() / "theirs.html") << "<html>";
    EXPECT_EQ(run("report " + quoted("told") + " -o " + quoted("theirs.html")).code, 2);
    EXPECT_EQ(run("report " + quoted("data")).code, 2);
}

TEST_F(ProgramTest, AReportReplacesNoOtherFileOfARun) {
    ASSERT_EQ(run(small_training("reported", "", 1)).code, 0);
    const std::string before = text_of("reported/best.safetensors");
    const Outcome refused =
        run("report " + quoted("reported") + " --overwrite -o " + quoted("reported/best.safetensors"));
    EXPECT_EQ(refused.code, 2) << refused.output;
    EXPECT_NE(refused.output.find("is a file of the run folder"), std::string::npos) << refused.output;
    EXPECT_EQ(text_of("reported/best.safetensors"), before);
    EXPECT_EQ(run("report " + quoted("reported/") + " -o " + quoted("reported.html")).code, 0);
    EXPECT_NE(text_of("reported.html").find("<title>reported "), std::string::npos) << "a run without a name";
}

TEST_F(ProgramTest, AResumedTrainingKeepsWhatItCannotRead) {
    ASSERT_EQ(run(small_training("older", "", 1)).code, 0);
    std::ofstream(root() / "older/report.html") << "<html>mine";
    const std::string record = text_of("older/report.json");
    const Outcome theirs = run("train --resume " + quoted("older") + " --epochs 2");
    EXPECT_EQ(theirs.code, 0) << theirs.output;
    EXPECT_NE(theirs.output.find("older/report.html: is not one of this program's and stays"), std::string::npos)
        << theirs.output;
    EXPECT_EQ(theirs.output.find(", report.html"), std::string::npos) << "said to be written\n" << theirs.output;
    EXPECT_EQ(text_of("older/report.html"), "<html>mine");
    EXPECT_EQ(text_of("older/report.json"), record);
    const Outcome early = run("report " + quoted("older") + " -o " + quoted("older.html"));
    EXPECT_NE(early.output.find("report.json: ends at epoch 1, metrics.csv at epoch 2"), std::string::npos)
        << early.output;
    fs::remove(root() / "older/report.html");
    std::ofstream(root() / "older/report.json") << record.substr(0, 100);
    const Outcome damaged = run("train --resume " + quoted("older") + " --epochs 3");
    EXPECT_EQ(damaged.code, 0) << damaged.output;
    EXPECT_NE(damaged.output.find("is damaged and left out; it is kept as "), std::string::npos) << damaged.output;
    EXPECT_EQ(text_of("older/report.json.previous"), record.substr(0, 100));
    const auto noted = nlohmann::json::parse(text_of("older/report.json"));
    EXPECT_EQ(noted["epochs"].size(), 1u);
    run("train --resume " + quoted("older"));  // nothing is left to train
    EXPECT_EQ(nlohmann::json::parse(text_of("older/report.json"))["sessions"].size(), 1u);
}

TEST_F(ProgramTest, AnEpochThatWasResumedWithinHasNoTimeOfItsOwn) {
    ASSERT_EQ(run(small_training("within", "--max-hours 1e-9", 2)).code, 0);
    const io::SafetensorsFile saved((root() / "within/last.safetensors").string());
    ASSERT_GT(io::training_progress(saved).batch, 0) << "it was to end within an epoch";
    const Outcome resumed = run("train --resume " + quoted("within") + " --max-hours 0");
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    const auto epochs = nlohmann::json::parse(text_of("within/report.json"))["epochs"];
    ASSERT_EQ(epochs.size(), 2u);
    EXPECT_TRUE(epochs[0]["train_seconds"].is_null()) << epochs[0];
    EXPECT_TRUE(epochs[0]["val_seconds"].is_number()) << epochs[0];
    EXPECT_TRUE(epochs[1]["train_seconds"].is_number()) << epochs[1];
}

TEST_F(ProgramTest, ADryRunOfAResumptionChangesNothingInTheFolder) {
    ASSERT_EQ(run(small_training("still", "", 2)).code, 0);
    fs::remove(root() / "still/last.safetensors");  // its predecessor would take its place
    const auto contents = [] {
        std::map<std::string, std::string> files;
        for (const auto& entry : fs::directory_iterator(root() / "still"))
            files[entry.path().filename()] = text_of("still/" + entry.path().filename().string());
        return files;
    };
    const auto before = contents();
    const Outcome dry = run("train --resume " + quoted("still") + " --epochs 4 --dry-run");
    EXPECT_EQ(dry.code, 0) << dry.output;
    EXPECT_TRUE(contents() == before) << dry.output;
}

TEST_F(ProgramTest, TrainsEvaluatesAndPredicts) {
    const Outcome trained = run(small_training("whole", "--sheet-rows 3"));
    ASSERT_EQ(trained.code, 0) << trained.output;
    for (const char* words : {"--base-channels", "all-foreground", "untrained", "best checkpoint"})
        EXPECT_NE(trained.output.find(words[0] == '-' ? words + 2 : words), std::string::npos) << words << "\n"
                                                                                               << trained.output;
    for (const char* file : {"best.safetensors", "last.safetensors", "config.toml", "metrics.csv", "samples.png"})
        EXPECT_TRUE(fs::exists(root() / "whole" / file)) << file;
    std::ifstream csv(root() / "whole" / "metrics.csv");
    int lines = 0;
    for (std::string line; std::getline(csv, line);) ++lines;
    EXPECT_EQ(lines, 4) << "a heading and three epochs";

    const Outcome scored = run("eval --data " + quoted("data") + " --checkpoint " + quoted("whole/best.safetensors") +
                               " --sheet " + quoted("sheet.png") + " --sheet-rows 2");
    ASSERT_EQ(scored.code, 0) << scored.output;
    EXPECT_NE(scored.output.find("6 images"), std::string::npos) << scored.output;
    const auto height_of_sheet = [](int64_t rows) { return 84 + rows * (192 + 20) + (rows - 1) * 12 + 16; };
    EXPECT_EQ(data::load_image((root() / "sheet.png").string()).h, height_of_sheet(2));
    EXPECT_EQ(data::load_image((root() / "whole/samples.png").string()).h, height_of_sheet(3));
    const Outcome without =
        run("eval --data " + quoted("data") + " --checkpoint " + quoted("whole") + " --sheet-rows 2");
    EXPECT_NE(without.output.find("--sheet-rows changes nothing here: it belongs to --sheet"), std::string::npos)
        << without.output;

    const Outcome predicted =
        run("predict " + quoted("data/val/images") + " --checkpoint " + quoted("whole/best.safetensors") +
            " --output " + quoted("out") + " --save index binary probability overlay");
    ASSERT_EQ(predicted.code, 0) << predicted.output;
    int files = 0;
    for (const auto& entry : fs::directory_iterator(root() / "out")) {
        const data::Image image = data::load_image(entry.path().string());
        EXPECT_EQ(image.h, 32);
        EXPECT_EQ(image.w, 32);
        ++files;
    }
    EXPECT_EQ(files, 24) << "four images for each of six";
}

TEST_F(ProgramTest, TheSameSeedGivesTheSameWeightsForAnyNumberOfWorkers) {
    const int epochs = 10;  // of five steps
    ASSERT_EQ(run(small_training("w0", "--workers 0", epochs)).code, 0);
    for (const char* workers : {"1", "2", "3", "4"}) {
        const std::string name = std::string("w") + workers;
        const std::string cache = *workers == '3' ? " --cache 0" : "";
        ASSERT_EQ(run(small_training(name, "--workers " + std::string(workers) + cache, epochs)).code, 0);
        EXPECT_EQ(weights("w0/last.safetensors"), weights(name + "/last.safetensors")) << workers << " workers";
    }
}

TEST_F(ProgramTest, AKilledTrainingResumesToTheSameWeights) {
    ASSERT_EQ(run(small_training("straight", "", 4)).code, 0);
    const auto expected = weights("straight/last.safetensors");
    int killed = 0;
    for (const char* delay : {"0.15", "0.35", "0.6"}) {
        const std::string folder = std::string("killed") + delay;
        const Outcome outcome =
            shell("timeout -s KILL " + std::string(delay) + " " + program() + " " + small_training(folder, "", 4));
        if (!fs::exists(root() / folder / "last.safetensors")) continue;  // killed before its first epoch ended
        killed += outcome.code != 0;
        const Outcome resumed = run("train --resume " + quoted(folder));
        ASSERT_EQ(resumed.code, 0) << resumed.output;
        EXPECT_EQ(weights(folder + "/last.safetensors"), expected) << "killed after " << delay << " s";
    }
    // The interruption by request works at any moment, in the middle of an epoch too. The signal is sent once the
    // first epoch has been reported, however slow the machine is.
    for (const auto& [signal, code] : {std::pair{"INT", 130}, {"TERM", 143}, {"HUP", 129}}) {
        const std::string folder = std::string("signal") + signal, log = quoted(folder + ".log");
        const Outcome outcome =
            shell(program() + " " + small_training(folder, "", 4000) + " >" + log +
                  " 2>&1 & pid=$!; until grep -qs 'train loss' " + log + "; do sleep 0.02; done; kill -s " + signal +
                  " $pid; wait $pid; code=$?; cat " + log + "; exit $code");
        EXPECT_EQ(outcome.code, code) << outcome.output;
        EXPECT_NE(outcome.output.find("--resume"), std::string::npos) << outcome.output;
        EXPECT_TRUE(fs::exists(root() / folder / "last.safetensors"));
    }
}

TEST_F(ProgramTest, ATrainingOutlivesItsPagerAndUnderNohupItsTerminal) {
    ASSERT_EQ(run(small_training("undisturbed")).code, 0);
    const auto expected = weights("undisturbed/last.safetensors");
    // The reader is gone after the first epoch; what is written to the pipe later is lost, the training is not.
    shell("{ " + program() + " " + small_training("piped") + " 2>&1; echo $? >" + quoted("piped.code") +
          "; } | grep -q 'train loss'");
    EXPECT_EQ(weights("piped/last.safetensors"), expected);
    EXPECT_TRUE(fs::exists(root() / "piped" / "confusion.csv"));
    int code = -1;
    std::ifstream(root() / "piped.code") >> code;
    EXPECT_EQ(code, 0) << "whoever closed the pipe knows; the training is whole";

    if (fs::exists("/dev/full")) {
        const Outcome full = shell("{ " + program() + " summary >/dev/full; }");
        EXPECT_EQ(full.code, 4);
        EXPECT_NE(full.output.find("standard output: No space left on device"), std::string::npos) << full.output;
    }
    const std::string log = quoted("nohup.log");
    const Outcome outcome =
        shell("(trap '' HUP; exec " + program() + " " + small_training("nohup", "", 40) + ") >" + log +
              " 2>&1 & pid=$!; until grep -qs 'train loss' " + log + "; do sleep 0.01; done; kill -s HUP $pid; " +
              "wait $pid; code=$?; cat " + log + "; exit $code");
    EXPECT_EQ(outcome.code, 0) << outcome.output;
    EXPECT_NE(outcome.output.find("best checkpoint"), std::string::npos) << outcome.output;
}

TEST_F(ProgramTest, OptionsThatChangeNothingAreSaid) {
    const auto warnings = [](const std::string& options) {
        const std::string text = run("train --data /nowhere --device cpu " + options).output;
        std::vector<std::string> lines;
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);)
            if (line.starts_with("warning: ")) lines.push_back(line);
        return lines;
    };
    EXPECT_EQ(warnings("--patience 3 --momentum 0.5 --tversky-alpha 0.2").size(), 3u);
    EXPECT_EQ(warnings("--patience 3").at(0),
              "warning: --patience changes nothing here: it belongs to --schedule plateau");
    EXPECT_TRUE(warnings("--schedule plateau --patience 3 --optimizer sgd --momentum 0.5 --loss tversky "
                         "--tversky-alpha 0.2 --classes 3")
                    .empty());
    EXPECT_TRUE(warnings("--loss focal+dice --focal-gamma 1 --classes 3").empty());
    EXPECT_EQ(warnings("--loss focal-tversky --focal-gamma 1 --classes 3").size(), 1u);
    EXPECT_EQ(warnings("--loss 'focal(gamma=2)' --focal-gamma 1 --classes 3").size(), 1u);
}

// Three classes from grey masks, softmax losses, weights from the data, ignored pixels, the confusion matrix.
// Scale and crop go by (seed, epoch, sample), the plateau by the checkpoint: two epochs and a resumption are four.
TEST_F(ProgramTest, AugmentedTrainingsResumeToTheSameWeights) {
    const std::string choices =
        "--scale 0.5 1.5 --crop 40x24 --optimizer sgd --nesterov --momentum 0.8 --schedule plateau --patience 0 "
        "--factor 0.5 --monitor loss --patience-stop 3";
    const Outcome straight = run(small_training("chosen", choices, 4));
    ASSERT_EQ(straight.code, 0) << straight.output;
    EXPECT_NE(straight.output.find("of 40x24 at once"), std::string::npos) << straight.output;
    ASSERT_EQ(run(small_training("chosen in two", choices, 2)).code, 0);
    const Outcome resumed = run("train --resume " + quoted("chosen in two") + " --epochs 4");
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(weights("chosen in two/last.safetensors"), weights("chosen/last.safetensors"));
    ASSERT_EQ(run(small_training("plain", "", 4)).code, 0);
    EXPECT_NE(weights("plain/last.safetensors"), weights("chosen/last.safetensors")) << "the choices changed nothing";
}

TEST_F(ProgramTest, ATrainingWhoseHoursAreOverSavesAndGoesOnToTheSameWeights) {
    const std::string loss = "--loss '0.5*bce + 0.5 * dice(smooth=0, groups=sample)'";
    ASSERT_EQ(run(small_training("all hours", loss, 2)).code, 0);
    const Outcome stopped = run(small_training("hours", loss + " --max-hours 1e-9", 2));
    ASSERT_EQ(stopped.code, 0) << stopped.output;
    EXPECT_NE(stopped.output.find("ended after step 1 and 1e-09 hours; saved "), std::string::npos) << stopped.output;
    const Outcome resumed =
        run("train --max-hours 0 --loss '0.5*bce+0.5*dice( smooth=0.0,groups=sample )' --resume " + quoted("hours"));
    ASSERT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_EQ(weights("hours/last.safetensors"), weights("all hours/last.safetensors"));
}

TEST_F(ProgramTest, ARecipeIsSettingsThatGiveWay) {
    EXPECT_NE(run("recipes").output.find("carvana-unet"), std::string::npos);
    EXPECT_NE(run("recipes carvana-unet").output.find("size = \"240x160\""), std::string::npos);
    const Outcome trained = run(small_training("by recipe", "--recipe carvana-unet", 1));
    ASSERT_EQ(trained.code, 0) << trained.output;
    EXPECT_NE(trained.output.find("loss bce;"), std::string::npos) << "the recipe's: " << trained.output;
    EXPECT_EQ(trained.output.find("240x160"), std::string::npos) << "the command line's size goes before";
    const Outcome unknown = run("train --recipe carvana --data somewhere");
    EXPECT_EQ(unknown.code, 2);
    EXPECT_NE(unknown.output.find("recipe 'carvana' is unknown"), std::string::npos) << unknown.output;
}

TEST_F(ProgramTest, TrainsOnSeveralClasses) {
    fs::create_directories(root() / "classes/images");
    fs::create_directories(root() / "classes/masks");
    for (int i = 0; i < 8; ++i) {
        data::Image image = data::make_image<uint8_t>(16, 16, 3), mask = data::make_image<uint8_t>(16, 16, 1);
        for (size_t p = 0; p < 256; ++p) {
            mask.u8[p] = p % 16 == 0 ? 9 : uint8_t((p / 16 + size_t(i)) / 4 % 3);
            for (size_t c = 0; c < 3; ++c) image.u8[3 * p + c] = uint8_t(60 * mask.u8[p] + 10);
        }
        const std::string name = "/" + std::to_string(i) + ".png";
        data::save_png((root() / "classes/images").string() + name, image);
        data::save_png((root() / "classes/masks").string() + name, mask);
    }
    const auto train = [&](const std::string& folder, const std::string& more, const std::string& val = "0.25") {
        return run("train --data " + quoted("classes") + " --mask-values ids,9=ignore --base-channels 4 --depth 2 " +
                   "--size 16 --epochs 2 --batch-size 4 --lr 1e-2 --val-fraction " + val + " --output-dir " +
                   quoted(folder) + " " + more);
    };
    const Outcome trained = train("auto", "");
    ASSERT_EQ(trained.code, 0) << trained.output;
    for (const char* words : {"loss ce+dice", "everywhere Dice", "untrained net Dice", "confusion.csv"})
        EXPECT_NE(trained.output.find(words), std::string::npos) << words << "\n" << trained.output;
    std::ifstream toml(root() / "auto/config.toml");
    const std::string config{std::istreambuf_iterator<char>(toml), {}};
    for (const char* line : {"classes = 3", "loss = \"ce+dice\"", "mask-values = \"ids,9=ignore\""})
        EXPECT_NE(config.find(line), std::string::npos) << "not as resolved: " << line << "\n" << config;
    const Outcome longer = run("train --epochs 3 --resume " + quoted("auto"));
    EXPECT_EQ(longer.code, 0) << longer.output;
    const std::string here = "cd " + quoted("") + " && " + program() + " train --pretrained auto/best.safetensors ";
    const Outcome tuned =
        shell(here + "--data classes --mask-values ids,9=ignore --base-channels 4 --depth 2 --size 16" +
              " --epochs 1 --output-dir tuned");
    ASSERT_EQ(tuned.code, 0) << tuned.output;
    const std::string path = "pretrained = \"" + (root() / "auto/best.safetensors").string() + "\"";
    EXPECT_EQ(shell("grep -cF '" + path + "' " + quoted("tuned/config.toml")).code, 0) << "no absolute path";
    const Outcome misfit = shell(here + "--data nowhere --base-channels 8 --depth 2");
    EXPECT_EQ(misfit.code, 4) << "not found before the data were read: " << misfit.output;
    const Outcome unvalidated = train("unvalidated", "", "0");
    ASSERT_EQ(unvalidated.code, 0) << unvalidated.output;
    std::ifstream metrics(root() / "unvalidated/metrics.csv");
    std::string row;
    for (int i = 0; i < 2; ++i) std::getline(metrics, row);
    EXPECT_NE(row.find(",,,,,,"), std::string::npos) << "scores that nobody measured: " << row;
    const Outcome weighted = train("focal", "--loss focal+tversky --class-weights median");
    ASSERT_EQ(weighted.code, 0) << weighted.output;
    EXPECT_NE(weighted.output.find("class weights"), std::string::npos) << weighted.output;
    const Outcome listed = train("listed", "--loss ce --class-weights 1,2");
    EXPECT_EQ(listed.code, 2) << listed.output;
    EXPECT_NE(listed.output.find("2 numbers for 3 classes"), std::string::npos) << listed.output;

    const Outcome scored = run("eval --data " + quoted("classes") + " --checkpoint " +
                               quoted("focal/best.safetensors") + " --confusion " + quoted("confusion.csv"));
    ASSERT_EQ(scored.code, 0) << scored.output;
    std::ifstream csv(root() / "confusion.csv");
    std::string line;
    std::getline(csv, line);
    EXPECT_EQ(line, "truth\\predicted,class 0,class 1,class 2");
    int64_t pixels = 0, rows = 0;
    while (std::getline(csv, line)) {
        std::stringstream cells(line.substr(line.find(',') + 1));
        for (std::string cell; std::getline(cells, cell, ',');) pixels += std::stoll(cell);
        ++rows;
    }
    EXPECT_EQ(rows, 3);
    EXPECT_EQ(pixels, 2 * 16 * 15) << "two validation images without their ignored column";
}

TEST_F(ProgramTest, MistakesAreOneLineWithADocumentedCode) {
    std::ofstream(root() / "not a checkpoint") << "hello";
    fs::create_directories(root() / "empty");
    const std::string data = quoted("data");
    const std::vector<std::tuple<std::string, int, std::string>> mistakes{
        {"", 2, "verb"},
        {"tain", 2, "tain"},
        {"train", 2, "--data"},
        {"train --data " + quoted("nowhere"), 3, "nowhere"},
        {"train --data " + quoted("empty"), 3, "empty"},
        {"train --data " + data + " --epochs 0", 2, "--epochs"},
        {"bench", 2, "bench kernels"},
        {"bench kernels", 2, "--op"},
        {"bench kernels --op conv2d", 2, "shape"},
        {"bench kernels --op relu --shape 16x16", 2, "16x16"},
        {"bench kernels --op relo --shape 1x2x3x4", 2, "relu"},
        {"bench kernels --model unet --predict H2000", 2, "H200"},
        {"train --data " + data + " --lr -1", 2, "--lr"},
        {"train --data " + data + " --epoch 3", 2, "--epochs"},
        {"train --data " + data + " --loss ce+cee", 2, "ce+cee"},
        {"train --data " + data + " --class-weights 1,two", 2, "two"},
        {"train --data " + data + " --class-weights enet", 2, "bce+dice"},
        {"train --data " + data + " --scale 2 1", 2, "--scale"},
        {"train --data " + data + " --crop 64x", 2, "--crop takes N or WIDTHxHEIGHT"},
        {"train --data " + data + " --nesterov", 2, "--optimizer sgd"},
        {"train --data " + data + " --optimizer rmsprop --nesterov", 2, "--optimizer sgd"},
        {"train --data " + data + " --base-channels 4 --size 32 --encoder-lr 0.1", 2, "no encoder"},
        {"train --data " + data + " --base-channels 4 --size 32 --aux-lr 10", 2, "aux_classifier"},
        {"train --data " + data + " --device cuda:99", 5, "cuda"},
        {"train --data " + data + " --device toaster", 2, "toaster"},
        {"train --data " + data + " --kernels sinmt", 2, "did you mean simt?"},
        {"train --data " + data + " --device cpu --precision fp16", 2, "bf16"},
        {"train --data " + data + " --mask-values 7=1", 3, "masks"},
        {"train --data " + data + " --config " + quoted("nowhere.toml"), 4, "nowhere.toml"},
        {"eval --data " + data + " --checkpoint " + quoted("not a checkpoint"), 4, "not a checkpoint"},
        {"predict " + data + "/nothing.png --checkpoint " + quoted("not a checkpoint") + " -o " + quoted("o"), 3,
         "nothing.png"},
        {"synth --output " + data, 2, "not empty"},
    };
    for (const auto& [arguments, code, words] : mistakes) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.output;
        EXPECT_NE(outcome.output.find(words), std::string::npos) << arguments << "\n" << outcome.output;
        const auto at = outcome.output.find("atrous: ");
        ASSERT_NE(at, std::string::npos) << arguments << "\n" << outcome.output;
        EXPECT_EQ(outcome.output.find('\n', at), outcome.output.size() - 1)
            << "one line, the last one: " << outcome.output;
    }
}

// With a data set that does not exist, exit code 3 would mean that the mistake was not noticed before the data were
// read.
TEST_F(ProgramTest, MistakesInWordsAreFoundBeforeTheDataAreRead) {
    fs::create_directories(root() / "holds a training");
    std::ofstream(root() / "holds a training/last.safetensors") << "something";
    const std::vector<std::tuple<std::string, int, std::string>> mistakes{
        {"--kernel 4", 2, "kernel"},
        {"--encoder foo", 2, "foo"},
        {"--model deeplabv3 --output-stride 12", 2, "12"},
        {"--freeze-encoder", 2, "no encoder"},
        {"--class-weights 1,2 --loss bce", 2, "--class-weights"},
        {"--class-weights median --loss bce", 2, "--class-weights"},
        {"--class-weights 1,2,3 --loss ce --classes 2", 2, "3 numbers for 2 classes"},
        {"--loss bce+tversky --classes 3", 2, "tversky goes with"},
        {"--output-dir " + quoted("holds a training"), 2, "holds a training already"},
        {"--output-dir /dev/null/run", 4, "/dev/null"},
        {"--pretrained missing.pth", 4, "missing.pth"},
        {"--profile /nowhere/trace.json", 4, "/nowhere"},
        {"--cache 9000000000000", 2, "--cache"},
        {"--memory-limit 9000000000000", 2, "--memory-limit"},
        {"--model fcn --depth 5", 2, "--depth means nothing to model fcn; it is an option of unet without --encoder"},
        {"--encoder resnet34 --bilinear", 2, "--bilinear means nothing to model unet with --encoder"},
        {"--separable", 2, "it is an option of deeplabv3plus"},
        {"--full-width", 2, "without --bilinear"},
    };
    for (const auto& [arguments, code, words] : mistakes) {
        const Outcome outcome = shell("cd " + quoted("") + " && " + program() + " train --data nowhere " + arguments);
        EXPECT_EQ(outcome.code, code) << arguments << "\n" << outcome.output;
        EXPECT_NE(outcome.output.find(words), std::string::npos) << arguments << "\n" << outcome.output;
    }
    EXPECT_FALSE(fs::exists(root() / "runs")) << "a refused training left an empty run folder";
    const Outcome warned =
        shell("cd " + quoted("") + " && " + program() + " train --data nowhere --encoder resnet18 --freeze-encoder");
    EXPECT_NE(warned.output.find("warning: --freeze-encoder without --pretrained"), std::string::npos) << warned.output;
}

TEST_F(ProgramTest, ADivergedTrainingLeavesItsBatchToReplay) {
    const Outcome diverged =
        run("train --data " + quoted("data") + " --base-channels 4 --depth 2 --size 32 --epochs 3 --batch-size 4 " +
            "--threads 2 --optimizer sgd --lr 1e30 --output-dir " + quoted("nan"));
    EXPECT_EQ(diverged.code, 6) << diverged.output;
    for (const char* words : {"NaN or Inf, first in", "of layer inc.double_conv", "images: train/images/"})
        EXPECT_NE(diverged.output.find(words), std::string::npos) << words << "\n" << diverged.output;
    const Outcome replayed = run("replay " + quoted("nan/bad_batch.safetensors"));
    EXPECT_EQ(replayed.code, 0) << replayed.output;
    const auto what = [](const std::string& text) {
        const auto at = text.find("first in");
        return text.substr(at, text.find("values", at) - at);
    };
    EXPECT_EQ(what(replayed.output), what(diverged.output)) << "the same layer, the same count";
    EXPECT_EQ(replayed.output.find("-nan"), std::string::npos) << replayed.output;
    const Outcome wrong = run("replay " + quoted("nan/config.toml"));
    EXPECT_EQ(wrong.code, 4) << wrong.output;
}

// One image whose lowest map is one pixel: only with frozen batch norm can the step be run, by replay too.
TEST_F(ProgramTest, ReplayFreezesWhatTheTrainingFroze) {
    const Outcome diverged =
        run("train --data " + quoted("data") + " --base-channels 4 --depth 3 --size 8 --epochs 3 --batch-size 1 " +
            "--freeze-bn --threads 2 --optimizer sgd --lr 1e30 --output-dir " + quoted("frozen nan"));
    ASSERT_EQ(diverged.code, 6) << diverged.output;
    const Outcome replayed = run("replay " + quoted("frozen nan/bad_batch.safetensors"));
    EXPECT_EQ(replayed.code, 0) << replayed.output;
    const auto what = [](const std::string& text) {
        const auto at = text.find("first in");
        return at == std::string::npos ? text : text.substr(at, text.find("values", at) - at);
    };
    EXPECT_EQ(what(replayed.output), what(diverged.output)) << "the same layer, the same count";
}

TEST_F(ProgramTest, EveryVerbExplainsItself) {
    for (const char* verb :
         {"train", "eval", "predict", "summary", "inspect", "convert", "export", "find-lr", "forward", "run-op",
          "synth", "replay", "tune", "recipes", "sweep", "bench", "bench kernels", "bench step", "devices"}) {
        const Outcome outcome = run(std::string(verb) + " -h");
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        EXPECT_NE(outcome.output.find("usage"), std::string::npos) << outcome.output;
    }
    EXPECT_EQ(run("devices").code, 0);
}

#ifdef ATROUS_EMULATED
TEST_F(ProgramTest, TunesAheadOfATraining) {
    const std::string net = "--base-channels 4 --depth 1 --size 32 --batch-size 2 ",
                      where = "--device emulated --kernels own --tune-file " + quoted("timings/kernels.json") + " ";
    const Outcome first = run("tune " + net + where + "--json " + quoted("times.jsonl"));
    ASSERT_EQ(first.code, 0) << first.output;
    for (const char* words : {"conv_forward tf32 x 2x32x32x4 ", "  * ", "kernels tuned for ", "kept in "})
        EXPECT_NE(first.output.find(words), std::string::npos) << words << "\n" << first.output;
    std::ifstream lines(root() / "times.jsonl");
    std::string line;
    ASSERT_TRUE(std::getline(lines, line));
    EXPECT_GT(nlohmann::json::parse(line).at("ms").get<double>(), 0);
    const Outcome again = run("tune " + net + where);
    EXPECT_NE(again.output.find(": 0 timed in "), std::string::npos) << again.output;
    const Outcome step = run("bench step " + net + where + "--tune on --steps 1");
    EXPECT_EQ(step.code, 0) << step.output;
    EXPECT_NE(step.output.find("kernels tuned for "), std::string::npos) << step.output;
    for (const bool beside : {true, false}) {
        const Outcome timed =
            run("bench step " + net + "--device emulated --steps 1 --json - " + (beside ? "" : "--no-side-stream"));
        ASSERT_EQ(timed.code, 0) << timed.output;
        EXPECT_EQ(nlohmann::json::parse(timed.output).at("side_stream"), beside);
    }
    const Outcome forward = run("bench step " + net + where + "--steps 1 --forward --no-side-stream");
    EXPECT_NE(forward.output.find("--side-stream changes nothing here"), std::string::npos) << forward.output;
    const Outcome on_cpu = run("tune " + net + "--device cpu");
    EXPECT_EQ(on_cpu.code, 2) << on_cpu.output;
    EXPECT_NE(on_cpu.output.find("--device cpu: kernels are tuned on GPUs alone"), std::string::npos) << on_cpu.output;
}

TEST_F(ProgramTest, WhatComputesWithATunedTrainingsFilesTakesItsKernels) {
    const std::string where = " --device emulated --kernels own ", line = "kernels tuned for ",
                      net = "train --data " + quoted("data") + " --base-channels 4 --depth 1 --size 16 --batch-size 8" +
                            where + "--tune on --tune-file " + quoted("taken/kernels.json") + " --output-dir ";
    const Outcome trained = run(net + quoted("taken/run") + " --epochs 1");
    ASSERT_EQ(trained.code, 0) << trained.output;
    EXPECT_NE(trained.output.find(line), std::string::npos) << trained.output;
    const Outcome diverged = run(net + quoted("taken/nan") + " --epochs 3 --optimizer sgd --lr 1e30");
    ASSERT_EQ(diverged.code, 6) << diverged.output;
    const std::string of_data = where + "--data " + quoted("data") + " ", best = quoted("taken/run/best.safetensors");
    for (const std::string& command :
         {"eval --checkpoint " + best + of_data,
          "predict --checkpoint " + best + " " + quoted("data/val/images") + where + "-o " + quoted("taken/out"),
          "replay " + quoted("taken/nan/bad_batch.safetensors") + where}) {
        const Outcome outcome = run(command);
        EXPECT_EQ(outcome.code, 0) << outcome.output;
        EXPECT_NE(outcome.output.find(line), std::string::npos) << command << "\n" << outcome.output;
    }
}
#endif

TEST_F(ProgramTest, ProfilesATraining) {
    const Outcome outcome = run(small_training("profiled", "--profile --profile-steps 4"));
    ASSERT_EQ(outcome.code, 0) << outcome.output;
    for (const char* words : {"profile of 4 steps", "conv2d", "everything else", "profile.json"})
        EXPECT_NE(outcome.output.find(words), std::string::npos) << words << "\n" << outcome.output;
    std::ifstream in(root() / "profiled" / "profile.json");
    const auto trace = nlohmann::json::parse(in);
    EXPECT_GT(trace.at("traceEvents").size(), 100u);
    const std::string unwritable(250, 'p');  // a name that fits, whose temporary's does not
    const Outcome lost = run(small_training("lost", "--profile-steps 4 --profile " + quoted(unwritable)));
    EXPECT_EQ(lost.code, 0) << lost.output;
    EXPECT_NE(lost.output.find("warning: no trace was written"), std::string::npos) << lost.output;
    // A profile changes nothing: the same weights as without one.
    ASSERT_EQ(run(small_training("unprofiled")).code, 0);
    EXPECT_EQ(weights("profiled/best.safetensors"), weights("unprofiled/best.safetensors"));
}

TEST_F(ProgramTest, MeasuresAndPredictsKernels) {
    const Outcome measured =
        run("bench kernels --op conv2d --shape 1x16x16x8 --kernel 3 --dilation 2 --device cpu "
            "--threads 2 --repetitions 5 --json " +
            quoted("kernels.jsonl") + " --svg " + quoted("kernels.svg"));
    ASSERT_EQ(measured.code, 0) << measured.output;
    EXPECT_NE(measured.output.find("dilation 2"), std::string::npos) << measured.output;
    std::ifstream lines(root() / "kernels.jsonl");
    int passes = 0;
    for (std::string line; std::getline(lines, line);) passes += nlohmann::json::parse(line).at("kind") == "kernel";
    EXPECT_EQ(passes, 2);
    EXPECT_TRUE(fs::exists(root() / "kernels.svg"));

    const Outcome predicted =
        run("bench kernels --model unet --size 512 --batch-size 16 --precision bf16 --predict H200");
    ASSERT_EQ(predicted.code, 0) << predicted.output;
    EXPECT_NE(predicted.output.find("18.523 TFLOP"), std::string::npos) << predicted.output;

    const Outcome step =
        run("bench step --base-channels 4 --depth 2 --size 32 --batch-size 2 --steps 2 --device cpu --json -");
    ASSERT_EQ(step.code, 0) << step.output;
    EXPECT_EQ(nlohmann::json::parse(step.output).at("losses").size(), 3u);
    EXPECT_EQ(nlohmann::json::parse(step.output).at("side_stream"), false) << "on the cpu all is done in order";
    const Outcome same =
        run("bench step --base-channels 4 --depth 1 --size 16 --steps 1 --device cpu --no-side-stream");
    EXPECT_NE(same.output.find("--side-stream changes nothing here: it belongs to a step on a GPU"), std::string::npos)
        << same.output;
}

// `--kernels` is in the table of a training and in its checkpoint, and a resumed one says that it changed.
TEST_F(ProgramTest, KernelsAreChosenByName) {
    const Outcome plain = run(small_training("auto", "", 1)), own = run(small_training("own", "--kernels own", 1));
    ASSERT_EQ(own.code, 0) << own.output;
    EXPECT_EQ(plain.output.find("kernels "), std::string::npos) << plain.output;
    EXPECT_NE(own.output.find("kernels "), std::string::npos) << own.output;
    EXPECT_NE(weights("own/best.safetensors"), weights("auto/best.safetensors"));
    const Outcome resumed = run("train --epochs 2 --kernels auto --resume " + quoted("own"));
    EXPECT_EQ(resumed.code, 0) << resumed.output;
    EXPECT_NE(resumed.output.find("--kernels \"auto\" in place of --kernels \"own\""), std::string::npos)
        << resumed.output;
}

// A pass once for each set of kernels that can compute it, those not chosen in brackets.
TEST_F(ProgramTest, MeasuresAllImplementations) {
    const std::string conv = "bench kernels --op conv2d --shape 1x6x6x8 --repetitions 5 --all --threads 1 ";
    const Outcome cpu = run(conv + "--device cpu --json " + quoted("all.jsonl"));
    ASSERT_EQ(cpu.code, 0) << cpu.output;
    for (const char* words : {" dnnl ", " (im2col) ", " (winograd4) ", " (taps) ", " dnnl+outer ", " (im2col+outer) "})
        EXPECT_NE(cpu.output.find(words), std::string::npos) << words << "\n" << cpu.output;
    std::ifstream lines(root() / "all.jsonl");
    int chosen = 0, others = 0;
    for (std::string line; std::getline(lines, line);)
        if (const auto j = nlohmann::json::parse(line); j.at("kind") == "kernel") ++(j.at("chosen") ? chosen : others);
    EXPECT_EQ(chosen, 2);
    EXPECT_EQ(others, 8);
    const Outcome named = run(conv + "--device cpu --kernels im2col");
    EXPECT_NE(named.output.find(" (dnnl) "), std::string::npos) << named.output;

    const Outcome list = run("bench kernels --list");
    EXPECT_EQ(list.code, 0) << list.output;
    EXPECT_LT(list.output.find("dnnl"), list.output.find("im2col")) << "in order\n" << list.output;
    if (gpu::platform() != gpu::Platform::emulated) return;
    const Outcome gpu = run(conv + "--device emulated --precision bf16");
    ASSERT_EQ(gpu.code, 0) << gpu.output;
    for (const char* words : {" mma ", " (simt) "})
        EXPECT_NE(gpu.output.find(words), std::string::npos) << words << "\n" << gpu.output;
}

TEST_F(ProgramTest, AFolderThatHoldsATrainingIsNotOverwritten) {
    ASSERT_EQ(run(small_training("kept")).code, 0);
    const auto before = weights("kept/last.safetensors");
    const Outcome again = run(small_training("kept"));
    EXPECT_EQ(again.code, 2) << again.output;
    EXPECT_NE(again.output.find("--resume"), std::string::npos) << again.output;
    EXPECT_EQ(weights("kept/last.safetensors"), before);
}

}  // namespace
}  // namespace atrous
