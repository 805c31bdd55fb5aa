// Every GPU variant of convolution and transposed convolution against the reference: variant x direction x element type
// x aligned/odd. Inputs are small integers, so that sums are exact in float in any order and results must be equal bit
// for bit; half-precision results are the exact sum rounded once. Outputs start as NaN; what lies between a slice's
// pixels and around every buffer must not change.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "base/variant.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"

namespace atrous::kernels {
namespace {

struct DeviceBlock {
    explicit DeviceBlock(size_t bytes) : data(static_cast<char*>(gpu::allocate(bytes))) {}
    ~DeviceBlock() { gpu::release(data); }
    DeviceBlock(const DeviceBlock&) = delete;
    DeviceBlock& operator=(const DeviceBlock&) = delete;
    char* data;
};

struct OwnScratch : Scratch {
    void* take(size_t bytes) override {
        blocks.push_back(std::make_unique<DeviceBlock>(bytes));
        return blocks.back()->data;
    }
    std::vector<std::unique_ptr<DeviceBlock>> blocks;
};

struct Gpu {
    gpu::Stream stream;
    OwnScratch scratch;
    Queue queue{stream.view(), scratch, 1};
};

float rounded(float v, DType t) {
    if (t == DType::bf16) return to_float(round_to<bf16>(v));
    if (t == DType::f16) return to_float(round_to<f16>(v));
    return v;
}
void put(char* to, float v, DType t) {
    if (t == DType::f32) std::memcpy(to, &v, 4);
    if (t == DType::bf16) reinterpret_cast<bf16&>(*to) = round_to<bf16>(v);
    if (t == DType::f16) reinterpret_cast<f16&>(*to) = round_to<f16>(v);
}
float get(const char* from, DType t) {
    float v = 0;
    if (t == DType::f32) std::memcpy(&v, from, 4);
    if (t == DType::bf16) v = to_float(reinterpret_cast<const bf16&>(*from));
    if (t == DType::f16) v = to_float(reinterpret_cast<const f16&>(*from));
    return v;
}

// A tensor on the host (dense floats, for the reference) and on the device (any element type, a pixel pitch, perhaps
// not aligned), between guards.
class Pair {
 public:
    Pair(int64_t n, int64_t h, int64_t w, int64_t c)
        : values(size_t(n * h * w * c), nan), shape_{nullptr, DType::f32, n, h, w, c, c} {}

    Pair& fill(Random& random, int largest) {
        for (float& v : values) v = float(random.below(2 * largest + 1)) - float(largest);
        return *this;
    }
    View host() {
        View v = shape_;
        v.data = values.data();
        return v;
    }
    // Uploads what the host has now; NaN where it has none.
    View upload(DType t, int64_t gap, int64_t shift, gpu::StreamView stream) {
        device_ = shape_;
        device_.dtype = t, device_.pitch = shape_.c + gap;
        offset_ = guard_bytes + size_t(shift) * size_of(t);
        image_.assign(offset_ + size_t(device_.pixels() * device_.pitch) * size_of(t) + guard_bytes, char(0xff));
        for_each_element([&](size_t at, size_t i) { put(&image_[at], values[i], t); });
        block_ = std::make_unique<DeviceBlock>(image_.size());
        gpu::copy_async(block_->data, image_.data(), image_.size(), stream);
        device_.data = block_->data + offset_;
        return device_;
    }
    // The device's elements must equal the host's, rounded once; everything else must be as uploaded.
    void expect_equal(gpu::StreamView stream, const char* name) {
        std::vector<char> now(image_.size());
        gpu::copy_async(now.data(), block_->data, now.size(), stream);
        stream.synchronize();
        size_t wrong = 0;
        for_each_element([&](size_t at, size_t i) {
            const float found = get(&now[at], device_.dtype), wanted = rounded(values[i], device_.dtype);
            if (found != wanted && wrong++ < 3)
                ADD_FAILURE() << name << " element " << i << ": " << found << ", expected " << wanted;
            std::memcpy(&now[at], &image_[at], size_of(device_.dtype));
        });
        EXPECT_EQ(wrong, 0u) << name << " elements of " << values.size();
        EXPECT_TRUE(now == image_) << name << ": bytes outside the tensor changed";
    }
    double nonzero_share() const {
        const auto zeros = std::count(values.begin(), values.end(), 0.0f);
        return 1.0 - double(zeros) / double(values.size());
    }
    std::vector<float> values;

 private:
    static constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    static constexpr size_t guard_bytes = 512;
    template <class F>
    void for_each_element(F f) {
        for (int64_t pixel = 0; pixel < device_.pixels(); ++pixel)
            for (int64_t c = 0; c < device_.c; ++c)
                f(offset_ + size_t(pixel * device_.pitch + c) * size_of(device_.dtype), size_t(pixel * device_.c + c));
    }
    View shape_, device_;
    size_t offset_ = 0;
    std::vector<char> image_;
    std::unique_ptr<DeviceBlock> block_;
};

struct Case {
    int64_t n, h, w, i, o, r, s;
    ConvGeometry g;
    bool accumulate = false, bias = true;
    int64_t gap = 0, shift = 0;  // extra pitch and misalignment of activations, in elements
    std::string text() const {
        const int64_t all[] = {n, h, w, i, o, r, s, g.stride, g.padding, g.dilation, accumulate, bias, gap, shift};
        std::string t = "n h w i o r s stride padding dilation accumulate bias gap shift:";
        for (int64_t v : all) t += " " + std::to_string(v);
        return t;
    }
};

enum class Direction { forward, backward_input, backward_weight };

// One contract function on both sides. `transposed`: the 2x2 transposed convolution; r, s and geometry are then fixed.
class BothSides {
 public:
    BothSides(const Case& c, DType t, bool transposed)
        : c_(c),
          t_(t),
          transposed_(transposed),
          random_(1, uint64_t(c.h), uint64_t(c.i), uint64_t(c.o)),
          x_(c.n, c.h, c.w, c.i),
          w_(transposed ? Pair(2, 2, c.o, c.i) : Pair(c.o, c.r, c.s, c.i)),
          y_(c.n, transposed ? 2 * c.h : c.g.output_size(c.h, c.r), transposed ? 2 * c.w : c.g.output_size(c.w, c.s),
             c.o),
          bias_(1, 1, 1, c.o) {
        bias_.fill(random_, 9);
    }

    std::vector<std::string> go(Direction d) {
        SCOPED_TRACE(c_.text() + " " + name_of(t_));
        if (d == Direction::forward) forward();
        if (d == Direction::backward_input) backward_input();
        if (d == Direction::backward_weight) backward_weight();
        return names_;
    }

    double nonzero_share(Direction d) const {
        return (d == Direction::forward ? y_ : d == Direction::backward_input ? x_ : w_).nonzero_share();
    }

 private:
    View activation(Pair& p) { return p.upload(t_, c_.gap, c_.shift, stream()); }
    View parameter(Pair& p, DType t) { return p.upload(t, 0, 0, stream()); }
    gpu::StreamView stream() { return gpu_.stream.view(); }

    template <class Args>
    void call(void (*reference)(Queue&, const Args&), const Args& host, void (*own)(Queue&, const Args&),
              const Args& device) {
        reference(gpu_.queue, host);
        VariantLog log;
        own(gpu_.queue, device);
        stream().synchronize();
        names_ = log.names();
    }
    void forward() {
        x_.fill(random_, 3), w_.fill(random_, 2);
        void* const bias = c_.bias ? bias_.values.data() : nullptr;
        void* const device_bias = c_.bias ? parameter(bias_, DType::f32).data : nullptr;
        const View x = activation(x_), w = parameter(w_, t_), y = activation(y_);
        if (transposed_)
            call(reference::conv_transpose_forward, {x_.host(), w_.host(), bias, y_.host()},
                 cuda::conv_transpose_forward, {x, w, device_bias, y});
        else
            call(reference::conv_forward, {x_.host(), w_.host(), bias, y_.host(), c_.g}, cuda::conv_forward,
                 {x, w, device_bias, y, c_.g});
        y_.expect_equal(stream(), "y");
    }
    void backward_input() {
        y_.fill(random_, 3), w_.fill(random_, 2);
        if (c_.accumulate) x_.fill(random_, 9);
        const View dy = activation(y_), w = parameter(w_, t_), dx = activation(x_);
        if (transposed_)
            call(reference::conv_transpose_backward_input, {y_.host(), w_.host(), {x_.host(), c_.accumulate}},
                 cuda::conv_transpose_backward_input, {dy, w, {dx, c_.accumulate}});
        else
            call(reference::conv_backward_input, {y_.host(), w_.host(), {x_.host(), c_.accumulate}, c_.g},
                 cuda::conv_backward_input, {dy, w, {dx, c_.accumulate}, c_.g});
        x_.expect_equal(stream(), "dx");
    }
    void backward_weight() {
        y_.fill(random_, 3), x_.fill(random_, 3);
        if (c_.accumulate)
            w_.fill(random_, 9);
        else
            std::fill(bias_.values.begin(), bias_.values.end(), std::numeric_limits<float>::quiet_NaN());
        const View x = activation(x_), dy = activation(y_), dw = parameter(w_, DType::f32);
        const VectorInto host{c_.bias ? bias_.values.data() : nullptr, c_.accumulate};
        const VectorInto device{c_.bias ? parameter(bias_, DType::f32).data : nullptr, c_.accumulate};
        if (transposed_)
            call(reference::conv_transpose_backward_weight, {x_.host(), y_.host(), {w_.host(), c_.accumulate}, host},
                 cuda::conv_transpose_backward_weight, {x, dy, {dw, c_.accumulate}, device});
        else
            call(reference::conv_backward_weight, {x_.host(), y_.host(), {w_.host(), c_.accumulate}, host, c_.g},
                 cuda::conv_backward_weight, {x, dy, {dw, c_.accumulate}, device, c_.g});
        w_.expect_equal(stream(), "dw");
        if (c_.bias) bias_.expect_equal(stream(), "dbias");
    }

    Case c_;
    DType t_;
    bool transposed_;
    Random random_;
    Gpu gpu_;
    Pair x_, w_, y_, bias_;
    std::vector<std::string> names_;
};

// n h w i o r s, {stride, padding, dilation}, accumulate, bias, gap, shift
const Case aligned_cases[] = {
    {1, 1, 1, 8, 8, 1, 1, {1, 0, 1}},
    {2, 5, 7, 8, 16, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 24, 40, 3, 3, {2, 1, 1}, false, false, 8},
    {3, 6, 5, 64, 8, 1, 1, {2, 0, 1}, true, true, 16},
    {1, 9, 10, 16, 72, 3, 3, {1, 6, 6}, false, true, 24},
    {1, 7, 8, 8, 8, 3, 3, {1, 12, 12}, true},  // every tap but the middle one is padding
    {2, 17, 15, 8, 8, 7, 7, {2, 3, 1}},
    {1, 9, 9, 8, 136, 5, 3, {3, 2, 2}, true, false},
    {2, 16, 65, 80, 8, 2, 4, {1, 0, 1}},
};
const Case odd_cases[] = {
    {1, 1, 1, 1, 1, 1, 1, {1, 0, 1}},
    {2, 5, 7, 3, 8, 3, 3, {1, 1, 1}, true},
    {1, 13, 11, 8, 5, 3, 3, {2, 1, 1}, false, false, 3},
    {3, 6, 5, 4, 17, 1, 1, {2, 0, 1}, true, true, 4},
    {1, 9, 10, 21, 33, 3, 3, {1, 2, 2}, false, true, 1},
    {1, 7, 8, 12, 20, 3, 3, {1, 12, 12}, true},
    {2, 17, 15, 3, 67, 7, 7, {2, 3, 1}},
    {1, 9, 9, 6, 7, 5, 3, {3, 2, 2}, true, false},
    {2, 5, 6, 8, 8, 3, 3, {1, 1, 1}, true, true, 4},       // pitch not a multiple of 8
    {2, 5, 6, 16, 8, 3, 3, {1, 1, 1}, false, true, 8, 4},  // not aligned to 16 bytes in half precision
    {1, 5, 6, 16, 8, 3, 3, {1, 1, 1}, false, true, 0, 1},  // aligned to one element
};

struct Cell {
    Direction direction;
    bool transposed;
    DType dtype;
    bool aligned;
    std::string function() const {
        const char* const directions[] = {"forward", "backward_input", "backward_weight"};
        return std::string(transposed ? "conv_transpose_" : "conv_") + directions[int(direction)];
    }
};
std::string cell_name(const testing::TestParamInfo<Cell>& i) {
    return i.param.function() + "_" + name_of(i.param.dtype) + (i.param.aligned ? "_aligned" : "_odd");
}
std::vector<Cell> every_cell() {
    std::vector<Cell> cells;
    for (auto direction : {Direction::forward, Direction::backward_input, Direction::backward_weight})
        for (bool transposed : {false, true})
            for (DType t : {DType::f32, DType::bf16, DType::f16})
                for (bool aligned : {true, false}) cells.push_back({direction, transposed, t, aligned});
    return cells;
}

class ConvCudaVariants : public testing::TestWithParam<Cell> {
 protected:
    void SetUp() override {
        std::string why;
        if (gpu::device_count(&why) == 0) GTEST_SKIP() << "no GPU: " << why;
    }
};

void expect_variant(const std::vector<std::string>& names, const std::string& function, DType t, bool aligned,
                    bool bias) {
    const std::string variant = is_half(t) && aligned ? "/mma_" : "/simt_";
    std::vector<std::string> wanted{function + variant + name_of(t)};
    if (bias && function.find("weight") != std::string::npos) wanted.push_back(function + "/bias_" + name_of(t));
    EXPECT_EQ(names, wanted);
}

TEST_P(ConvCudaVariants, EqualsReference) {
    const Cell& cell = GetParam();
    const auto check = [&](const Case& c) {
        BothSides sides(c, cell.dtype, cell.transposed);
        const auto names = sides.go(cell.direction);
        EXPECT_GT(sides.nonzero_share(cell.direction), 0.05) << c.text();  // dilated kernels leave most of dw zero
        expect_variant(names, cell.function(), cell.dtype, cell.aligned, c.bias);
    };
    if (cell.aligned)
        for (const Case& c : aligned_cases) check(c);
    else
        for (const Case& c : odd_cases) check(c);
}
INSTANTIATE_TEST_SUITE_P(All, ConvCudaVariants, testing::ValuesIn(every_cell()), cell_name);

struct ConvCudaTiles : testing::Test {
    void SetUp() override {
        std::string why;
        if (gpu::device_count(&why) == 0) GTEST_SKIP() << "no GPU: " << why;
    }
};

// Enough pixels that the tensor-core kernels choose 128-row tiles, 64 and then 128 columns wide.
TEST_F(ConvCudaTiles, LargeTiles) {
    for (int64_t o : {8, 72})
        for (auto d : {Direction::forward, Direction::backward_input}) {
            const Case c{1, 184, 184,      d == Direction::forward ? 8 : o, d == Direction::forward ? o : 8,
                         1, 1,   {1, 0, 1}};
            BothSides(c, DType::bf16, false).go(d);
        }
}

// A reduction over many pixels is split among blocks; its result must not depend on how often it is computed.
TEST_F(ConvCudaTiles, WeightGradientRepeatsBitForBit) {
    for (DType t : {DType::f32, DType::bf16}) {
        Gpu g;
        Random random(7);
        Pair x(2, 40, 41, 8), dy(2, 40, 41, 8);
        for (Pair* p : {&x, &dy})
            for (float& v : p->values) v = float(random.normal());
        const View vx = x.upload(t, 0, 0, g.stream.view()), vdy = dy.upload(t, 0, 0, g.stream.view());
        std::vector<float> result[2];
        for (auto& values : result) {
            values.resize(8 * 9 * 8 + 8);
            DeviceBlock out(values.size() * sizeof(float));
            View dw{out.data, DType::f32, 8, 3, 3, 8, 8};
            cuda::conv_backward_weight(g.queue, {vx, vdy, {dw}, {out.data + 8 * 9 * 8 * sizeof(float)}, {1, 1, 1}});
            gpu::copy_async(values.data(), out.data, values.size() * sizeof(float), g.stream.view());
            g.stream.view().synchronize();
        }
        EXPECT_EQ(std::memcmp(result[0].data(), result[1].data(), result[0].size() * sizeof(float)), 0);
        EXPECT_NE(result[0][0], 0.0f);
    }
}

TEST_F(ConvCudaTiles, RefusesDoubleAndShapesThatDoNotFit) {
    Gpu g;
    Pair x(1, 4, 4, 8), w(8, 3, 3, 8), y(1, 4, 4, 8);
    View vx = x.upload(DType::f32, 0, 0, g.stream.view()), vw = w.upload(DType::f32, 0, 0, g.stream.view()),
         vy = y.upload(DType::f32, 0, 0, g.stream.view());
    EXPECT_THROW(cuda::conv_forward(g.queue, {vx, vw, nullptr, vy, {1, 0, 1}}), ShapeError);  // y would be 2x2
    EXPECT_THROW(cuda::conv_forward(g.queue, {vx, vw, nullptr, vy, {0, 1, 1}}), ShapeError);
    vx.dtype = vw.dtype = vy.dtype = DType::f64;
    EXPECT_THROW(cuda::conv_forward(g.queue, {vx, vw, nullptr, vy, {1, 1, 1}}), ShapeError);
}

}  // namespace
}  // namespace atrous::kernels
