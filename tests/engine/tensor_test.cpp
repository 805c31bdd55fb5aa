// Tensors: shapes, slices, copies between devices and element types, and what is refused.
#include "engine/tensor.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

#include "engine/context.h"

namespace atrous {
namespace {

class TensorTest : public testing::TestWithParam<DeviceKind> {
 protected:
    void SetUp() override {
        std::string why;
        if (GetParam() == DeviceKind::gpu && gpu::device_count(&why) == 0) GTEST_SKIP() << why;
    }
    Device device() const { return {GetParam()}; }
    Tensor ramp(const Shape& shape) const {
        std::vector<float> values(static_cast<size_t>(shape.count()));
        std::iota(values.begin(), values.end(), 0.0f);
        Tensor t = Tensor::empty(shape, DType::f32, device());
        t.copy_from_host(values.data(), values.size() * sizeof(float));
        return t;
    }
};

std::vector<float> dense_values(const Tensor& t) { return t.to({DeviceKind::reference}).to_host<float>(); }

TEST_P(TensorTest, KnowsItsShape) {
    const Tensor t = Tensor::empty({2, 3, 5, 7}, DType::bf16, device());
    EXPECT_TRUE(t.defined());
    EXPECT_EQ(t.count(), 210);
    EXPECT_EQ(t.bytes(), 420u);
    EXPECT_EQ(t.pitch(), 7);
    EXPECT_TRUE(t.is_dense());
    EXPECT_EQ(t.view().c, 7);
    EXPECT_EQ(t.view().pixels(), 30);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(t.data()) % 64, 0u);
    EXPECT_FALSE(Tensor().defined());
    EXPECT_EQ(Tensor().data(), nullptr);
}

TEST(TensorExtents, AreRefusedWhereTheirProductCannotBeAddressed) {
    const int64_t many = int64_t{1} << 31;
    for (const Shape& shape : {Shape{many, many, many, 1}, Shape{many, many, 2, 1}, Shape{int64_t{1} << 46}}) {
        try {
            Tensor::empty(shape, DType::f32, {DeviceKind::meta});
            ADD_FAILURE() << shape.text() << " was made";
        } catch (const ShapeError& e) {
            EXPECT_NE(std::string(e.what()).find(shape.text()), std::string::npos) << e.what();
        }
    }
    EXPECT_EQ(Tensor::empty({int64_t{1} << 45}, DType::f32, {DeviceKind::meta}).bytes(), size_t{1} << 47);
}

TEST_P(TensorTest, SharesMemoryWithItsSlices) {
    Tensor t = ramp({1, 2, 2, 4});
    const Tensor s = t.slice_channels(1, 2);
    EXPECT_EQ(s.storage(), t.storage());
    EXPECT_FALSE(s.is_dense());
    EXPECT_EQ(s.pitch(), 4);
    EXPECT_NE(s.id(), t.id());
    EXPECT_EQ(dense_values(s), (std::vector<float>{1, 2, 5, 6, 9, 10, 13, 14}));
    EXPECT_EQ(dense_values(s.slice_channels(1, 1)), (std::vector<float>{2, 6, 10, 14}));
    t.fill(3);
    EXPECT_EQ(dense_values(s), std::vector<float>(8, 3));
}

TEST_P(TensorTest, WritesIntoASliceAlone) {
    const Tensor t = ramp({1, 1, 3, 4}), from = ramp({1, 1, 3, 2});
    t.slice_channels(2, 2).copy_from(from);
    EXPECT_EQ(dense_values(t), (std::vector<float>{0, 1, 0, 1, 4, 5, 2, 3, 8, 9, 4, 5}));
}

TEST_P(TensorTest, WidensASliceThatBeginsItsPixels) {
    const Tensor t = ramp({1, 1, 2, 6}), part = t.slice_channels(0, 2);
    EXPECT_EQ(dense_values(part.with_channels(6)), dense_values(t));
    EXPECT_THROW(part.with_channels(7), ShapeError);
}

TEST_P(TensorTest, IsSeenInOtherShapes) {
    const Tensor t = ramp({1, 2, 3, 2});
    EXPECT_EQ(t.reshape({12}).to_host<float>(), t.to_host<float>());
    EXPECT_EQ(t.part(3, {1, 1, 2, 2}).to_host<float>(), (std::vector<float>{3, 4, 5, 6}));
    EXPECT_EQ(t.part(11, {1}).item(), 11);
    EXPECT_THROW(t.part(11, {2}), ShapeError);
    EXPECT_THROW(t.part(-1, {2}), ShapeError);
    EXPECT_THROW(t.reshape({11}), ShapeError);
    EXPECT_THROW(t.slice_channels(0, 1).reshape({6}), ShapeError);
}

TEST_P(TensorTest, CopiesToEveryDevice) {
    const Tensor t = ramp({1, 2, 3, 8});
    std::vector<DeviceKind> kinds{DeviceKind::reference, DeviceKind::cpu};
    if (gpu::device_count() > 0) kinds.push_back(DeviceKind::gpu);
    for (DeviceKind kind : kinds) {
        const Tensor copy = t.to({kind});
        EXPECT_EQ(copy.device().kind, kind);
        EXPECT_NE(copy.storage(), t.storage());
        EXPECT_EQ(copy.to_host<float>(), t.to_host<float>());
        const Tensor slice = t.slice_channels(2, 3).to({kind});
        EXPECT_TRUE(slice.is_dense());
        EXPECT_EQ(slice.to_host<float>(), dense_values(t.slice_channels(2, 3)));
    }
    EXPECT_EQ(t.to({DeviceKind::meta}).data(), nullptr);
}

TEST_P(TensorTest, FillsEveryElementType) {
    for (DType type : {DType::f32, DType::bf16, DType::f16, DType::u8, DType::i32, DType::i64}) {
        const Tensor t = Tensor::full({1, 3, 5, 7}, type, device(), 3);
        std::vector<unsigned char> bytes(t.bytes()), one(size_of(type));
        t.copy_to_host(bytes.data(), bytes.size());
        const auto put = [&](auto v) { std::memcpy(one.data(), &v, sizeof v); };
        if (type == DType::f32) put(3.0f);
        if (type == DType::bf16) put(uint16_t(0x4040));
        if (type == DType::f16) put(uint16_t(0x4200));
        if (type == DType::u8) put(uint8_t(3));
        if (type == DType::i32) put(int32_t(3));
        if (type == DType::i64) put(int64_t(3));
        for (size_t i = 0; i < bytes.size(); ++i)
            ASSERT_EQ(bytes[i], one[i % one.size()]) << name_of(type) << " byte " << i;
    }
}

TEST_P(TensorTest, ConvertsElementTypes) {
    const Tensor t = ramp({1, 1, 3, 100});
    Tensor half = Tensor::empty(t.shape(), DType::bf16, device()),
           back = Tensor::empty(t.shape(), DType::f32, device());
    half.copy_from(t);
    back.copy_from(half);
    const auto values = back.to_host<float>();
    for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], to_float(round_to<bf16>(float(i)))) << i;
}

TEST_P(TensorTest, CountsOverwrites) {
    Tensor t = ramp({1, 1, 1, 4});
    const int64_t before = t.storage()->version();
    t.fill(0);
    EXPECT_GT(t.storage()->version(), before);
    const int64_t filled = t.storage()->version();
    t.slice_channels(0, 2).copy_from(ramp({1, 1, 1, 2}));
    EXPECT_GT(t.storage()->version(), filled);
    const int64_t copied = t.storage()->version();
    t.to_host<float>();
    EXPECT_EQ(t.storage()->version(), copied);
}

TEST_P(TensorTest, RefusesWhatDoesNotFit) {
    Tensor t = ramp({1, 2, 2, 4});
    float buffer[16];
    EXPECT_THROW(Tensor::empty({1, 0, 2, 4}, DType::f32, device()), ShapeError);
    EXPECT_THROW(t.slice_channels(3, 2), ShapeError);
    EXPECT_THROW(t.slice_channels(0, 0), ShapeError);
    EXPECT_THROW(t.slice_channels(-1, 2), ShapeError);
    EXPECT_THROW(t.copy_from_host(buffer, 60), ShapeError);
    EXPECT_THROW(t.copy_to_host(buffer, 60), ShapeError);
    EXPECT_THROW(t.slice_channels(0, 2).copy_to_host(buffer, 32), ShapeError);
    EXPECT_THROW(t.slice_channels(0, 2).fill(1), ShapeError);
    EXPECT_THROW(t.to_host<double>(), ShapeError);
    EXPECT_THROW(t.item(), ShapeError);
    EXPECT_THROW(t.copy_from(ramp({1, 2, 2, 3})), ShapeError);
    EXPECT_THROW(ramp({16}).slice_channels(0, 1), ShapeError);
    EXPECT_THROW((Shape{1, 1, 1, 1, 1}), ShapeError);
}

TEST_P(TensorTest, GivesItsMemoryBack) {
    auto& memory = context_of(device()).memory();
    const size_t before = memory.statistics().in_use_bytes;
    {
        const Tensor t = Tensor::empty({1, 64, 64, 8}, DType::f32, device()), slice = t.slice_channels(0, 4);
        EXPECT_GE(memory.statistics().in_use_bytes, before + t.bytes());
    }
    EXPECT_EQ(memory.statistics().in_use_bytes, before);
}

INSTANTIATE_TEST_SUITE_P(Devices, TensorTest, testing::Values(DeviceKind::reference, DeviceKind::cpu, DeviceKind::gpu),
                         [](const auto& info) {
                             return info.param == DeviceKind::gpu ? std::string("gpu") : name_of(Device{info.param});
                         });

TEST(MetaTensor, HasAShapeAndNoMemory) {
    const Device meta{DeviceKind::meta};
    Tensor t = Tensor::full({4, 100000, 100000, 64}, DType::f32, meta, 1);
    EXPECT_EQ(t.data(), nullptr);
    EXPECT_EQ(t.bytes(), 4ull * 100000 * 100000 * 64 * 4);
    EXPECT_EQ(t.slice_channels(8, 8).pitch(), 64);
    EXPECT_NO_THROW(t.fill(2));
    float x;
    EXPECT_THROW(Tensor::empty({1}, DType::f32, meta).copy_to_host(&x, 4), Error);
    EXPECT_THROW(context_of(meta), Error);
}

TEST(Device, IsParsed) {
    EXPECT_EQ(parse_device("cpu").kind, DeviceKind::cpu);
    EXPECT_EQ(parse_device("reference").kind, DeviceKind::reference);
    EXPECT_EQ(parse_device("meta").kind, DeviceKind::meta);
    EXPECT_THROW(parse_device("gpu0"), UsageError);
    EXPECT_THROW(parse_device(""), UsageError);
    if (gpu::platform() == gpu::Platform::emulated) {
        EXPECT_EQ(parse_device("emulated").kind, DeviceKind::gpu);
        EXPECT_EQ(parse_device("auto").kind, DeviceKind::cpu) << "auto never means the emulator";
        EXPECT_THROW(parse_device("cuda"), GpuError);
        EXPECT_THROW(parse_device("cuda:0"), GpuError);
    } else {
        EXPECT_THROW(parse_device("emulated"), GpuError);
        EXPECT_THROW(parse_device("cuda:x"), UsageError);
        EXPECT_THROW(parse_device("cuda:-1"), UsageError);
        EXPECT_THROW(parse_device("cuda:4096"), GpuError);
    }
}

}  // namespace
}  // namespace atrous
