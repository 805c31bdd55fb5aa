// Bytes through their levels, on every device: the bits that the host computes.
#include "engine/ops/normalize.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.h"
#include "base/philox.h"
#include "base/variant.h"
#include "engine/context.h"

namespace atrous {
namespace {

std::vector<float> levels_of(int64_t kinds) {
    std::vector<float> levels(size_t(kinds * 256));
    Random random(7);
    for (float& v : levels) v = float(random.uniform(-3, 3));
    return levels;
}

template <class T>
void expect_levels(Device device, const Shape& shape, int64_t kinds, int64_t shift = 0) {
    std::vector<uint8_t> bytes(size_t(shape.count() + shift));
    Random random(9);
    for (uint8_t& b : bytes) b = uint8_t(random.below(256));
    Tensor whole = Tensor::empty({int64_t(bytes.size())}, DType::u8, device);
    whole.copy_from_host(bytes.data(), bytes.size());
    const std::vector<float> levels = levels_of(kinds);
    Tensor table = Tensor::empty({int64_t(levels.size())}, DType::f32, device);
    table.copy_from_host(levels.data(), table.bytes());
    const auto found = normalize_bytes(whole.part(shift, shape), table, dtype_of<T>).template to_host<T>();
    size_t wrong = 0;
    for (size_t i = 0; i < found.size(); ++i) {
        const size_t kind = i % size_t(shape[3]) % size_t(kinds);
        wrong += to_float(found[i]) != to_float(round_to<T>(levels[kind * 256 + bytes[i + size_t(shift)]]));
    }
    EXPECT_EQ(wrong, 0u) << name_of(device) << " " << shape.text() << " " << name_of(dtype_of<T>) << " of "
                         << found.size();
}

const Shape shapes[] = {{1, 1, 1, 1},  {2, 5, 7, 3},   {1, 16, 16, 3},  {3, 33, 20, 1}, {2, 8, 9, 4},
                        {1, 3, 5, 16}, {2, 64, 64, 3}, {1, 61, 101, 5}, {1, 2, 2000, 3}};

template <class T>
void expect_on(DeviceKind kind) {
    for (const Shape& shape : shapes) expect_levels<T>({kind}, shape, std::min<int64_t>(shape[3], 3));
}

}  // namespace

TEST(NormalizeBytes, EveryDeviceGivesTheBitsOfTheLevels) {
    expect_on<float>(DeviceKind::reference);
    expect_on<double>(DeviceKind::reference);
    expect_on<float>(DeviceKind::cpu);
    expect_on<double>(DeviceKind::cpu);
    expect_on<bf16>(DeviceKind::cpu);
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    expect_on<float>(DeviceKind::gpu);
    expect_on<bf16>(DeviceKind::gpu);
    expect_on<f16>(DeviceKind::gpu);
}

TEST(NormalizeBytes, VectorsWhereTheyFit) {
    if (gpu::device_count() == 0) GTEST_SKIP() << "no GPU";
    const auto variant = [](int64_t width, int64_t shift) {
        const VariantLog log;
        expect_levels<bf16>({DeviceKind::gpu}, {1, 4, width, 3}, 3, shift);
        return log.names().back();
    };
    EXPECT_EQ(variant(8, 0), "normalize_bytes/vec8");
    EXPECT_EQ(variant(5, 0), "normalize_bytes/scalar") << "60 values are no multiple of 8";
    EXPECT_EQ(variant(8, 1), "normalize_bytes/scalar") << "the bytes are not aligned";
}

TEST(NormalizeBytes, RefusesWhatDoesNotFit) {
    const Device cpu{DeviceKind::cpu};
    const Tensor bytes = Tensor::full({1, 2, 2, 3}, DType::u8, cpu, 1),
                 floats = Tensor::full({256}, DType::f32, cpu, 1);
    EXPECT_THROW(normalize_bytes(floats, floats, DType::f32), ShapeError);
    EXPECT_THROW(normalize_bytes(Tensor::full({1, 2, 2, 3}, DType::f32, cpu, 1), floats, DType::f32), ShapeError);
    EXPECT_THROW(normalize_bytes(bytes, Tensor::full({255}, DType::f32, cpu, 1), DType::f32), ShapeError);
}

}  // namespace atrous
