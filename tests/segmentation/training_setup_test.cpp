// A training prepared from an Experiment alone, as a program that uses the library does.
#include "segmentation/training_setup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "data/synth.h"
#include "models/unet.h"

namespace atrous {
namespace {

struct Drawn {
    std::string folder = std::filesystem::temp_directory_path() / ("atrous_setup_" + std::to_string(getpid()));
    Experiment e;
    NoMessages silent;
    Drawn() {
        data::write_dataset(folder, 5, 32, 1, 0.2);
        e.data.root = folder;
        e.data.check_cache = "none";
        e.size = 32;
        e.net = unet({.base_channels = 2});
        e.batch_size = 2;
        e.run.output_dir = folder + "/run";
    }
    ~Drawn() { std::filesystem::remove_all(folder); }
};

TEST(TrainingSetup, FollowsFromAnExperiment) {
    Drawn d;
    const TrainingSetup setup = prepare_training(d.e, d.silent);
    EXPECT_EQ(setup.sets.dataset.train.size(), 4u);
    EXPECT_EQ(setup.experiment.classes, 2);
    EXPECT_EQ(d.e.loss.name, "bce+dice");
    EXPECT_FALSE(std::filesystem::exists(d.e.run.output_dir));
}

// Images as they are, of 96x96, through windows of 32: the logits of a whole one are there at once.
TEST(TrainingSetup, PlansTheValidationOfImagesLargerThanWindows) {
    Drawn d;
    data::write_dataset(d.folder + "/large", 5, 96, 1, 0.2);
    d.e.data.root = d.folder + "/large";
    d.e.resize = data::ResizeMode::none;
    const TrainingSetup setup = prepare_training(d.e, d.silent);
    ASSERT_TRUE(sees_windows(setup));
    const PlanOptions options = setup.plan(2);
    EXPECT_EQ(options.validation_batch, 1);
    EXPECT_EQ(options.whole_width, 96);
    EXPECT_EQ(options.validation_width, 32);
    PlanOptions small = options;
    small.whole_height = small.whole_width = 1600;  // as much as the rest of the training
    const auto net = [&] { return setup.make(); };
    const size_t pixels = 1600 * 1600, planned = plan_memory(*net(), small).peak_bytes;
    EXPECT_GE(planned, pixels * (3 + 1) * 4) << "the image and its logits";
    EXPECT_GT(planned, plan_memory(*net(), options).peak_bytes);
}

TEST(TrainingSetup, RefusesAValueOutOfItsRange) {
    Drawn d;
    d.e.trainer.epochs = -1;
    try {
        prepare_training(d.e, d.silent);
        FAIL() << "it was taken";
    } catch (const UsageError& error) {
        EXPECT_EQ(std::string(error.what()).rfind("`epochs` -1: expected ", 0), 0u) << error.what();
    }
}

}  // namespace
}  // namespace atrous
