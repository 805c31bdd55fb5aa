// Files that are written to while they are read: what was read may be of two files, and is refused.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "engine/io/checkpoint.h"
#include "engine/io/pretrained.h"
#include "engine/io/pth.h"
#include "engine/nn/layers.h"

namespace atrous::io {
namespace {

namespace fs = std::filesystem;

struct Net : Module {
    Conv2d conv{*this, "conv", {.in_channels = 3, .out_channels = 4}};
    explicit Net(uint64_t seed) { materialize({.device = {DeviceKind::cpu}, .seed = seed}); }
};

struct ChangedFile : testing::Test {
    fs::path folder = fs::temp_directory_path() / ("atrous-changed-" + std::to_string(::getpid()));
    std::string path = folder / "w.safetensors", other = folder / "other", pth = folder / "w.pth";
    Net net{1}, another{2};
    Optimizer optimizer{net, {}};
    TrainProgress progress;

    void SetUp() override {
        fs::create_directories(folder);
        save_training(path, net, optimizer, progress, {});
        save_training(other, another, Optimizer(another, {}), progress, {});
        write_pth(pth, state_dict_of(path));
    }
    void TearDown() override { fs::remove_all(folder); }

    static std::vector<TensorToWrite> state_dict_of(const std::string& path) {
        std::vector<TensorToWrite> tensors;
        const auto file = std::make_shared<SafetensorsFile>(path);
        for (const TensorInfo& t : file->tensors())
            if (!t.name.starts_with("train."))
                tensors.push_back({t.name, t.dtype, t.shape, [file, &t](Sink& sink) {
                                       const auto bytes = file->bytes(t);
                                       sink.write(bytes.data(), bytes.size());
                                   }});
        return tensors;
    }
    static std::string text_of(const std::string& path) {
        std::ifstream in(path, std::ios::binary);
        std::stringstream text;
        text << in.rdbuf();
        return text.str();
    }
    static void overwrite(const std::string& path, const std::string& bytes) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));  // file times may be as coarse as 10 ms
        std::fstream out(path, std::ios::binary | std::ios::in | std::ios::out);
        out << bytes;
    }
    template <class F>
    static void expect_refused(const std::string& path, const F& read) {
        try {
            read();
            FAIL() << path << ": what was read is of two files";
        } catch (const FormatError& e) {
            EXPECT_EQ(std::string(e.what()),
                      path + ": changed while it was read; read it again when nothing writes to it");
        }
    }
};

TEST_F(ChangedFile, OverwrittenInPlaceIsRefused) {
    const std::string bytes = text_of(other), pth_bytes = text_of(pth);
    ASSERT_EQ(bytes.size(), fs::file_size(path));
    for (int reader = 0; reader < 3; ++reader) {
        const SafetensorsFile file(path);
        overwrite(path, bytes);
        expect_refused(path, [&] {
            if (reader == 0) load_weights(file, net);
            if (reader == 1) load_training(file, net, optimizer, progress);
            if (reader == 2) load_pretrained(net, file, {3, 4});
        });
    }
    for (const bool pretrained : {false, true}) {
        const PthFile file(pth);
        overwrite(pth, pth_bytes);
        expect_refused(pth, [&] { pretrained ? (void)load_pretrained(net, file, {3, 4}) : load_weights(file, net); });
    }
}

TEST_F(ChangedFile, LongerThanItWasIsRefused) {
    const SafetensorsFile file(path);
    std::ofstream(path, std::ios::app) << "x";
    expect_refused(path, [&] { load_weights(file, net); });
}

// As a training does, which keeps the file it replaces under another name.
TEST_F(ChangedFile, AReplacedFileIsReadAsItWas) {
    const SafetensorsFile file(path);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    save_training(path, another, Optimizer(another, {}), progress, {});
    save_training(path, another, Optimizer(another, {}), progress, {});
    load_training(file, another, optimizer, progress);
    EXPECT_EQ(another.conv.parameters()[0].parameter->value.to_host<float>(),
              net.conv.parameters()[0].parameter->value.to_host<float>());
}

TEST_F(ChangedFile, AnUnchangedFileIsReadTwice) {
    const SafetensorsFile file(path);
    for (int i = 0; i < 2; ++i) load_training(file, net, optimizer, progress);
    fs::permissions(path, fs::perms::owner_read);
    load_weights(file, net);
}

}  // namespace
}  // namespace atrous::io
