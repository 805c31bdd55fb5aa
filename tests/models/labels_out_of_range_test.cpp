// Labels out of range: whatever the loss and wherever they lie, a step's log counts them and knows the first, and the
// training ends with its file and place before anybody saves.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

#include "base/error.h"
#include "base/variant.h"
#include "engine/comm/thread_ranks.h"
#include "engine/context.h"
#include "engine/train/metric.h"
#include "engine/train/trainer.h"
#include "models/unet.h"
#include "tests/models/rectangles.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

constexpr int64_t size = 16, images = 3, pixels = size * size;

std::vector<Device> devices() {
    std::vector<Device> all{{DeviceKind::reference}, {DeviceKind::cpu}};
    if (gpu::device_count() > 0) all.push_back({DeviceKind::gpu});
    return all;
}

std::vector<HostBatch> batches(int64_t count) {
    Rectangles source(count * images, images, size, 5);
    source.start_epoch(0, 0);
    std::vector<HostBatch> all(static_cast<size_t>(count));
    for (auto& b : all) {
        EXPECT_TRUE(source.next(b));
        b.labels[3] = 255;  // ignored
    }
    return all;
}

size_t at(int64_t image, int64_t x, int64_t y) { return size_t(image * pixels + y * size + x); }

struct Rig {
    UNet net;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<LossFunction> loss;
    std::unique_ptr<TrainingStep> step;

    explicit Rig(Device device, int64_t channels = 1, const LossFactory& made = bce_dice_loss(),
                 TrainingStepOptions options = {})
        : net({.out_channels = channels, .base_channels = 4, .depth = 1}) {
        net.materialize({.device = device, .seed = 3});
        optimizer = std::make_unique<Optimizer>(net, OptimizerOptions{});
        loss = made(device, DType::f32);
        step = std::make_unique<TrainingStep>(net, *optimizer, *loss, options);
    }
};

void expect_found(const StepLogEntry& entry, int64_t count, int64_t first, int64_t label) {
    EXPECT_EQ(entry.labels.count, count);
    EXPECT_EQ(entry.labels.first, first);
    EXPECT_EQ(entry.labels.label, label);
}

// Bytes and labels as they are stored, which the device crops: the left half of each image, twice as wide as what is seen.
HostBatch left_halves_of(const HostBatch& floats) {
    HostBatch b = floats;
    b.form = ImageForm::samples;
    for (const float v : floats.images) b.bytes.push_back(uint8_t(v * 255));
    b.images.clear();
    for (int i = 0; i < 3 * 256; ++i) b.levels.push_back(float(i % 256) / 255);
    b.w = size / 2;
    b.source_pixels = b.n * pixels;
    b.filter_values = 1;
    b.filters.assign(1, 0);
    for (int64_t i = 0; i < b.n; ++i) {
        kernels::AugmentedSample s;
        s.labels = i * pixels, s.image = 3 * s.labels;
        s.h = s.w = s.resized_h = s.resized_w = s.crop_h = int32_t(size);
        s.crop_w = int32_t(size / 2);
        b.samples.push_back(s);
    }
    return b;
}

// ---- the step's log ----

// On a GPU the last of these steps are replays of a graph, in which the place has to be found anew.
TEST(LabelsOutOfRange, AreFoundInAnyImageOfAnyStepRecordedOrNot) {
    for (const Device device : devices()) {
        SCOPED_TRACE(name_of(device));
        auto data = batches(12);
        data[1].labels[at(0, 5, 3)] = 2;
        data[8].labels[at(1, 0, 0)] = 7;
        data[11].labels[at(2, 15, 15)] = 254;
        data[11].labels[at(1, 2, 2)] = 9;
        Rig rig(device);
        for (const HostBatch& b : data) rig.step->run(&b, 1, 1e-3);
        EXPECT_EQ(rig.step->replayed() >= 4, device.kind == DeviceKind::gpu) << rig.step->replayed();
        const auto log = rig.step->read();
        ASSERT_EQ(log.size(), 12u);
        for (const size_t clean : {0, 2, 7, 9, 10}) expect_found(log[clean], 0, -1, 0);
        expect_found(log[1], 1, int64_t(at(0, 5, 3)), 2);
        expect_found(log[8], 1, int64_t(at(1, 0, 0)), 7);
        expect_found(log[11], 2, int64_t(at(1, 2, 2)), 9);
    }
}

// As one graph, and one after the other in the same memory.
TEST(LabelsOutOfRange, AreFoundInEitherMicroBatch) {
    for (const Device device : devices())
        for (const size_t together : {size_t{1} << 20, size_t{0}}) {
            SCOPED_TRACE(name_of(device) + (together ? " together" : " in turns"));
            auto data = batches(20);
            data[16].labels[at(2, 1, 4)] = 3;  // of step 8 the first, of step 9 the second, of step 10 both
            data[19].labels[at(0, 6, 2)] = 4, data[18].labels[at(1, 6, 2)] = 5;
            data[15].labels[at(2, 7, 7)] = 6;
            Rig rig(device, 1, bce_dice_loss(), {.max_input_bytes = together});
            for (size_t i = 0; i < data.size(); i += 2) rig.step->run(&data[i], 2, 1e-3);
            EXPECT_EQ(rig.step->replayed() > 0, together && device.kind == DeviceKind::gpu);
            const auto log = rig.step->read();
            expect_found(log[6], 0, -1, 0);
            expect_found(log[7], 1, images * pixels + int64_t(at(2, 7, 7)), 6);
            expect_found(log[8], 1, int64_t(at(2, 1, 4)), 3);
            expect_found(log[9], 2, int64_t(at(1, 6, 2)), 5);
        }
}

TEST(LabelsOutOfRange, OfSamplesThatADeviceAugmentsThoseAreFoundThatTheNetSees) {
    for (const Device device : devices()) {
        SCOPED_TRACE(name_of(device));
        auto floats = batches(8);
        floats[6].labels[at(1, 12, 4)] = 9;  // outside the crop
        floats[7].labels[at(1, 12, 4)] = 9, floats[7].labels[at(2, 3, 5)] = 8;
        Rig rig(device);
        for (const HostBatch& b : floats) {
            const HostBatch cropped = left_halves_of(b);
            rig.step->run(&cropped, 1, 1e-3);
        }
        const auto log = rig.step->read();
        expect_found(log[6], 0, -1, 0);
        expect_found(log[7], 1, (2 * size + 5) * (size / 2) + 3, 8);
    }
}

// All ranks learn of them, the one whose images they are also where.
void two_ranks(DeviceKind kind) {
    StepLogEntry found[2];
    run_ranks(2, [&](Communicator& ranks) {
        auto data = batches(2);
        data[1].labels[at(2, 9, 1)] = 3, data[1].labels[at(2, 9, 2)] = 3;
        Rig rig({kind, ranks.rank()}, 1, bce_dice_loss(), {.ranks = &ranks});
        rig.step->run(&data[size_t(ranks.rank())], 1, 1e-3);
        found[ranks.rank()] = rig.step->read().at(0);
    });
    expect_found(found[0], 2, -1, 0);
    expect_found(found[1], 2, int64_t(at(2, 9, 1)), 3);
}
TEST(LabelsOutOfRange, OfOneRankAreKnownToAll) { two_ranks(DeviceKind::cpu); }
#ifdef ATROUS_EMULATED
TEST(LabelsOutOfRange, OfOneRankAreKnownToAllOnEmulatedDevices) {
    gpu::emu::ScopedOptions options;
    options->devices = 2;
    two_ranks(DeviceKind::gpu);
    gpu::set_device(0);
}
#endif

// A loss of somebody else's, which does not look.
struct Blind : LossFunction {
    std::unique_ptr<LossFunction> inner;
    explicit Blind(std::unique_ptr<LossFunction> loss) : inner(std::move(loss)) {}
    const std::vector<LossTerm>& terms() const override { return inner->terms(); }
    int ignore_index() const override { return inner->ignore_index(); }
    double normalizer_of(const std::vector<uint8_t>& l, int64_t c) const override { return inner->normalizer_of(l, c); }
    LossValue value(const Tensor& logits, const Tensor& labels, const LossShare& share) const override {
        const LossValue v = inner->value(logits, labels, share);
        return {v.loss, v.terms};
    }
};

TEST(LabelsOutOfRange, AreFoundWithEveryLoss) {
    const LossFactory blind = [](Device device, DType compute) {
        return std::make_unique<Blind>(class_loss()(device, compute));
    };
    const std::pair<const char*, LossFactory> losses[] = {
        {"bce_dice", bce_dice_loss()},
        {"softmax", class_loss()},
        {"sum", sum_of_losses({class_loss(), bce_dice_loss({.bce_weight = 0})})},
        {"sum, the first does not look", sum_of_losses({blind, class_loss({.ce_weight = 0, .region_weight = 1})})},
        {"does not look", blind}};
    for (const Device device : devices())
        for (const auto& [name, loss] : losses)
            for (const int64_t channels : {1, 4}) {
                SCOPED_TRACE(name_of(device) + " " + name + " " + std::to_string(channels));
                const int64_t classes = std::max<int64_t>(channels, 2);
                auto data = batches(2);
                data[0].labels[at(1, 2, 3)] = uint8_t(classes - 1);
                data[1].labels[at(1, 2, 3)] = uint8_t(classes);
                Rig rig(device, channels, loss);
                for (const HostBatch& b : data) rig.step->run(&b, 1, 1e-3);
                const auto log = rig.step->read();
                expect_found(log[0], 0, -1, 0);
                expect_found(log[1], 1, int64_t(at(1, 2, 3)), classes);
            }
}

// A pass over the labels takes time: one is enough, whatever the loss is made of.
TEST(LabelsOutOfRange, AreLookedForOnce) {
    const Device cpu{DeviceKind::cpu};
    const Tensor logits = Tensor::full({2, 2, 5, 3}, DType::f32, cpu, 0.5);
    const Tensor labels = Tensor::full({2, 2, 5, 1}, DType::u8, cpu, 1);
    const auto looks = [&](auto f) {
        const VariantLog ran;
        f();
        const auto& names = ran.names();
        return std::count(names.begin(), names.end(), "label_range/omp");
    };
    for (const LossFactory& factory :
         {bce_dice_loss(), class_loss(), sum_of_losses({class_loss(), bce_dice_loss({.bce_weight = 0})})}) {
        const auto loss = factory(cpu, DType::f32);
        EXPECT_EQ(looks([&] { loss->value(logits, labels); }), 1);
        EXPECT_EQ(looks([&] { loss->value(logits, labels, {.look_at_labels = false}); }), 0);
        EXPECT_EQ(looks([&] { loss->by_image(logits, labels); }), 0);
    }
}

TEST(LabelsOutOfRange, OfAnOpThatIsCalledDirectlyAreInItsValue) {
    for (const Device device : devices()) {
        SCOPED_TRACE(name_of(device));
        const Tensor logits = Tensor::full({1, 2, 5, 3}, DType::f32, device, 0.5);
        Tensor labels = Tensor::empty({1, 2, 5, 1}, DType::u8, device);
        const std::vector<uint8_t> ids{0, 1, 2, 255, 0, 3, 200, 0, 0, 3};
        labels.copy_from_host(ids.data(), ids.size());
        const std::vector<int64_t> expected{3, 5, 3}, with_255{4, 3, 255};
        EXPECT_EQ(bce_dice(logits, labels).labels_out_of_range.to_host<int64_t>(), expected);
        EXPECT_EQ(softmax_loss(logits, labels).labels_out_of_range.to_host<int64_t>(), expected);
        EXPECT_EQ(softmax_loss(logits, labels, {.ignore_index = -1}).labels_out_of_range.to_host<int64_t>(), with_255);
    }
}

// ---- training and scoring ----

// One label of the whole training is no class. `told`: the source knows the file.
class SpoiltSource : public Rectangles {
 public:
    SpoiltSource(int64_t batch, bool told) : Rectangles(24, 2, size, 1), batch_(batch), told_(told) {}
    void start_epoch(int64_t epoch, int64_t first) override {
        number_ = first;
        Rectangles::start_epoch(epoch, first);
    }
    bool next(HostBatch& b) override {
        if (!Rectangles::next(b)) return false;
        b.indices = {2 * number_, 2 * number_ + 1};
        if (number_++ == batch_) b.labels[at(1, 5, 3)] = 2;
        return true;
    }
    std::optional<LabelPlace> find_label(int64_t index, uint8_t label) const override {
        if (!told_ || label != 2) return std::nullopt;
        return LabelPlace{"masks/" + std::to_string(index) + ".png", 50, 30};
    }

 private:
    int64_t batch_, number_ = 0;
    bool told_;
};

struct Collector : TrainObserver {
    std::vector<int64_t> steps;
    int64_t steps_when_read = 0, epochs = 0;
    void on_step(const StepReport& r) override { steps.push_back(r.step); }
    void on_read() override { steps_when_read = int64_t(steps.size()); }
    void on_epoch(const EpochReport&) override { ++epochs; }
};

template <class F>
std::string data_error(F f) {
    try {
        f();
    } catch (const DataError& e) {
        return e.what();
    }
    return "nothing was thrown";
}

// Batch 9 is in step 10, with two micro-batches in step 5. Who saves in on_read or on_epoch never sees that step.
TEST(LabelsOutOfRange, EndATrainingByNameHoweverSeldomTheHostLooks) {
    for (const Device device : devices()) {
        if (device.kind == DeviceKind::reference) continue;
        for (const int64_t read_every : {1, 4, 16})
            for (const int64_t accumulate : {1, 2}) {
                SCOPED_TRACE(name_of(device) + " every " + std::to_string(read_every));
                UNet net({.base_channels = 4, .depth = 1});
                net.materialize({.device = device, .seed = 1});
                Optimizer optimizer(net, {});
                Trainer trainer(net, optimizer, {.epochs = 2, .accumulate = accumulate, .read_every = read_every});
                SpoiltSource source(9, true);
                Collector seen;
                const int64_t step = accumulate == 1 ? 10 : 5;
                EXPECT_EQ(
                    data_error([&] { trainer.run(source, nullptr, seen); }),
                    "masks/19.png (rectangle 19) has the label 2, first at pixel (50, 30) (1 such in step " +
                        std::to_string(step) +
                        "); expected classes 0 to 1, or 255 for ignored: give the net more classes, or the masks other "
                        "ids");
                EXPECT_EQ(int64_t(seen.steps.size()), step - 1);
                EXPECT_EQ(seen.steps_when_read, (step - 1) / read_every * read_every);
                EXPECT_EQ(seen.epochs, 0);
            }
    }
}

TEST(LabelsOutOfRange, WithoutAFileArePlacedInWhatTheNetSaw) {
    UNet net({.base_channels = 4, .depth = 1});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    Optimizer optimizer(net, {});
    Trainer trainer(net, optimizer, {.epochs = 1});
    SpoiltSource source(9, false);
    Collector seen;
    EXPECT_EQ(
        data_error([&] {
            trainer.run(source, nullptr, seen);
        }).find("rectangle 19 has the label 2 at pixel (5, 3) of the image as the net saw it (1 such in step 10);"),
        0u);
}

// A metric takes labels for indices. It is added in a process of its own: no other test shall have it.
TEST(LabelsOutOfRange, AreSeenByNoMetric) {
    const auto evaluation = [] {
        add_metric({.key = "none_but_classes", .of_image = [](const Tensor&, const Tensor& labels) -> double {
                        for (const uint8_t label : labels.to_host<uint8_t>())
                            if (label > 1 && label != 255) _exit(9);
                        return 0;
                    }});
        UNet net({.base_channels = 4, .depth = 1});
        net.materialize({.device = {DeviceKind::reference}, .seed = 1});
        SpoiltSource source(1, true);
        const bool said = data_error([&] { evaluate(net, source, {}); }).starts_with("masks/3.png");
        _exit(said ? 0 : 8);
    };
    EXPECT_EXIT(evaluation(), testing::ExitedWithCode(0), "");
}

// A mask that vanished while the training went on, say.
TEST(LabelsOutOfRange, AreSaidAlsoWhereTheBatchesCannotBeReadAgain) {
    struct Vanishing : SpoiltSource {
        using SpoiltSource::SpoiltSource;
        int64_t starts = 0;
        void start_epoch(int64_t epoch, int64_t first) override {
            if (++starts > 1) throw IoError("masks/19.png: no such file");
            SpoiltSource::start_epoch(epoch, first);
        }
    };
    UNet net({.base_channels = 4, .depth = 1});
    net.materialize({.device = {DeviceKind::cpu}, .seed = 1});
    Optimizer optimizer(net, {});
    Trainer trainer(net, optimizer, {.epochs = 1});
    Vanishing source(9, true);
    Collector seen;
    EXPECT_EQ(
        data_error([&] { trainer.run(source, nullptr, seen); }),
        "step 10: labels that are no class, 1 of them, the first 2 (images: rectangle 18, rectangle 19); give the "
        "net more classes, or the masks other ids; the place is not known, for the images cannot be read again: "
        "masks/19.png: no such file");
}

TEST(LabelsOutOfRange, EndAnEvaluationByName) {
    for (const Device device : devices()) {
        SCOPED_TRACE(name_of(device));
        UNet net({.base_channels = 4, .depth = 1});
        net.materialize({.device = device, .seed = 1});
        SpoiltSource source(9, true), clean(99, true);
        int64_t done = 0;
        EvaluateOptions options;
        options.on_image = [&](const ImageResult&) { ++done; };
        EXPECT_EQ(data_error([&] { evaluate(net, source, options); }),
                  "masks/19.png (rectangle 19) has the label 2, first at pixel (50, 30) (1 such in its batch); "
                  "expected classes 0 to 1, or 255 for "
                  "ignored: give the net more classes, or the masks other ids");
        EXPECT_EQ(done, 18) << "images of the batches before";
        EXPECT_NO_THROW(evaluate(net, clean, options));
    }
}

}  // namespace
}  // namespace atrous
