// A normalizer that the loss reads from the device is the one given as an option.
#include <gtest/gtest.h>

#include "benchmarks/cases/case.h"
#include "benchmarks/cases/run.h"
#include "engine/context.h"
#include "engine/ops/loss.h"

namespace atrous::cases {
namespace {

std::vector<std::vector<double>> both_ways(Device device, const BceDiceOptions& options) {
    const Shape shape{2, 5, 7, 3};
    std::vector<double> values(size_t(shape.count()));
    for (size_t i = 0; i < values.size(); ++i) values[i] = double(i % 13) / 4 - 1.5;
    const Tensor logits = tensor_of(shape, DType::f32, device, Pitch::dense, values);
    std::vector<uint8_t> ids(2 * 5 * 7);
    for (size_t i = 0; i < ids.size(); ++i) ids[i] = uint8_t(i % 11 == 0 ? 255 : i % 3);
    Tensor labels = Tensor::empty({2, 5, 7, 1}, DType::u8, device);
    labels.copy_from_host(ids.data(), ids.size());
    Tape tape;
    tape.watch(logits);
    const LossValue loss = bce_dice(logits, labels, options);
    tape.backward(loss.loss);
    return {values_in(loss.terms), values_in(tape.gradient(logits))};
}

TEST(DeviceNormalizer, TakesThePlaceOfTheOption) {
    for (DeviceKind kind : {DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu}) {
        if (kind == DeviceKind::gpu && gpu::device_count() == 0) continue;
        const Device device{kind};
        SCOPED_TRACE(name_of(device));
        for (double normalizer : {0.0, 37.0}) {
            Tensor on_device = Tensor::empty({int64_t(sizeof normalizer)}, DType::u8, device);
            on_device.copy_from_host(&normalizer, sizeof normalizer);
            const auto expected = both_ways(device, {.normalizer = normalizer});
            EXPECT_EQ(both_ways(device, {.normalizer = 5, .device_normalizer = on_device.as<double>()}), expected);
            EXPECT_NE(both_ways(device, {.normalizer = 5}), expected);
        }
    }
}

}  // namespace
}  // namespace atrous::cases
