// Max pooling and bilinear resampling on the host.
#include "base/variant.h"
#include "kernels/pool.h"
#include "kernels/resize.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::host_test {

namespace k = kernels;

namespace {

struct Pooling {
    Shape in;
    k::PoolGeometry geometry;
    Shape out() const {
        const auto size = [&](int64_t x) { return (x + 2 * geometry.padding - geometry.kernel) / geometry.stride + 1; };
        return {in.n, size(in.h), size(in.w), in.c, in.gap};
    }
    std::string text() const {
        return in.text() + " k" + std::to_string(geometry.kernel) + " s" + std::to_string(geometry.stride) + " p" +
               std::to_string(geometry.padding);
    }
};

const Pooling poolings[] = {
    {{1, 2, 2, 1}, {2, 2, 0}},       {{2, 5, 7, 3}, {2, 2, 0}},    {{1, 8, 6, 8, 8}, {2, 2, 0}},
    {{3, 13, 11, 22, 2}, {2, 2, 0}}, {{1, 34, 36, 64}, {2, 2, 0}}, {{1, 23, 29, 130}, {2, 2, 0}},
    {{1, 1, 1, 8}, {3, 2, 1}},       {{2, 7, 5, 33}, {3, 2, 1}},   {{1, 16, 17, 64, 64}, {3, 2, 1}},
    {{1, 6, 6, 3}, {3, 1, 1}},       {{1, 9, 8, 5}, {3, 3, 0}},    {{1, 15, 17, 2}, {15, 2, 7}},
    {{1, 5, 5, 4}, {2, 2, 1}},       {{1, 7, 7, 4}, {1, 2, 0}},    {{1, 40, 40, 33}, {3, 2, 1}},
    {{1, 3, 301, 40}, {3, 2, 1}},  // fewer lines than threads like
};

// Few distinct values: ties decide the index.
Values tied_values(int64_t count, bool with_nan) {
    Values values = random_values(DType::f32, count, 3, -4, 4);
    for (double& v : values) v = std::floor(v);
    Random random(5);
    if (with_nan)
        for (double& v : values)
            if (random.chance(0.1)) v = random.chance(0.5) ? NAN : random.chance(0.5) ? INFINITY : -INFINITY;
    return values;
}

Outputs pool_forward(const Backend& b, const Pooling& p, bool with_nan, bool with_indices) {
    Block x(b.dtype, p.in, tied_values(p.in.count(), with_nan)), y(b.dtype, p.out());
    Shape dense = p.out();
    dense.gap = 0;
    Block indices(DType::u8, dense);
    run(b, k::reference::max_pool_forward, k::cpu::max_pool_forward,
        k::MaxPoolForwardArgs{x.view(), y.view(), with_indices ? indices.view().as<uint8_t>() : nullptr, p.geometry});
    EXPECT_TRUE(y.guards_intact() && indices.guards_intact()) << p.text();
    return {y.get(), indices.get()};
}

Outputs pool_backward(const Backend& b, DType inputs, const Pooling& p, bool accumulate) {
    const Outputs forward = pool_forward(exact, p, false, true);
    Shape dense = p.out();
    dense.gap = 0;
    Block dy(b.dtype, p.out(), random_values(inputs, p.out().count(), 6)), indices(DType::u8, dense, forward[1]),
        dx(b.dtype, p.in);
    if (accumulate) dx.set(random_values(inputs, p.in.count(), 7));
    run(b, k::reference::max_pool_backward, k::cpu::max_pool_backward,
        k::MaxPoolBackwardArgs{dy.view(), indices.view().as<uint8_t>(), {dx.view(), accumulate}, p.geometry});
    EXPECT_TRUE(dx.guards_intact()) << p.text();
    return {dx.get()};
}

struct Resizing {
    Shape in;
    int64_t h, w;
    Shape out() const { return {in.n, h, w, in.c, in.gap}; }
    std::string text() const { return in.text() + " to " + std::to_string(h) + "x" + std::to_string(w); }
};

const Resizing resizings[] = {
    {{1, 1, 1, 1}, 1, 1},       {{1, 1, 1, 3}, 5, 4},       {{2, 3, 5, 1}, 6, 10},      {{1, 4, 4, 8, 8}, 8, 8},
    {{2, 7, 5, 33}, 13, 11},    {{1, 5, 7, 22, 2}, 40, 56}, {{3, 12, 10, 3}, 5, 7},     {{1, 31, 29, 1}, 1, 1},
    {{1, 16, 16, 64}, 4, 4},    {{1, 9, 9, 64}, 9, 9},      {{1, 17, 13, 1, 1}, 8, 29}, {{1, 20, 22, 33}, 40, 44},
    {{1, 90, 80, 1}, 180, 160},
};

Outputs resize_forward(const Backend& b, DType inputs, const Resizing& r, bool align) {
    Block x(b.dtype, r.in, random_values(inputs, r.in.count(), 1)), y(b.dtype, r.out());
    run(b, k::reference::bilinear_forward, k::cpu::bilinear_forward, k::BilinearForwardArgs{x.view(), y.view(), align});
    EXPECT_TRUE(y.guards_intact()) << r.text();
    return {y.get()};
}

Outputs resize_backward(const Backend& b, DType inputs, const Resizing& r, bool align, bool accumulate) {
    Block dy(b.dtype, r.out(), random_values(inputs, r.out().count(), 2)), dx(b.dtype, r.in);
    if (accumulate) dx.set(random_values(inputs, r.in.count(), 3));
    run(b, k::reference::bilinear_backward, k::cpu::bilinear_backward,
        k::BilinearBackwardArgs{dy.view(), {dx.view(), accumulate}, align});
    EXPECT_TRUE(dx.guards_intact()) << r.text();
    return {dx.get()};
}

}  // namespace

// Values are chosen, not computed: every backend gives the same maxima and indices.
TEST(HostPool, ForwardMatchesReference) {
    for (const Pooling& p : poolings)
        for (bool with_nan : {false, true})
            for (bool with_indices : {true, false})
                check_backends("max_pool_forward " + p.text(), [&](const Backend& b, DType) {
                    const Outputs outputs = pool_forward(b, p, with_nan, with_indices);
                    const Outputs expected = pool_forward(exact, p, with_nan, with_indices);
                    EXPECT_EQ(outputs[1], expected[1]) << p.text() << ": indices of " << b.text();
                    for (size_t i = 0; i < outputs[0].size(); ++i)
                        EXPECT_TRUE(outputs[0][i] == expected[0][i] || std::isnan(expected[0][i]))
                            << p.text() << " element " << i;
                    return outputs;
                });
}

TEST(HostPool, BackwardMatchesReference) {
    for (const Pooling& p : poolings)
        for (bool accumulate : {false, true})
            check_backends("max_pool_backward " + p.text(),
                           [&](const Backend& b, DType t) { return pool_backward(b, t, p, accumulate); });
}

TEST(HostPool, VariantsAreTheOnesMeant) {
    for (const Pooling& p : {poolings[1], poolings[7]}) {
        VariantLog log;
        pool_backward({true, DType::f32}, DType::f32, p, false);
        const std::string suffix = p.geometry.kernel == 2 ? "/omp_2x2" : "/omp";
        EXPECT_EQ(log.names(), (std::vector<std::string>{"max_pool_forward/reference", "max_pool_backward" + suffix}));
    }
}

TEST(HostPool, ReferenceKnownValues) {
    const Shape in{1, 3, 4, 1}, out{1, 2, 2, 1};
    const double nan = NAN;
    Block x(DType::f64, in, {1, 5, 2, 2, 5, 0, 2, 2, nan, 7, -1, nan}), y(DType::f64, out);
    std::vector<uint8_t> indices(4);
    run(exact, k::reference::max_pool_forward, k::cpu::max_pool_forward,
        k::MaxPoolForwardArgs{x.view(), y.view(), indices.data(), {3, 2, 1}});
    // Windows start at (-1,-1), (-1,1), (1,-1), (1,1); the first maximum wins, and the first NaN over all.
    const Values got = y.get();
    EXPECT_EQ(got[0], 5);
    EXPECT_EQ(got[1], 5);
    EXPECT_TRUE(std::isnan(got[2]) && std::isnan(got[3]));
    EXPECT_EQ(indices, (std::vector<uint8_t>{5, 3, 4, 5}));
    Block dy(DType::f64, out, {10, 20, 30, 40}), dx(DType::f64, in);
    run(exact, k::reference::max_pool_backward, k::cpu::max_pool_backward,
        k::MaxPoolBackwardArgs{dy.view(), indices.data(), {dx.view(), false}, {3, 2, 1}});
    EXPECT_EQ(dx.get(), (Values{0, 30, 0, 0, 0, 0, 0, 0, 30, 0, 0, 40}));
}

TEST(HostResize, ForwardMatchesReference) {
    for (const Resizing& r : resizings)
        for (bool align : {false, true})
            check_backends(
                "bilinear_forward " + r.text(),
                [&](const Backend& b, DType t) { return resize_forward(b, t, r, align); }, 1e-6);
}

TEST(HostResize, BackwardMatchesReference) {
    for (const Resizing& r : resizings)
        for (bool align : {false, true})
            for (bool accumulate : {false, true})
                check_backends(
                    "bilinear_backward " + r.text(),
                    [&](const Backend& b, DType t) { return resize_backward(b, t, r, align, accumulate); }, 1e-5);
}

TEST(HostResize, ReferenceKnownValues) {
    const auto resized = [](const Values& x, int64_t width, bool align) {
        Block in(DType::f64, {1, 1, int64_t(x.size()), 1}, x), out(DType::f64, {1, 1, width, 1});
        run(exact, k::reference::bilinear_forward, k::cpu::bilinear_forward,
            k::BilinearForwardArgs{in.view(), out.view(), align});
        return out.get();
    };
    expect_close(resized({0, 4}, 4, false), {0, 1, 3, 4}, 1e-15, "x2, half-pixel centres");
    expect_close(resized({0, 3}, 4, true), {0, 1, 2, 3}, 1e-15, "x2, aligned corners");
    expect_close(resized({0, 1, 2, 3}, 2, false), {0.5, 2.5}, 1e-15, "half, half-pixel centres");
    expect_close(resized({5, 6, 7, 9}, 1, true), {5}, 1e-15, "one pixel, aligned corners");
    expect_close(resized({2}, 3, false), {2, 2, 2}, 1e-15, "from one pixel");
    // Separable: the outer product of two resampled lines.
    Block in(DType::f64, {1, 2, 2, 1}, {1, 2, 10, 20}), out(DType::f64, {1, 4, 4, 1});
    run(exact, k::reference::bilinear_forward, k::cpu::bilinear_forward,
        k::BilinearForwardArgs{in.view(), out.view(), false});
    const Values rows = resized({1, 10}, 4, false), columns = resized({1, 2}, 4, false);
    Values expected;
    for (double row : rows)
        for (double column : columns) expected.push_back(row * column);
    expect_close(out.get(), expected, 1e-14, "two dimensions");
}

}  // namespace atrous::host_test
