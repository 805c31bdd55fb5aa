// Moments that convolutions on tensor cores take of what they store, and the batch norm that is made from them.
#include "kernels/conv.h"
#include "kernels/norm.h"
#include "tests/kernels/cuda_fixture.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous::kernels {
namespace {

using test::Array;
using test::Names;
using test::Tensor;

class Moments : public test::CudaTest {
 protected:
    // Per channel of all pixels [first, last) of values [pixels][channels].
    struct Exact {
        double mean = 0, squares = 0;
    };
    static Exact exact(const std::vector<float>& values, int64_t channels, int64_t c, int64_t first, int64_t last) {
        Exact e;
        for (int64_t i = first; i < last; ++i) e.mean += double(values[size_t(i * channels + c)]);
        e.mean /= double(last - first);
        for (int64_t i = first; i < last; ++i) {
            const double d = double(values[size_t(i * channels + c)]) - e.mean;
            e.squares += d * d;
        }
        return e;
    }
    static std::vector<float> values_of(const View& v, gpu::StreamView stream) {
        std::vector<char> bytes(size_t(v.count()) * size_of(v.dtype));
        gpu::copy_async(bytes.data(), v.data, bytes.size(), stream);
        stream.synchronize();
        std::vector<float> values(size_t(v.count()));
        for (size_t i = 0; i < values.size(); ++i) {
            if (v.dtype == DType::bf16) values[i] = to_float(reinterpret_cast<const bf16*>(bytes.data())[i]);
            if (v.dtype == DType::f16) values[i] = to_float(reinterpret_cast<const f16*>(bytes.data())[i]);
            if (v.dtype == DType::f32) values[i] = reinterpret_cast<const float*>(bytes.data())[i];
        }
        return values;
    }
};

struct MomentsCase {
    int64_t n, h, w, i, o, kernel;
    ConvGeometry geometry;
    int64_t pixels;  // of a run
    const char* name;
};
const MomentsCase moments_cases[] = {
    {1, 7, 9, 8, 16, 1, {1, 0, 1}, 64, "mma"},        // the only run is not full
    {2, 17, 15, 16, 72, 3, {2, 1, 1}, 64, "mma"},     // the last run and the last columns are not full
    {1, 184, 184, 8, 24, 1, {1, 0, 1}, 128, "mma"},   // 128x64
    {1, 130, 131, 8, 136, 1, {1, 0, 1}, 128, "mma"},  // 128x128
    {1, 16, 16, 3, 16, 3, {1, 1, 1}, 64, "padded"},
};

TEST_F(Moments, AreThoseOfWhatIsStored) {
    for (DType t : {DType::bf16, DType::f16, DType::f32})
        for (const MomentsCase& c : moments_cases) {
            SCOPED_TRACE(std::string(name_of(t)) + " " + std::to_string(c.h) + "x" + std::to_string(c.w) + " to " +
                         std::to_string(c.o));
            test::Gpu g(MathMode::tf32);
            Tensor x(c.n, c.h, c.w, c.i, t), w(c.o, c.kernel, c.kernel, c.i, t), bias(1, 1, 1, c.o, DType::f32);
            x.normal(random_, 1, 2), w.normal(random_, 0.5, 1), bias.normal(random_, 100, 30);
            const int64_t h = c.geometry.output_size(c.h, c.kernel), wide = c.geometry.output_size(c.w, c.kernel);
            Tensor y(c.n, h, wide, c.o, t), plain(c.n, h, wide, c.o, t);
            ConvForwardArgs a{x.device(g.stream.view()), w.device(g.stream.view()), bias.device(g.stream.view()).data,
                              plain.device(g.stream.view()), c.geometry};
            cuda::conv_forward(g.queue, a);
            int64_t pixels = 0;
            cuda::conv_moments_pixels(g.queue, {a, pixels});
            ASSERT_EQ(pixels, c.pixels);
            const View without = a.y;
            a.y = y.device(g.stream.view());
            a.moments.pixels = pixels;
            const int64_t count = a.y.pixels(), runs = a.moments.runs(count);
            Array<float> moments(size_t(runs * 2 * c.o), NAN), again(size_t(runs * 2 * c.o), NAN);
            a.moments.data = moments.upload(g.stream.view());
            VariantLog log;
            cuda::conv_forward(g.queue, a);
            EXPECT_NE(log.names().at(0).find(c.name), std::string::npos) << log.names().at(0);
            a.moments.data = again.upload(g.stream.view());
            cuda::conv_forward(g.queue, a);
            const std::vector<float> stored = values_of(a.y, g.stream.view());
            EXPECT_EQ(stored, values_of(without, g.stream.view())) << "moments change nothing";
            const std::vector<float> found = moments.download(g.stream.view(), "moments");
            EXPECT_EQ(found, again.download(g.stream.view(), "moments"));
            for (int64_t run = 0; run < runs; ++run)
                for (int64_t k = 0; k < c.o; ++k) {
                    const Exact e = exact(stored, c.o, k, run * pixels, std::min((run + 1) * pixels, count));
                    const size_t at = size_t(run * 2 * c.o + k);
                    ASSERT_NEAR(found[at], e.mean, 3e-7 * std::abs(e.mean) + 1e-6 * std::sqrt(e.squares)) << run;
                    ASSERT_NEAR(found[at + size_t(c.o)], e.squares, 1e-5 * e.squares + 1e-6 * e.mean * e.mean) << run;
                }
        }
}

// A 1x1 convolution of 8x8 pixels.
struct Pointwise {
    Pointwise(int64_t inputs, int64_t outputs, Random& random, gpu::StreamView stream)
        : x(1, 8, 8, inputs, DType::bf16),
          w(outputs, 1, 1, inputs, DType::bf16),
          y(1, 8, 8, outputs, DType::bf16),
          moments(size_t(2 * outputs), 0) {
        x.integers(random, 3), w.integers(random, 3);
        args = {x.device(stream), w.device(stream), nullptr, y.device(stream), {1, 0, 1}};
    }
    int64_t pixels_of_run(Queue& q) const {
        int64_t pixels = 7;
        cuda::conv_moments_pixels(q, {args, pixels});
        return pixels;
    }
    Tensor x, w, y;
    Array<float> moments;
    ConvForwardArgs args;
};

TEST_F(Moments, AreRefusedInOtherRuns) {
    Pointwise c(8, 16, random_, stream());
    EXPECT_EQ(c.pixels_of_run(gpu_->queue), 64);
    for (const int64_t pixels : {32, 128}) {
        c.args.moments = {c.moments.upload(stream()), pixels};
        EXPECT_THROW(cuda::conv_forward(gpu_->queue, c.args), Error) << pixels;
    }
}

TEST_F(Moments, AreNotGivenByEveryImplementation) {
    const Pointwise odd(5, 3, random_, stream()), narrow(8, 3, random_, stream()), wide(8, 16, random_, stream());
    EXPECT_EQ(odd.pixels_of_run(gpu_->queue), 0) << "plain arithmetic gives none";
    EXPECT_EQ(narrow.pixels_of_run(gpu_->queue), 0) << "narrow gives none";
    test::Gpu simt(MathMode::exact, {KernelChoice::Rule::named, "simt"});
    EXPECT_EQ(wide.pixels_of_run(simt.queue), 0);
#ifdef ATROUS_EMULATED
    gpu::emu::ScopedOptions options;
    options->capability = 90;
    test::Gpu wgmma(MathMode::exact, {KernelChoice::Rule::named, "wgmma"});
    EXPECT_EQ(wide.pixels_of_run(wgmma.queue), 0);
#endif
}

TEST_F(Moments, AreNotFiniteInAChannelThatIsNot) {
    for (const float value : {NAN, INFINITY}) {
        Pointwise c(8, 16, random_, stream());
        Array<float> bias(16, 0);
        bias.host[3] = value;
        c.args.bias = bias.upload(stream());
        c.args.moments = {c.moments.upload(stream()), 64};
        cuda::conv_forward(gpu_->queue, c.args);
        const std::vector<float> found = c.moments.download(stream(), "moments");
        for (size_t i = 0; i < 32; ++i) EXPECT_EQ(std::isfinite(found[i]), i % 16 != 3) << value << ", " << i;
    }
}

// A batch norm from moments against the one that reads its input; over 1024 runs are merged first.
TEST_F(Moments, GiveABatchNormItsStatistics) {
    for (const auto& [pixels, run] : {std::pair<int64_t, int64_t>{50, 64}, {640, 64}, {4000, 3}, {2051, 1}}) {
        SCOPED_TRACE(std::to_string(pixels) + " pixels in runs of " + std::to_string(run));
        constexpr int64_t channels = 11;
        Tensor x(1, 1, pixels, channels, DType::bf16), y(1, 1, pixels, channels, DType::bf16);
        x.normal(random_, 20, 3);
        ChannelMoments m{nullptr, run};
        Array<float> moments(size_t(m.runs(pixels) * 2 * channels));
        for (int64_t r = 0; r < m.runs(pixels); ++r)
            for (int64_t c = 0; c < channels; ++c) {
                const Exact e = exact(x.host, channels, c, r * run, std::min((r + 1) * run, pixels));
                moments.host[size_t(r * 2 * channels + c)] = float(e.mean);
                moments.host[size_t((r * 2 + 1) * channels + c)] = float(e.squares);
            }
        Array<float> gamma(channels, 1.5f), beta(channels, 0.5f), mean(channels, NAN), inv_std(channels, NAN),
            running_mean(channels, 1), running_var(channels, 2);
        BatchNormForwardArgs a{x.device(stream()), {}, y.device(stream())};
        a.gamma = gamma.upload(stream()), a.beta = beta.upload(stream());
        a.mean = mean.upload(stream()), a.inv_std = inv_std.upload(stream());
        a.running_mean = running_mean.upload(stream()), a.running_var = running_var.upload(stream());
        a.moments = {moments.upload(stream()), run};
        VariantLog log;
        cuda::batch_norm_forward(gpu_->queue, a);
        const Names names = log.names();
        EXPECT_TRUE(std::find(names.begin(), names.end(), "batch_norm_forward/moments") != names.end());
        for (int64_t c = 0; c < channels; ++c) {
            const Exact e = exact(x.host, channels, c, 0, pixels);
            mean.host[size_t(c)] = float(e.mean);
            inv_std.host[size_t(c)] = float(1 / std::sqrt(e.squares / double(pixels) + a.epsilon));
            running_mean.host[size_t(c)] = float(0.9 + 0.1 * e.mean);
            running_var.host[size_t(c)] = float(1.8 + 0.1 * e.squares / double(pixels - 1));
            for (int64_t i = 0; i < pixels; ++i) {
                const size_t at = size_t(i * channels + c);
                y.host[at] = float((double(x.host[at]) - e.mean) * double(inv_std.host[size_t(c)]) * 1.5 + 0.5);
            }
        }
        mean.expect(stream(), "mean", 1e-6);
        inv_std.expect(stream(), "inv_std", 3e-6);
        running_mean.expect(stream(), "running mean", 1e-6);
        running_var.expect(stream(), "running variance", 3e-6);
        y.expect(stream(), "y", 1e-5);
        gpu_->scratch.blocks.clear();
    }
}

// Values that repeat where a thread begins its 257 runs anew: errors of the merged means would be alike and add up.
TEST_F(Moments, KeepTheDigitsOfALargeMeanInManyRuns) {
    constexpr int64_t each = 257, pixels = 1024 * each;
    Tensor x(1, 1, pixels, 1, DType::f32), y(1, 1, pixels, 1, DType::f32);
    x.normal(random_, 1000, 1);
    for (size_t i = each; i < x.host.size(); ++i) x.host[i] = x.host[i - each];
    Array<float> moments(size_t(2 * pixels), 0), gamma(1, 1), beta(1, 0), mean(1, NAN), inv_std(1, NAN);
    for (size_t i = 0; i < size_t(pixels); ++i) moments.host[2 * i] = x.host[i];
    BatchNormForwardArgs a{x.device(stream()), {}, y.device(stream())};
    a.gamma = gamma.upload(stream()), a.beta = beta.upload(stream());
    a.mean = mean.upload(stream()), a.inv_std = inv_std.upload(stream());
    a.update_running = false;
    a.moments = {moments.upload(stream()), 1};
    cuda::batch_norm_forward(gpu_->queue, a);
    const Exact e = exact(x.host, 1, 0, 0, pixels);
    mean.host[0] = float(e.mean);
    inv_std.host[0] = float(1 / std::sqrt(e.squares / double(pixels) + a.epsilon));
    mean.expect(stream(), "mean", 6e-8);
    inv_std.expect(stream(), "inv_std", 1e-6);
}

}  // namespace
}  // namespace atrous::kernels
