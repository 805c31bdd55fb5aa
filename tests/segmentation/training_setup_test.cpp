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
