// The cpu's convolutions against the plain loops of kernels/reference. Inputs are small integers, so every product and
// every sum is exact in f32, whatever the order: results must be equal to the last bit. In bf16 inputs and sums are
// exact as well, and results may differ by their rounding alone. Winograd's filtering has tests of its own.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/philox.h"
#include "base/variant.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "kernels/cpu/weight_gradient.h"
#include "tests/kernels/poisoned_scratch.h"

namespace atrous::kernels {
namespace {

double value_of(float x) { return x; }
double value_of(double x) { return x; }
double value_of(bf16 x) { return to_float(x); }

// Elements with guards on both sides. Outputs start as NaN.
template <class T>
struct Buffer {
    static constexpr int64_t guard = 32;
    std::vector<T> all;
    int64_t count;
    explicit Buffer(int64_t n) : all(n + 2 * guard, round_to<T>(std::nan(""))), count(n) {
        for (int64_t i = 0; i < guard; ++i) all[i] = all[guard + n + i] = round_to<T>(-77.0);
    }
    T* data() { return all.data() + guard; }
    double at(int64_t i) const { return value_of(all[guard + i]); }
    void fill_integers(Random& random, int limit) {
        for (int64_t i = 0; i < count; ++i)
            data()[i] = round_to<T>(double(int64_t(random.below(2 * limit + 1)) - limit));
    }
    void fill_real(Random& random) {
        for (int64_t i = 0; i < count; ++i) data()[i] = round_to<T>(random.uniform(-1, 1));
    }
    bool guards_intact() const {
        for (int64_t i = 0; i < guard; ++i)
            if (value_of(all[i]) != -77.0 || value_of(all[guard + count + i]) != -77.0) return false;
        return true;
    }
};
template <class To, class From>
Buffer<To> converted(Buffer<From>& from) {
    Buffer<To> to(from.count);
    for (int64_t i = 0; i < from.count; ++i) to.data()[i] = round_to<To>(from.at(i));
    return to;
}

// Element by element; elements of `pitch` beyond `channels` must hold what they held (NaN).
template <class T, class R>
void expect_equal(const Buffer<T>& actual, const Buffer<R>& expected, double relative, const std::string& what,
                  int64_t channels = 1, int64_t pitch = 1) {
    ASSERT_TRUE(actual.guards_intact()) << what << ": wrote outside its output";
    int64_t mistakes = 0;
    for (int64_t i = 0; i < actual.count && mistakes < 3; ++i) {
        if (i % pitch >= channels) {
            if (!std::isnan(actual.at(i))) ++mistakes, ADD_FAILURE() << what << ": wrote between pixels, at " << i;
            continue;
        }
        const double error = std::abs(actual.at(i) - expected.at(i));
        if (!(error <= relative * std::abs(expected.at(i)))) {
            ++mistakes;
            ADD_FAILURE() << what << ": element " << i << " is " << actual.at(i) << ", expected " << expected.at(i);
        }
    }
}

// Runs `f`, and requires that what ran was not one of oneDNN's plain loops and did name itself.
void run_fast(const std::function<void(Queue&)>& f, const std::string& what, int threads = 2,
              const KernelChoice& choice = {}) {
    PoisonedScratch scratch;
    Queue q(gpu::StreamView(), scratch, threads, choice);
    VariantLog log;
    f(q);
    EXPECT_TRUE(scratch.guards_intact()) << what << ": wrote outside its scratch memory";
    ASSERT_FALSE(log.names().empty()) << what;
    for (const std::string& name : log.names()) {
        EXPECT_EQ(name.find("dnnl:ref"), std::string::npos) << what << " ran " << name;
        EXPECT_EQ(name.rfind("conv", 0), 0u) << what << " ran " << name;
    }
}
void run_reference(const std::function<void(Queue&)>& f) {
    PoisonedScratch scratch;
    Queue q(gpu::StreamView(), scratch, 1);
    f(q);
}

struct Shape {
    int64_t n, h, w, c, o, r, s;
    ConvGeometry geometry;
    std::string name() const {
        std::ostringstream text;
        text << n << "x" << h << "x" << w << " channels " << c << "->" << o << " kernel " << r << "x" << s << " stride "
             << geometry.stride << " padding " << geometry.padding << " dilation " << geometry.dilation;
        return text.str();
    }
};

// What one rounding to T may add to an exact result, and a second one where the result was accumulated.
template <class T>
constexpr double rounding = std::is_same_v<T, bf16>     ? 0x1p-8
                            : std::is_same_v<T, double> ? 1e-12
                                                        : 0.0;

template <class T>
View view(Buffer<T>& b, int64_t n, int64_t h, int64_t w, int64_t c, int64_t pitch = 0) {
    return {b.data(), dtype_of<T>, n, h, w, c, pitch ? pitch : c};
}

// All three passes of one convolution in type T against the reference in type R.
template <class T, class R>
void check_convolution(const Shape& s, bool accumulate, bool with_bias, int threads = 2,
                       const KernelChoice& choice = {KernelChoice::Rule::named, "dnnl"}) {
    using A = accumulator_t<T>;
    const KernelChoice outer{KernelChoice::Rule::named, std::is_same_v<T, float> ? "outer" : ""};
    const std::string what = s.name() + " " + name_of(dtype_of<T>) + (accumulate ? " accumulate" : "");
    const int64_t p = s.geometry.output_size(s.h, s.r), q = s.geometry.output_size(s.w, s.s);
    Random random(7, s.h * 1000 + s.w, s.c * 1000 + s.o, s.r * 100 + s.geometry.dilation);
    Buffer<T> x(s.n * s.h * s.w * s.c), w(s.o * s.r * s.s * s.c), dy(s.n * p * q * s.o), y(dy.count), dx(x.count);
    Buffer<A> bias(s.o), dw(w.count), dbias(s.o);
    for (auto* b : {&x, &w, &dy}) std::is_same_v<T, double> ? b->fill_real(random) : b->fill_integers(random, 3);
    bias.fill_integers(random, 5);
    if (accumulate) dx.fill_integers(random, 9), dw.fill_integers(random, 9), dbias.fill_integers(random, 9);
    auto rx = converted<R>(x), rw = converted<R>(w), rdy = converted<R>(dy), rbias = converted<R>(bias);
    auto ry = converted<R>(y), rdx = converted<R>(dx), rdw = converted<R>(dw), rdbias = converted<R>(dbias);

    const auto forward = [&](auto& X, auto& W, auto& B, auto& Y) {
        return ConvForwardArgs{view(X, s.n, s.h, s.w, s.c), view(W, s.o, s.r, s.s, s.c), with_bias ? B.data() : nullptr,
                               view(Y, s.n, p, q, s.o), s.geometry};
    };
    const auto input = [&](auto& DY, auto& W, auto& DX) {
        return ConvBackwardInputArgs{view(DY, s.n, p, q, s.o),
                                     view(W, s.o, s.r, s.s, s.c),
                                     {view(DX, s.n, s.h, s.w, s.c), accumulate},
                                     s.geometry};
    };
    const auto weight = [&](auto& X, auto& DY, auto& DW, auto& DB) {
        return ConvBackwardWeightArgs{view(X, s.n, s.h, s.w, s.c),
                                      view(DY, s.n, p, q, s.o),
                                      {view(DW, s.o, s.r, s.s, s.c), accumulate},
                                      {with_bias ? DB.data() : nullptr, accumulate},
                                      s.geometry};
    };
    run_reference([&](Queue& k) { reference::conv_forward(k, forward(rx, rw, rbias, ry)); });
    run_reference([&](Queue& k) { reference::conv_backward_input(k, input(rdy, rw, rdx)); });
    run_reference([&](Queue& k) { reference::conv_backward_weight(k, weight(rx, rdy, rdw, rdbias)); });
    run_fast([&](Queue& k) { cpu::conv_forward(k, forward(x, w, bias, y)); }, what + " y", threads, choice);
    run_fast([&](Queue& k) { cpu::conv_backward_input(k, input(dy, w, dx)); }, what + " dx", threads, choice);
    run_fast([&](Queue& k) { cpu::conv_backward_weight(k, weight(x, dy, dw, dbias)); }, what + " dw", threads, outer);

    // Reals in f64 cancel: their error is measured against the sum of magnitudes, at most its number of terms.
    const double tolerance = rounding<T>;
    if constexpr (std::is_same_v<T, double>) {
        for (auto [actual, expected] : {std::pair{&y, &ry}, {&dx, &rdx}, {&dw, &rdw}}) {
            ASSERT_TRUE(actual->guards_intact()) << what;
            for (int64_t i = 0; i < actual->count; ++i)
                ASSERT_NEAR(actual->at(i), expected->at(i), tolerance * (10 + std::abs(expected->at(i)))) << what;
        }
        return;
    }
    expect_equal(y, ry, tolerance, what + " y");
    expect_equal(dx, rdx, accumulate ? 2 * tolerance : tolerance, what + " dx");
    expect_equal(dw, rdw, 0, what + " dw");
    if (with_bias) expect_equal(dbias, rdbias, 0, what + " dbias");
}

std::vector<Shape> shapes() {
    std::vector<Shape> all;
    const std::pair<int64_t, int64_t> channels[] = {{1, 3},   {3, 8},   {8, 1},   {3, 33},
                                                    {16, 24}, {24, 16}, {33, 16}, {16, 33}};
    const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {5, 7}, {13, 17}, {16, 32}};
    int turn = 0;
    for (auto [h, w] : sizes)
        for (int64_t kernel : {1, 2, 3, 5, 7})
            for (int stride : {1, 2})
                for (int dilation : {1, 2, 19}) {
                    if (kernel == 1 && dilation > 1) continue;
                    for (int padded : {0, 1}) {
                        const int padding = padded * dilation * int(kernel / 2);
                        const ConvGeometry g{stride, padding, dilation};
                        if (g.output_size(h, kernel) <= 0 || g.output_size(w, kernel) <= 0) continue;
                        if (padded && padding == 0) continue;
                        const auto [c, o] = channels[turn++ % 8];
                        all.push_back({1 + turn % 2, h, w, c, o, kernel, kernel, g});
                    }
                }
    all.push_back({2, 9, 11, 16, 16, 3, 1, {1, 1, 1}});  // kernels that are not square
    all.push_back({2, 9, 11, 16, 16, 1, 3, {1, 0, 1}});
    all.push_back({1, 12, 12, 3, 32, 3, 3, {1, 1, 1}});  // first layers, heads, residual shortcuts
    all.push_back({2, 16, 16, 3, 64, 7, 7, {2, 3, 1}});
    all.push_back({2, 16, 16, 32, 1, 1, 1, {1, 0, 1}});
    all.push_back({1, 9, 9, 64, 21, 1, 1, {1, 0, 1}});
    all.push_back({2, 10, 10, 64, 128, 1, 1, {2, 0, 1}});
    all.push_back({2, 10, 10, 64, 128, 3, 3, {2, 1, 1}});
    all.push_back({1, 11, 11, 64, 48, 3, 3, {1, 6, 6}});
    all.push_back({1, 8, 8, 8, 16, 3, 3, {1, 5, 1}});  // more padding than the kernel reaches
    all.push_back({1, 8, 8, 8, 16, 1, 1, {1, 1, 1}});
    all.push_back({1, 3, 3, 64, 128, 3, 3, {1, 1, 1}});
    all.push_back({1, 40, 300, 12, 64, 3, 3, {1, 1, 1}});  // many blocks of rows
    return all;
}

TEST(ConvCpu, F32EqualsReferenceBitForBit) {
    for (const Shape& s : shapes()) {
        check_convolution<float, float>(s, false, true);
        check_convolution<float, float>(s, true, false);
        if (HasFatalFailure()) return;
    }
}

// Regions of pixels that read the same taps: all shapes, and such as have several slices of channels, panels and units.
TEST(ConvCpu, SkippedTapsLeaveNothingOut) {
    const KernelChoice taps{KernelChoice::Rule::named, "taps"};
    std::vector<Shape> all = shapes();
    all.push_back({2, 30, 31, 20, 40, 3, 3, {1, 3, 3}});
    all.push_back({1, 14, 9, 300, 72, 3, 3, {1, 12, 12}});  // most taps read nothing, some read it nowhere
    all.push_back({3, 20, 21, 530, 17, 3, 3, {1, 2, 2}});
    all.push_back({1, 33, 35, 24, 24, 3, 3, {2, 4, 4}});
    for (const Shape& s : all) {
        check_convolution<float, float>(s, false, true, 3, taps);
        check_convolution<float, float>(s, true, false, 1, taps);
        if (HasFailure()) return;
    }
}

// Not only where products are exact: a pixel's sum is the same in a window of the image and with any number of threads.
TEST(ConvCpu, SkippedTapsSumInOneOrder) {
    const int64_t h = 22, w = 40, c = 70, o = 48, seen = 30;
    Random random(4);
    Buffer<float> x(h * w * c), weights(o * 9 * c), y1(h * w * o), y3(y1.count), window(h * seen * c),
        part(h * seen * o);
    x.fill_real(random);
    weights.fill_real(random);
    for (int64_t i = 0; i < window.count; ++i) window.data()[i] = x.data()[(i / (seen * c) * w) * c + i % (seen * c)];
    const auto run = [&](Buffer<float>& from, Buffer<float>& to, int64_t width, int threads) {
        run_fast(
            [&](Queue& q) {
                cpu::conv_forward(q, {view(from, 1, h, width, c),
                                      view(weights, o, 3, 3, c),
                                      nullptr,
                                      view(to, 1, h, width, o),
                                      {1, 5, 5}});
            },
            "y", threads, {KernelChoice::Rule::named, "taps"});
    };
    run(x, y1, w, 1);
    run(x, y3, w, 3);
    run(window, part, seen, 2);
    expect_equal(y3, y1, 0, "y, 3 threads and 1");
    for (int64_t i = 0; i < h; ++i)
        for (int64_t j = 0; j < (seen - 5) * o; ++j)
            ASSERT_EQ(part.at(i * seen * o + j), y1.at(i * w * o + j)) << "row " << i << ", value " << j;
}

// What oneDNN multiplies of the padding, or by im2col, costs more than the convolution.
TEST(ConvCpu, DilatedWindowsSkipTheirPadding) {
    const Shape s{1, 16, 16, 64, 64, 3, 3, {1, 12, 12}};
    Buffer<float> x(s.h * s.w * s.c), w(s.o * 9 * s.c), y(s.h * s.w * s.o);
    Random random(1);
    for (auto* b : {&x, &w}) b->fill_integers(random, 3);
    PoisonedScratch scratch;
    Queue q(gpu::StreamView(), scratch, 2);
    const View vx = view(x, 1, s.h, s.w, s.c), vw = view(w, s.o, 3, 3, s.c), vy = view(y, 1, s.h, s.w, s.o);
    VariantLog log;
    cpu::conv_forward(q, {vx, vw, nullptr, vy, s.geometry});
    cpu::conv_backward_input(q, {vy, vw, {vx, false}, s.geometry});
    const std::vector<std::string> expected{"conv_forward/taps_f32", "conv_backward_input/taps_f32"};
    EXPECT_EQ(log.names(), expected);
}

TEST(ConvCpu, F64AgreesTo1e12) {
    for (const Shape& s : shapes()) {
        check_convolution<double, double>(s, false, true);
        check_convolution<double, double>(s, true, false);
        if (HasFatalFailure()) return;
    }
}

TEST(ConvCpu, Bf16DiffersByItsRounding) {
    for (const Shape& s : shapes()) {
        try {
            check_convolution<bf16, float>(s, false, true);
        } catch (const ShapeError& e) {
            ASSERT_NE(std::string(e.what()).find("AVX-512"), std::string::npos) << e.what();
            GTEST_SKIP() << e.what();
        }
        check_convolution<bf16, float>(s, true, false);
        if (HasFatalFailure()) return;
    }
}

// What is chosen where Winograd's filtering is not: windows of 16 channels and more skip their padding, with AVX-512 where
// they are dilated by 6 and more.
TEST(ConvCpu, WindowsThatSkipTheirPaddingAreChosen) {
    const bool avx512 = cpu::has_bf16_convolutions();
    const auto chosen = [](const Shape& s) {
        const int64_t p = s.geometry.output_size(s.h, s.r), q = s.geometry.output_size(s.w, s.s);
        Buffer<float> x(s.n * s.h * s.w * s.c), w(s.o * s.r * s.s * s.c), y(s.n * p * q * s.o);
        PoisonedScratch scratch;
        Queue queue(gpu::StreamView::dry_run(), scratch, 2);
        ConvForwardArgs forward{view(x, s.n, s.h, s.w, s.c), view(w, s.o, s.r, s.s, s.c), nullptr,
                                view(y, s.n, p, q, s.o), s.geometry};
        forward.same_everywhere = true;
        return cpu::conv_forward_family().choose(queue, forward).name;
    };
    const Shape plain{1, 16, 16, 16, 16, 3, 3, {1, 1, 1}}, dilated{1, 16, 16, 32, 64, 3, 3, {1, 2, 2}},
        strided{1, 16, 16, 64, 16, 3, 3, {2, 1, 1}}, atrous{1, 16, 16, 64, 64, 3, 3, {1, 6, 6}};
    for (const Shape& s : {plain, dilated, strided}) EXPECT_EQ(chosen(s), avx512 ? "dnnl" : "taps") << s.name();
    EXPECT_EQ(chosen(atrous), "taps");
    for (const Shape& s : {Shape{1, 16, 16, 15, 64, 3, 3, {1, 6, 6}},
                           {1, 16, 16, 64, 15, 3, 3, {1, 6, 6}},
                           {1, 16, 16, 64, 64, 1, 1, {1, 0, 1}}})
        EXPECT_NE(chosen(s), "taps") << s.name();
}

// The shapes that nets are made of take the fast path, forward and to the input, not im2col.
TEST(ConvCpu, CommonShapesRunInOneDnn) {
    const Shape common[] = {
        {1, 16, 16, 3, 32, 3, 3, {1, 1, 1}},  {1, 16, 16, 32, 1, 1, 1, {1, 0, 1}},
        {1, 16, 16, 3, 64, 7, 7, {2, 3, 1}},  {1, 16, 16, 64, 256, 1, 1, {1, 0, 1}},
        {1, 16, 16, 64, 21, 1, 1, {1, 0, 1}},
    };
    for (const Shape& s : common) {
        const int64_t p = s.geometry.output_size(s.h, s.r), q = s.geometry.output_size(s.w, s.s);
        Random random(1);
        Buffer<float> x(s.n * s.h * s.w * s.c), w(s.o * s.r * s.s * s.c), y(s.n * p * q * s.o);
        x.fill_integers(random, 3);
        w.fill_integers(random, 3);
        PoisonedScratch scratch;
        Queue queue(gpu::StreamView(), scratch, 2, {KernelChoice::Rule::named, "dnnl"});
        const View vx = view(x, s.n, s.h, s.w, s.c), vw = view(w, s.o, s.r, s.s, s.c), vy = view(y, s.n, p, q, s.o);
        VariantLog log;
        cpu::conv_forward(queue, {vx, vw, nullptr, vy, s.geometry});
        cpu::conv_backward_input(queue, {vy, vw, {vx, false}, s.geometry});
        ASSERT_EQ(log.names().size(), 2u);
        EXPECT_EQ(log.names()[0].rfind("conv_forward/dnnl:", 0), 0u) << s.name() << " ran " << log.names()[0];
        EXPECT_EQ(log.names()[1].rfind("conv_backward_input/dnnl:", 0), 0u) << s.name() << " ran " << log.names()[1];
    }
}

// Sums of pairs of bf16 serve only large problems; here all shapes, of dense pixels and of pixels that lie apart.
void check_pairs(const Shape& s, bool accumulate, int64_t gap, int threads) {
    const std::string what = s.name() + (accumulate ? " accumulate" : "") + (gap ? " pixels apart" : "");
    const int64_t p = s.geometry.output_size(s.h, s.r), q = s.geometry.output_size(s.w, s.s);
    Random random(13, s.h * 1000 + s.w, s.c * 1000 + s.o, s.r * 100 + s.geometry.dilation);
    Buffer<bf16> x(s.n * s.h * s.w * (s.c + gap)), dy(s.n * p * q * (s.o + gap));
    Buffer<float> dw(s.o * s.r * s.s * s.c);
    x.fill_integers(random, 3);
    dy.fill_integers(random, 3);
    if (accumulate) dw.fill_integers(random, 9);
    auto rx = converted<float>(x), rdy = converted<float>(dy), rdw = converted<float>(dw);
    run_reference([&](Queue& k) {
        reference::conv_backward_weight(k, {view(rx, s.n, s.h, s.w, s.c, s.c + gap),
                                            view(rdy, s.n, p, q, s.o, s.o + gap),
                                            {view(rdw, s.o, s.r, s.s, s.c), accumulate},
                                            {},
                                            s.geometry});
    });
    PoisonedScratch scratch;
    Queue queue(gpu::StreamView(), scratch, threads);
    cpu::weight_gradient_of_pairs(queue, {.image = view(x, s.n, s.h, s.w, s.c, s.c + gap),
                                          .gradient = view(dy, s.n, p, q, s.o, s.o + gap),
                                          .r = s.r,
                                          .s = s.s,
                                          .geometry = s.geometry,
                                          .dw = dw.data(),
                                          .g_stride = s.r * s.s * s.c,
                                          .r_stride = s.s * s.c,
                                          .s_stride = s.c,
                                          .c_stride = 1,
                                          .accumulate = accumulate});
    EXPECT_TRUE(scratch.guards_intact()) << what << ": wrote outside its scratch memory";
    expect_equal(dw, rdw, 0, what + " dw");
}

TEST(ConvCpu, SumsOfPairsEqualReferenceBitForBit) {
    for (const Shape& s : shapes()) {
        check_pairs(s, false, 0, 2);
        check_pairs(s, true, 5, 3);
        if (HasFailure()) return;
    }
    check_pairs({2, 70, 61, 70, 40, 3, 3, {1, 1, 1}}, false, 0, 2);  // two panels and several chunks on either side
    check_pairs({2, 70, 61, 40, 70, 3, 3, {2, 2, 2}}, false, 0, 2);
    check_pairs({1, 9, 400, 130, 66, 3, 3, {1, 1, 1}}, false, 0, 2);  // one row fills a chunk
}

// The weight gradients of a U-Net's large levels take the faster of the two ways.
TEST(ConvCpu, LargeBf16WeightGradientsAreSumsOfPairs) {
    const Shape large{1, 128, 128, 32, 64, 3, 3, {1, 1, 1}}, deep{1, 16, 16, 512, 512, 3, 3, {1, 1, 1}};
    for (const Shape& s : {large, deep}) {
        Buffer<bf16> x(s.h * s.w * s.c), dy(s.h * s.w * s.o);
        Buffer<float> dw(s.o * 9 * s.c);
        Random random(5);
        x.fill_integers(random, 3);
        dy.fill_integers(random, 3);
        const View image = view(x, 1, s.h, s.w, s.c), gradient = view(dy, 1, s.h, s.w, s.o);
        PoisonedScratch scratch;
        Queue q(gpu::StreamView(), scratch, 2);
        VariantLog log;
        try {
            cpu::conv_backward_weight(q, {image, gradient, {view(dw, s.o, 3, 3, s.c), false}, {}, s.geometry});
        } catch (const ShapeError& e) {
            GTEST_SKIP() << e.what();
        }
        const bool pairs =
            cpu::pairs_are_faster({.image = image, .gradient = gradient, .r = 3, .s = 3, .geometry = s.geometry});
        EXPECT_FALSE(pairs && s.c == deep.c) << s.name();
        ASSERT_EQ(log.names().size(), 1u);
        EXPECT_EQ(log.names()[0] == "conv_backward_weight/pairs_bf16", pairs) << s.name() << " ran " << log.names()[0];
    }
}

TEST(ConvCpu, ThreadCountDoesNotChangeOwnKernels) {
    Random random(3);
    const int64_t n = 2, h = 40, w = 52, c = 19, o = 33;
    Buffer<float> x(n * h * w * c), dy(n * h * w * o), dw1(o * 9 * c), dw4(dw1.count), db1(o), db4(o);
    x.fill_real(random);
    dy.fill_real(random);
    const auto run = [&](Buffer<float>& dw, Buffer<float>& db, int threads) {
        run_fast(
            [&](Queue& q) {
                cpu::conv_backward_weight(q, {view(x, n, h, w, c),
                                              view(dy, n, h, w, o),
                                              {view(dw, o, 3, 3, c), false},
                                              {db.data(), false},
                                              {1, 1, 1}});
            },
            "dw", threads, {KernelChoice::Rule::named, "outer"});
    };
    run(dw1, db1, 1);
    run(dw4, db4, 4);
    expect_equal(dw4, dw1, 0, "dw, 4 threads and 1");
    expect_equal(db4, db1, 0, "dbias, 4 threads and 1");
}

TEST(ConvCpu, RefusesPitchedTensorsAndF16) {
    PoisonedScratch scratch;
    Queue q(gpu::StreamView(), scratch, 1);
    Buffer<float> x(4 * 4 * 3), w(8 * 9 * 3), y(4 * 4 * 8);
    View vx = view(x, 1, 4, 4, 3), vw = view(w, 8, 3, 3, 3), vy = view(y, 1, 4, 4, 8);
    EXPECT_THROW(cpu::conv_forward(q, {view(x, 1, 4, 4, 3, 4), vw, nullptr, vy, {1, 1, 1}}), ShapeError);
    vx.dtype = vw.dtype = vy.dtype = DType::f16;
    EXPECT_THROW(cpu::conv_forward(q, {vx, vw, nullptr, vy, {1, 1, 1}}), ShapeError);
}

// ---- transposed

struct TransposedShape {
    int64_t n, h, w, i, o, x_pitch, y_pitch;
};

template <class T, class R>
void check_transposed(const TransposedShape& s, bool accumulate, bool with_bias) {
    using A = accumulator_t<T>;
    std::ostringstream text;
    text << "transposed " << s.n << "x" << s.h << "x" << s.w << " channels " << s.i << "->" << s.o << " pitches "
         << s.x_pitch << " " << s.y_pitch << " " << name_of(dtype_of<T>) << (accumulate ? " accumulate" : "");
    const std::string what = text.str();
    Random random(11, s.h * 100 + s.w, s.i * 100 + s.o, accumulate);
    const int64_t pixels = s.n * s.h * s.w;
    Buffer<T> x(pixels * s.x_pitch), w(4 * s.o * s.i), dy(4 * pixels * s.y_pitch), y(dy.count), dx(x.count);
    Buffer<A> bias(s.o), dw(w.count), dbias(s.o);
    for (auto* b : {&x, &w, &dy}) b->fill_integers(random, 3);
    bias.fill_integers(random, 5);
    if (accumulate) {
        dw.fill_integers(random, 9), dbias.fill_integers(random, 9);
        for (int64_t k = 0; k < dx.count; ++k)
            if (k % s.x_pitch < s.i) dx.data()[k] = round_to<T>(double(k % 7) - 3);
    }
    auto rx = converted<R>(x), rw = converted<R>(w), rdy = converted<R>(dy), rbias = converted<R>(bias);
    auto ry = converted<R>(y), rdx = converted<R>(dx), rdw = converted<R>(dw), rdbias = converted<R>(dbias);
    const auto vx = [&](auto& b) { return view(b, s.n, s.h, s.w, s.i, s.x_pitch); };
    const auto vy = [&](auto& b) { return view(b, s.n, 2 * s.h, 2 * s.w, s.o, s.y_pitch); };
    const auto vw = [&](auto& b) { return view(b, 2, 2, s.o, s.i); };
    const auto forward = [&](auto& X, auto& W, auto& B, auto& Y) {
        return ConvTransposeForwardArgs{vx(X), vw(W), with_bias ? B.data() : nullptr, vy(Y)};
    };
    const auto input = [&](auto& DY, auto& W, auto& DX) {
        return ConvTransposeBackwardInputArgs{vy(DY), vw(W), {vx(DX), accumulate}};
    };
    const auto weight = [&](auto& X, auto& DY, auto& DW, auto& DB) {
        return ConvTransposeBackwardWeightArgs{
            vx(X), vy(DY), {vw(DW), accumulate}, {with_bias ? DB.data() : nullptr, accumulate}};
    };
    run_reference([&](Queue& k) { reference::conv_transpose_forward(k, forward(rx, rw, rbias, ry)); });
    run_reference([&](Queue& k) { reference::conv_transpose_backward_input(k, input(rdy, rw, rdx)); });
    run_reference([&](Queue& k) { reference::conv_transpose_backward_weight(k, weight(rx, rdy, rdw, rdbias)); });
    run_fast([&](Queue& k) { cpu::conv_transpose_forward(k, forward(x, w, bias, y)); }, what + " y");
    run_fast([&](Queue& k) { cpu::conv_transpose_backward_input(k, input(dy, w, dx)); }, what + " dx");
    run_fast([&](Queue& k) { cpu::conv_transpose_backward_weight(k, weight(x, dy, dw, dbias)); }, what + " dw");
    expect_equal(y, ry, rounding<T>, what + " y", s.o, s.y_pitch);
    expect_equal(dx, rdx, 2 * rounding<T>, what + " dx", s.i, s.x_pitch);
    expect_equal(dw, rdw, 0, what + " dw");
    if (with_bias) expect_equal(dbias, rdbias, 0, what + " dbias");
}

const TransposedShape transposed_shapes[] = {
    {1, 1, 1, 1, 1, 1, 1},     {2, 3, 5, 3, 2, 3, 2},          {1, 7, 4, 33, 17, 33, 17},
    {2, 8, 8, 64, 32, 64, 32}, {2, 5, 6, 16, 8, 24, 16},       {1, 16, 16, 32, 16, 32, 32},
    {3, 2, 9, 24, 12, 40, 12}, {1, 13, 11, 128, 64, 128, 128}, {1, 30, 41, 20, 40, 20, 48},
};

TEST(ConvTransposeCpu, F32EqualsReferenceBitForBit) {
    for (const TransposedShape& s : transposed_shapes) {
        check_transposed<float, float>(s, false, true);
        check_transposed<float, float>(s, true, false);
    }
}

TEST(ConvTransposeCpu, F64EqualsReference) {
    for (const TransposedShape& s : transposed_shapes) {
        check_transposed<double, double>(s, false, true);
        check_transposed<double, double>(s, true, false);
    }
}

TEST(ConvTransposeCpu, Bf16DiffersByItsRounding) {
    for (const TransposedShape& s : transposed_shapes) {
        try {
            check_transposed<bf16, float>(s, false, true);
        } catch (const ShapeError& e) {
            ASSERT_NE(std::string(e.what()).find("AVX-512"), std::string::npos) << e.what();
            GTEST_SKIP() << e.what();
        }
        check_transposed<bf16, float>(s, true, false);
    }
}

}  // namespace
}  // namespace atrous::kernels
