// What a checkpoint says of its training, and whose weights it holds, is looked at before it is used.
#include "engine/io/checkpoint.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "engine/nn/layers.h"

namespace atrous::io {
namespace {

namespace fs = std::filesystem;

struct Net : Module {
    Conv2d conv;
    explicit Net(int64_t channels = 4, DeviceKind device = DeviceKind::cpu)
        : conv(*this, "conv", {.in_channels = 3, .out_channels = channels}) {
        materialize({.device = {device}, .seed = 1});
    }
};

struct CheckpointTest : testing::Test {
    std::string path = fs::temp_directory_path() / ("atrous-checkpoint-" + std::to_string(::getpid()));
    Net net;
    Optimizer optimizer{net, {}};
    void SetUp() override { save_training(path, net, optimizer, {.epoch = 3, .step = 7, .best_epoch = 2}, {}); }
    void TearDown() override {
        fs::remove(path);
        fs::remove(path + ".previous");
    }

    // The file again, with another value in its training state; written as train writes it, checksum and all.
    void change(const std::string& field, const nlohmann::json& value) const {
        const SafetensorsFile file(path);
        std::vector<std::vector<std::byte>> bytes;
        for (const TensorInfo& t : file.tensors()) bytes.push_back(file.bytes(t));
        std::vector<TensorToWrite> tensors;
        for (size_t i = 0; i < bytes.size(); ++i)
            tensors.push_back(tensor_in_memory(file.tensors()[i].name, file.tensors()[i].dtype, file.tensors()[i].shape,
                                               bytes[i].data()));
        auto metadata = file.metadata();
        auto state = nlohmann::json::parse(metadata.at("atrous.training"));
        state[field] = value;
        metadata["atrous.training"] = state.dump();
        write_safetensors(path, tensors, metadata);
    }
    std::string refusal() {
        try {
            TrainProgress progress;
            load_training(SafetensorsFile(path), net, optimizer, progress);
            return "accepted";
        } catch (const FormatError& e) {
            return e.what();
        }
    }
};

TEST_F(CheckpointTest, CountsThatCannotBeAreRefused) {
    EXPECT_EQ(refusal(), "accepted");
    for (const char* field : {"epoch", "batch", "step", "loss_images", "best_epoch", "applied_steps", "attempts",
                              "first_bad_attempt", "good_steps", "plateau_seen", "plateau_waited"})
        for (const nlohmann::json& value :
             {nlohmann::json(-2), nlohmann::json(0.5), nlohmann::json(UINT64_MAX), nlohmann::json("1")}) {
            const auto before = nlohmann::json::parse(SafetensorsFile(path).metadata().at("atrous.training"))[field];
            change(field, value);
            EXPECT_NE(refusal().find("the training state's '" + std::string(field) + "' is '" + value.dump() +
                                     "'; expected an integer of at least "),
                      std::string::npos)
                << refusal();
            change(field, before);
        }
    change("good_steps", int64_t{1} << 40);
    EXPECT_NE(refusal().find("'good_steps' is"), std::string::npos);
}

TEST_F(CheckpointTest, ANetIsComparedBeforeItTakesMemory) {
    const SafetensorsFile file(path);
    Net same(4, DeviceKind::meta), huge(int64_t{1} << 36, DeviceKind::meta);
    EXPECT_NO_THROW(check_weights(file, same));
    EXPECT_THROW(check_weights(file, huge), FormatError);
}

}  // namespace
}  // namespace atrous::io
