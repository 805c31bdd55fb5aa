// A training prepared from an Experiment alone, as a program that uses the library does.
#include "segmentation/training_setup.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/error.h"
#include "data/image.h"
#include "data/synth.h"
#include "engine/io/safetensors.h"
#include "models/unet.h"
#include "segmentation/averaged_record.h"
#include "segmentation/training_run.h"

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

// Images of 32 and fewer lines, which are cropped to 32x32; the last one validates.
struct Mixed : Drawn {
    Mixed() {
        const ImageSize sizes[] = {{64, 16}, {16, 64}, {32, 40}, {16, 16}, {64, 64}};
        for (size_t i = 0; i < 5; ++i) add(std::string(1, char('a' + i)), sizes[i], 8);
        e.data.root = folder + "/mixed";
        e.data.val_pattern = "e*";
        e.resize = data::ResizeMode::none;
        e.batch_size = 2;
        e.augment_on = "device";
    }
    void add(const std::string& name, ImageSize size, int bits) const {
        for (const char* part : {"images", "masks"}) std::filesystem::create_directories(folder + "/mixed/" + part);
        data::Image image = data::make_image<uint8_t>(size.height, size.width, 3);
        data::Image mask = data::make_image<uint8_t>(size.height, size.width, 1);
        for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 37 + name[0]);
        for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = i % 3 == 0 ? 255 : 0;
        if (bits == 16) {
            data::Image deep = data::make_image<uint16_t>(size.height, size.width, 3);
            for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(image.u8[i] * 257);
            image = deep;
        }
        data::save_png(folder + "/mixed/images/" + name + ".png", image);
        data::save_png(folder + "/mixed/masks/" + name + ".png", mask);
    }
};

TEST(TrainingSetup, GivesASampleTheRoomOfTheLargestThatTrains) {
    Mixed d;
    const TrainingSetup setup = prepare_training(d.e, d.silent);
    ASSERT_TRUE(setup.augments_on_device);
    EXPECT_EQ(setup.room.pixels, 32 * 40) << "not 64x64, whose sides are two images' and one that validates";
    const PlanOptions plan = setup.plan(2);
    EXPECT_EQ(plan.images, ImageForm::samples);
    EXPECT_EQ(plan.validation_images, ImageForm::bytes);
    EXPECT_EQ(plan.source_pixels, setup.room.pixels);
    EXPECT_EQ(plan.filter_values, setup.room.filters);
    EXPECT_EQ(augmenting_loader(setup).room.pixels, setup.room.pixels);
}

// A run's batches have one form, that of all its training images.
TEST(TrainingSetup, ChoosesTheFormOfImagesOnce) {
    Mixed d;
    d.add("e", {64, 64}, 16);
    const TrainingSetup validates = prepare_training(d.e, d.silent);
    EXPECT_TRUE(validates.augments_on_device) << "the deep image does not train";
    EXPECT_EQ(validates.plan(2).validation_images, ImageForm::floats);
    d.add("a", {64, 16}, 16);
    EXPECT_THROW(prepare_training(d.e, d.silent), UsageError);
    d.e.augment_on = "auto";
    const TrainingSetup trains = prepare_training(d.e, d.silent);
    EXPECT_EQ(trains.plan(2).images, ImageForm::floats);
    EXPECT_FALSE(augmenting_loader(trains).bytes);
}

TEST(TrainingSetup, RefusesAPartThatTheNetDoesNotHaveBeforeItLooksAtTheData) {
    Drawn d;
    d.e.data.root = d.folder + "/nowhere";
    d.e.lr_scales = {"dwon1=0.1"};
    try {
        prepare_training(d.e, d.silent);
        FAIL() << "it was taken";
    } catch (const UsageError& error) {
        EXPECT_NE(std::string(error.what()).find("did you mean down1?"), std::string::npos) << error.what();
    }
}

// One step of SGD with all training images; by the names in last.safetensors.
std::map<std::string, std::vector<float>> after_one_step(const std::vector<std::string>& lr_scales, double lr) {
    Drawn d;
    d.e.trainer.epochs = 1;
    d.e.trainer.schedule.name = "constant";
    d.e.trainer.schedule.base = lr;
    d.e.optimizer.rule = "sgd";
    d.e.batch_size = 4;
    d.e.lr_scales = lr_scales;
    TrainingSetup setup = prepare_training(d.e, d.silent);
    TrainingRun run(setup, d.silent);
    EXPECT_EQ(run.batches_per_epoch(), 1);
    TrainObserver observer;
    EXPECT_TRUE(run.train(observer));
    const io::SafetensorsFile last(run.folder().last());
    std::map<std::string, std::vector<float>> tensors;
    for (const io::TensorInfo& info : last.tensors()) {
        if (info.dtype != DType::f32 || info.name.starts_with("train.")) continue;
        const auto bytes = last.bytes(info);
        std::vector<float>& values = tensors[info.name];
        values.resize(bytes.size() / sizeof(float));
        std::memcpy(values.data(), bytes.data(), bytes.size());
    }
    return tensors;
}

TEST(TrainingRunOfParts, MovesThemAtRatesOfTheirOwn) {
    const double lr = 0.01, tiny = 1e-30;  // of a step that moves nothing
    const auto before = after_one_step({}, tiny), plain = after_one_step({}, lr),
               scaled = after_one_step({"outc=10"}, lr);
    double far = 0;
    for (const auto& [name, values] : plain) {
        if (!name.starts_with("outc.")) {
            EXPECT_EQ(values, scaled.at(name)) << name;
            continue;
        }
        for (size_t i = 0; i < values.size(); ++i) {
            const double from = before.at(name)[i], moved = values[i] - from, by_ten = scaled.at(name)[i] - from;
            // Both ends are rounded to f32, within 2^-24 of values below 1, and one of the differences is taken tenfold.
            EXPECT_NEAR(by_ten, 10 * moved, 11 * 0x1p-23) << name << " " << i;
            far = std::max(far, std::abs(moved));
        }
    }
    EXPECT_GT(far, 1e-4) << "the head learns";
    EXPECT_NE(plain.at("inc.double_conv.0.weight"), before.at("inc.double_conv.0.weight"));
}

// The validation, `best` and whoever loads `last` see the average; the training does not.
TEST(TrainingRunOfAveragedWeights, KeepsThemInBothFilesAndSaysSo) {
    Drawn d;
    d.e.trainer.epochs = 1;
    d.e.optimizer.ema_decay = 0.9;
    d.e.lr_scales = {"outc=10"};
    TrainingSetup setup = prepare_training(d.e, d.silent);
    TrainingRun run(setup, d.silent);
    TrainObserver observer;
    ASSERT_TRUE(run.train(observer));
    run.report_result();
    const io::SafetensorsFile best(run.folder().best()), last(run.folder().last());
    const auto bytes = [](const io::SafetensorsFile& file, const std::string& name) {
        return file.bytes(file.at(name));
    };
    EXPECT_FALSE(best.find("train.weights.outc.conv.weight"));
    EXPECT_EQ(averaged_record_of(best), AveragedRecord{.decay = 0.9});
    EXPECT_EQ(averaged_record_of(last), AveragedRecord{.decay = 0.9});
    for (const char* name : {"outc.conv.weight", "inc.double_conv.1.running_mean"}) {
        EXPECT_EQ(bytes(best, name), bytes(last, name)) << name;
        EXPECT_NE(bytes(last, std::string("train.weights.") + name), bytes(last, name)) << name;
    }
    std::ifstream in(run.folder().log());
    const std::string log{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NE(log.find("validations, best.safetensors and predictions use averaged weights (--ema 0.9)"),
              std::string::npos)
        << log;
    EXPECT_NE(log.find("best checkpoint, of averaged weights, on 1 held-out images"), std::string::npos) << log;
}

// As where a training goes on with an average that began after its best epoch.
TEST(TrainingRunOfAveragedWeights, DoesNotSayThatABestOfBeforeIsAveraged) {
    Drawn d;
    d.e.trainer.epochs = 1;
    d.e.optimizer.ema_decay = 0.9;
    TrainingSetup setup = prepare_training(d.e, d.silent);
    TrainingRun run(setup, d.silent);
    TrainObserver observer;
    ASSERT_TRUE(run.train(observer));
    auto net = setup.make();
    net->materialize({.device = setup.device, .seed = 1});
    io::save_weights(run.folder().best(), *net, to_metadata(setup.card));
    EXPECT_EQ(averaged_record_of(io::SafetensorsFile(run.folder().best())), std::nullopt);
    run.report_result();
    std::ifstream in(run.folder().log());
    const std::string log{std::istreambuf_iterator<char>(in), {}};
    EXPECT_NE(log.find("best checkpoint on 1 held-out images"), std::string::npos) << log;
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
