// A training whose kernels are tuned with times that the test makes up: they are obeyed, saved, and taken again by the run
// that goes on with it, but not those of another machine.
#include "segmentation/tuning.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/variant.h"
#include "data/synth.h"
#include "engine/kernel_choice.h"
#include "engine/math_mode.h"
#include "engine/tuning_file.h"
#include "models/unet.h"
#include "segmentation/bad_batch.h"
#include "segmentation/training_run.h"

namespace atrous {
namespace {

using kernels::KernelWay;
using kernels::TunableProblem;

struct Heard : Messages {
    void text(const std::string& lines) override { said += lines; }
    void warning(const std::string& text) override { said += "warning: " + text + "\n"; }
    bool has(const std::string& words) const { return said.find(words) != said.npos; }
    std::string said;
};

double simt_is_faster(const TunableProblem&, const KernelWay& way, double) {
    return way.implementation == "simt" ? 1 : 2;
}

class TunedTraining : public testing::Test {
 protected:
    void SetUp() override {
        if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
        data::write_dataset(folder_, 5, 16, 1, 0.2);
        e_.data.root = folder_;
        e_.data.check_cache = "none";
        e_.size = 16;
        e_.net = unet({.base_channels = 4, .depth = 1});
        e_.batch_size = 2;
        e_.trainer.epochs = 1;
        e_.run.output_dir = folder_ + "/run";
        e_.machine.device = gpu::platform() == gpu::Platform::emulated ? "emulated" : "cuda";
        e_.machine.kernels = "own";
        e_.machine.tune_file = folder_ + "/kernels.json";
    }
    void TearDown() override {
        std::filesystem::remove_all(folder_);
        set_tuned_kernels(nullptr);
        set_kernel_choice({});
    }
    // Prepared untuned, then tuned with the times of a test.
    TrainingSetup tuned(const WayTimer& timer) {
        TrainingSetup setup = prepare_training(e_, heard_);
        EXPECT_EQ(tuned_kernels(), nullptr) << "not unless asked";
        setup.experiment.machine.tune = "on";
        tune_training(setup, heard_, timer);
        return setup;
    }
    // The implementations that a training's convolutions ran by.
    std::vector<std::string> train(TrainingSetup& setup) {
        TrainingRun run(setup, heard_);
        TrainObserver nobody;
        const VariantLog log;
        EXPECT_TRUE(run.train(nobody));
        std::vector<std::string> names;
        for (const std::string& name : log.names())
            if (name.starts_with("conv") && name.find("/bias") == name.npos) names.push_back(name);
        EXPECT_FALSE(names.empty());
        return names;
    }
    TrainingSetup resumed() {
        Experiment e = e_;
        e.run.resume = e.run.output_dir;
        e.trainer.epochs = 2;
        Settings settings;
        describe(settings, e);
        const Device device = open_device(e.machine, heard_);
        auto run = open_resumed_run(e.run, false, heard_);
        return prepare_training(e, settings, device, std::move(run), heard_);
    }
    static bool any_by(const std::vector<std::string>& names, const std::string& by) {
        return std::any_of(names.begin(), names.end(), [&](const auto& n) { return n.find("/" + by) != n.npos; });
    }

    const ScopedMathMode afterwards_{MathMode::exact};
    const std::string folder_ = std::filesystem::temp_directory_path() / ("atrous_tuned_" + std::to_string(getpid()));
    Experiment e_;
    Heard heard_;
};

TEST_F(TunedTraining, ObeysSavesAndRestoresItsKernels) {
    TrainingSetup setup = tuned(simt_is_faster);
    EXPECT_TRUE(heard_.has("kernels tuned for ")) << heard_.said;
    EXPECT_TRUE(heard_.has("; simt ")) << heard_.said;
    ASSERT_NE(tuned_kernels(), nullptr);
    const auto table = tuned_kernels()->all();
    EXPECT_FALSE(any_by(train(setup), "mma")) << "every convolution of the training was found by its dry run";

    set_tuned_kernels(nullptr);
    heard_.said.clear();
    TrainingSetup again = resumed();
    EXPECT_TRUE(heard_.has("size are those of the training; simt ")) << heard_.said;
    ASSERT_NE(tuned_kernels(), nullptr);
    EXPECT_EQ(tuned_kernels()->all(), table);
    EXPECT_FALSE(any_by(train(again), "mma"));
}

TEST_F(TunedTraining, EveryFileOfItNamesItsKernels) {
    TrainingSetup setup = tuned(simt_is_faster);
    const auto table = tuned_kernels()->all();
    train(setup);
    auto net = setup.make();
    net->materialize({.device = setup.device});
    HostBatch batch{1, 16, 16, 3, std::vector<float>(3 * 16 * 16), std::vector<uint8_t>(16 * 16), {"image"}, {}};
    save_bad_batch(folder_ + "/bad.safetensors", *net, setup.card, {0, 1, &batch, nullptr, {}}, {},
                   setup.fingerprint.tuned);
    for (const std::string& file : {e_.run.output_dir + "/best.safetensors", e_.run.output_dir + "/last.safetensors",
                                    folder_ + "/bad.safetensors"}) {
        set_tuned_kernels(nullptr);
        heard_.said.clear();
        take_tuned_kernels(io::SafetensorsFile(file), setup.device, heard_);
        ASSERT_NE(tuned_kernels(), nullptr) << file;
        EXPECT_EQ(tuned_kernels()->all(), table) << file;
        EXPECT_TRUE(heard_.has("size are those of the training; simt ")) << heard_.said;
        take_tuned_kernels(io::SafetensorsFile(file), {DeviceKind::cpu}, heard_);
        EXPECT_EQ(tuned_kernels(), nullptr) << "they are a GPU's";
    }
}

TEST_F(TunedTraining, TakesTimingsOfTheFileAndOnlyOfThisMachine) {
    const auto count = [](int& times) {
        return [&times](const TunableProblem& p, const KernelWay& way, double best) {
            return ++times, simt_is_faster(p, way, best);
        };
    };
    int first = 0, second = 0, third = 0;
    tuned(count(first));
    EXPECT_GT(first, 10);
    tuned(count(second));
    EXPECT_EQ(second, 0);
    EXPECT_TRUE(heard_.has("0 timed in ")) << heard_.said;

    const std::string here = tuning_machine({DeviceKind::gpu});
    std::string problem;
    const auto kept = load_tuning(e_.machine.tune_file, here, &problem);
    std::filesystem::remove(e_.machine.tune_file);
    EXPECT_EQ(save_tuning(e_.machine.tune_file, "another GPU; " + here, kept), "");
    tuned(count(third));
    EXPECT_EQ(third, first) << "timings of another GPU say nothing";
}

TEST_F(TunedTraining, DoesNotTakeTheKernelsOfAnotherMachine) {
    TrainingSetup setup = tuned(simt_is_faster);
    setup.fingerprint.tuned->machine = "another GPU";
    train(setup);
    heard_.said.clear();
    TrainingSetup again = resumed();
    EXPECT_TRUE(heard_.has("last.safetensors: its kernels were tuned on other ground (another GPU)")) << heard_.said;
    EXPECT_EQ(tuned_kernels(), nullptr);
    EXPECT_TRUE(any_by(train(again), "mma"));
}

TEST_F(TunedTraining, AreNotTakenWhereKernelsAreNamed) {
    TrainingSetup setup = tuned(simt_is_faster);
    train(setup);
    const ScopedKernelChoice named({KernelChoice::Rule::named, "mma"});
    heard_.said.clear();
    take_tuned_kernels(io::SafetensorsFile(e_.run.output_dir + "/best.safetensors"), setup.device, heard_);
    EXPECT_TRUE(heard_.has("convolutions are not taken: `kernels` mma\n")) << heard_.said;
    EXPECT_FALSE(heard_.has("kernels tuned for ")) << heard_.said;
}

// Files of before have the record in the run fingerprint.
TEST_F(TunedTraining, AreReadWhereEarlierFilesHaveThem) {
    TrainingSetup setup = tuned(simt_is_faster);
    const TunedRecord record = *setup.fingerprint.tuned;
    const auto table = record.kernels.all();
    setup.fingerprint.tuned.reset();
    train(setup);
    const std::string path = e_.run.output_dir + "/last.safetensors", old = folder_ + "/old.safetensors";
    auto course = nlohmann::json::parse(io::SafetensorsFile(path).metadata().at("atrous.course"));
    course["tuned"] = {{"machine", record.machine}, {"kernels", nlohmann::json::parse(tuning_json(record.kernels))}};
    auto net = setup.make();
    net->materialize({.device = {DeviceKind::cpu}});
    io::save_weights(old, *net, {{"atrous.course", course.dump()}});
    take_tuned_kernels(io::SafetensorsFile(old), setup.device, heard_);
    ASSERT_NE(tuned_kernels(), nullptr);
    EXPECT_EQ(tuned_kernels()->all(), table);
    const auto fingerprint = saved_fingerprint(io::SafetensorsFile(old));
    ASSERT_TRUE(fingerprint && fingerprint->tuned);
    EXPECT_EQ(fingerprint->tuned->kernels.all(), table);
    EXPECT_FALSE(tuned_record_of(io::SafetensorsFile(path))) << "nothing was tuned";
}

TEST_F(TunedTraining, ADamagedRecordIsOneLine) {
    auto net = make_net(e_.net);
    net->materialize({.device = {DeviceKind::cpu}});
    const std::string path = folder_ + "/damaged.safetensors";
    for (const char* record : {"{", "[]", "{\"machine\": \"a GPU\"}", "{\"machine\": 1, \"kernels\": {}}"}) {
        io::save_weights(path, *net, {{"atrous.tuned", record}});
        try {
            take_tuned_kernels(io::SafetensorsFile(path), {DeviceKind::gpu}, heard_);
            ADD_FAILURE() << record;
        } catch (const FormatError& e) {
            const std::string text = e.what();
            EXPECT_TRUE(text.starts_with(path + ": its 'atrous.tuned' cannot be read: ")) << text;
            EXPECT_EQ(text.find('\n'), text.npos) << text;
        }
    }
}

TEST_F(TunedTraining, OnTheCpuNothingIsTimed) {
    e_.machine.device = "cpu";
    tuned([](const TunableProblem&, const KernelWay&, double) -> double {
        ADD_FAILURE();
        return 1;
    });
    EXPECT_TRUE(heard_.has("`tune`: kernels are tuned on GPUs alone")) << heard_.said;
}

}  // namespace
}  // namespace atrous
