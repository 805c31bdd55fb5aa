// Trains a small U-Net on a folder of images and masks, or where none is named on drawings of its own.
//   train RUN_FOLDER [DATA_FOLDER]
#include <atrous/base/error.h>
#include <atrous/data/synth.h>
#include <atrous/models/unet.h>
#include <atrous/segmentation/training_run.h>

#include <cstdio>

// Is told of every epoch while the training runs. Others of its functions are told of every step, and may end it.
class Epochs : public atrous::TrainObserver {
    void on_epoch(const atrous::EpochReport& r) override {
        std::printf("epoch %ld: loss %.4f", long(r.epoch + 1), r.train_loss);
        if (r.validation) std::printf(", validation Dice %.4f", r.validation->of("dice"));
        std::printf("%s\n", r.best ? " (the best so far)" : "");
    }
    void on_warning(const std::string& text) override { std::printf("warning: %s\n", text.c_str()); }
};

static void train(const std::string& run_folder, std::string data_folder) {
    if (data_folder.empty()) {
        data_folder = run_folder + "-data";
        atrous::data::write_dataset(data_folder, 40, 64, /*seed*/ 1, /*val_fraction*/ 0.2);
    }
    atrous::Experiment experiment;  // what `atrous train` takes as options, with its defaults
    experiment.data.root = data_folder;
    experiment.size = 64;
    experiment.batch_size = 4;
    experiment.net = atrous::unet({.base_channels = 8});
    experiment.trainer.epochs = 10;
    experiment.trainer.schedule.base = 3e-3;
    experiment.run.output_dir = run_folder;

    atrous::NoMessages silent;  // or a class of your own, which is told what the data hold and what memory is taken
    atrous::TrainingSetup setup = atrous::prepare_training(experiment, silent);
    atrous::TrainingRun run(setup, silent);
    Epochs epochs;
    run.train(epochs);
    std::printf("saved %s\n", run.folder().best().c_str());
}

int main(int argc, char** argv) try {
    if (argc < 2 || argc > 3) throw atrous::UsageError("usage: train RUN_FOLDER [DATA_FOLDER]");
    train(argv[1], argc > 2 ? argv[2] : "");
} catch (const atrous::Error& e) {
    std::fprintf(stderr, "train: %s\n", e.what());
    return 1;
}
