// Convolutions by Winograd's filtering against the reference in double. With tiles of 2x2, sums of small integers are
// exact, so results are equal to the last bit; with tiles of 4x4 and real values they differ by rounding alone.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/variant.h"
#include "kernels/conv.h"
#include "tests/kernels/host_fixture.h"
#include "tests/kernels/poisoned_scratch.h"

namespace atrous::kernels {
namespace {

using host_test::Block;
using host_test::Values;

struct Problem {
    int64_t n, h, w, c, o;
    int padding = 1, dilation = 1;
    bool accumulate = false, bias = true;
    ConvGeometry geometry() const { return {1, padding, dilation}; }
    std::string text() const {
        return std::to_string(n) + "x" + std::to_string(h) + "x" + std::to_string(w) + " channels " +
               std::to_string(c) + "->" + std::to_string(o) + " padding " + std::to_string(padding) + " dilation " +
               std::to_string(dilation) + (accumulate ? " accumulate" : "") + (bias ? "" : " no bias");
    }
};

const Problem problems[] = {{1, 1, 1, 1, 1},
                            {2, 5, 7, 3, 5, 0},
                            {1, 4, 4, 8, 16, 1, 1, true},
                            {3, 9, 6, 17, 33, 2, 1, true},
                            {1, 8, 12, 16, 8, 0},
                            {2, 13, 17, 33, 20},
                            {1, 3, 3, 64, 128},
                            {1, 7, 5, 8, 16, 5},
                            {2, 9, 11, 12, 24, 3, 3},
                            {1, 6, 7, 10, 6, 12, 12},
                            {1, 64, 70, 16, 32},
                            {1, 40, 150, 12, 24, 1, 1, true},
                            {1, 6, 9, 200, 160},
                            {1, 5, 6, 512, 512},
                            {1, 9, 10, 24, 16, 1, 1, true, false},
                            {2, 3, 5, 16, 24, 9, 9}};

Values values(int64_t count, uint64_t seed, bool integers) {
    Values v = host_test::random_values(DType::f32, count, seed, integers ? -3.49 : -1, integers ? 3.49 : 1);
    for (double& x : v) x = integers ? std::round(x) : x;
    return v;
}

using Results = std::vector<Values>;  // y, dx, dw, dbias

// By the reference in f64, or on the cpu in f32 by the implementation of a name.
Results compute(const Problem& p, bool integers, const std::string& name = "", int threads = 1) {
    const DType t = name.empty() ? DType::f64 : DType::f32;
    const ConvGeometry g = p.geometry();
    const int64_t h = g.output_size(p.h, 3), w = g.output_size(p.w, 3), of_y = p.n * h * w * p.o;
    const int64_t of_x = p.n * p.h * p.w * p.c, of_w = p.o * 9 * p.c;
    Block x(t, {p.n, p.h, p.w, p.c}, values(of_x, 1, integers)),
        weights(t, {p.o, 3, 3, p.c}, values(of_w, 2, integers));
    Block dy(t, {p.n, h, w, p.o}, values(of_y, 3, integers)), y(t, {p.n, h, w, p.o}), dx(t, {p.n, p.h, p.w, p.c});
    Block dw(t, {p.o, 3, 3, p.c}), bias(t, {1, 1, 1, p.o}, values(p.o, 4, integers)), dbias(t, {1, 1, 1, p.o});
    if (p.accumulate) {
        dx.set(values(of_x, 5, integers));
        dw.set(values(of_w, 6, integers));
        dbias.set(values(p.o, 7, integers));
    }
    PoisonedScratch scratch;
    Queue q(gpu::StreamView(), scratch, threads, {KernelChoice::Rule::named, name});
    const ConvForwardArgs forward{x.view(), weights.view(), p.bias ? bias.data() : nullptr, y.view(), g};
    const ConvBackwardInputArgs input{dy.view(), weights.view(), {dx.view(), p.accumulate}, g};
    const ConvBackwardWeightArgs weight{
        x.view(), dy.view(), {dw.view(), p.accumulate}, {p.bias ? dbias.data() : nullptr, p.accumulate}, g};
    if (name.empty()) {
        reference::conv_forward(q, forward);
        reference::conv_backward_input(q, input);
        reference::conv_backward_weight(q, weight);
    } else {
        const VariantLog log;
        cpu::conv_forward(q, forward);
        cpu::conv_backward_input(q, input);
        cpu::conv_backward_weight(q, weight);
        EXPECT_EQ(log.names().size(), 3u);
        for (const std::string& variant : log.names()) EXPECT_NE(variant.find("/" + name), variant.npos) << variant;
    }
    EXPECT_TRUE(scratch.guards_intact()) << name << ", " << p.text() << ": wrote outside of its scratch memory";
    for (Block* block : {&y, &dx, &dw, &dbias})
        EXPECT_TRUE(block->guards_intact()) << name << ", " << p.text() << ": wrote outside of its output";
    Results all{y.get(), dx.get(), dw.get()};
    if (p.bias) all.push_back(dbias.get());
    return all;
}

// The largest difference, as a share of the largest value.
double difference(const Values& a, const Values& b) {
    double most = 0, scale = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        const double d = std::abs(a[i] - b[i]);
        most = d <= most ? most : std::isnan(d) ? INFINITY : d;
        scale = std::max(scale, std::abs(b[i]));
    }
    return most == 0 ? 0 : most / scale;
}

const char* const outputs[] = {"y", "dx", "dw", "dbias"};

TEST(Winograd, TilesOf2AreExactOnIntegers) {
    for (const Problem& p : problems) {
        const Results expected = compute(p, true), got = compute(p, true, "winograd2", 2);
        for (size_t i = 0; i < got.size(); ++i)
            EXPECT_EQ(difference(got[i], expected[i]), 0) << p.text() << ", " << outputs[i];
    }
}

// Of random values tiles of 2x2 round about as much as direct sums, tiles of 4x4 about twice as much; the largest of
// thousands of errors is some eight times the usual one.
TEST(Winograd, RealsDifferByRounding) {
    for (const Problem& p : problems) {
        const Results expected = compute(p, false);
        for (const auto& [name, allowed] : {std::pair{"winograd2", 1e-6}, {"winograd4", 6e-6}}) {
            const Results got = compute(p, false, name, 2);
            for (size_t i = 0; i < got.size(); ++i)
                EXPECT_LE(difference(got[i], expected[i]), allowed) << name << ", " << p.text() << ", " << outputs[i];
        }
    }
}

// Few tiles, which threads compute together, and many, of which each computes some; more threads than there are parts of
// the weights' gradient.
TEST(Winograd, ThreadCountDoesNotChangeBits) {
    for (const Problem& p : {Problem{2, 9, 11, 33, 40}, {1, 64, 70, 16, 32}, {2, 64, 64, 8, 8}, {1, 16, 32, 200, 120}})
        for (const char* name : {"winograd2", "winograd4"}) {
            const Results one = compute(p, false, name, 1);
            for (const int threads : {2, 20}) {
                const Results got = compute(p, false, name, threads);
                for (size_t i = 0; i < 4; ++i) EXPECT_EQ(got[i], one[i]) << name << ", " << p.text() << ", " << threads;
            }
        }
}

// Of a batch, the image that holds them and no other.
TEST(Winograd, NaNAndInfStayInTheirImage) {
    const int64_t h = 9, w = 11, c = 16, o = 16, image = h * w * c;
    for (const char* name : {"winograd2", "winograd4"})
        for (const double value : {double(NAN), double(INFINITY)}) {
            Values in = values(3 * image, 1, false);
            in[size_t(image + 5 * w * c + 3)] = value;
            Block x(DType::f32, {3, h, w, c}, in), weights(DType::f32, {o, 3, 3, c}, values(o * 9 * c, 2, false));
            Block y(DType::f32, {3, h, w, o}), dx(DType::f32, {3, h, w, c});
            PoisonedScratch scratch;
            Queue q(gpu::StreamView(), scratch, 2, {KernelChoice::Rule::named, name});
            cpu::conv_forward(q, {x.view(), weights.view(), nullptr, y.view(), {1, 1, 1}});
            cpu::conv_backward_input(q, {x.view(), weights.view(), {dx.view(), false}, {1, 1, 1}});
            for (Block* block : {&y, &dx}) {
                const Values got = block->get();
                for (int64_t n = 0; n < 3; ++n) {
                    const auto first = got.begin() + n * image;
                    EXPECT_EQ(std::all_of(first, first + image, [](double v) { return std::isfinite(v); }), n != 1)
                        << name << ", " << value << ", image " << n;
                }
            }
        }
}

// What is chosen, as "dnnl" or "winograd4", of forward pass, input gradient and weight gradient.
std::vector<std::string> chosen(const Problem& p, bool same_everywhere = false) {
    Block x(DType::f32, {p.n, p.h, p.w, p.c}), weights(DType::f32, {p.o, 3, 3, p.c});
    Block y(DType::f32, {p.n, p.h, p.w, p.o});
    PoisonedScratch scratch;
    Queue q(gpu::StreamView::dry_run(), scratch, 1);
    ConvForwardArgs forward{x.view(), weights.view(), nullptr, y.view(), p.geometry()};
    forward.same_everywhere = same_everywhere;
    return {cpu::conv_forward_family().choose(q, forward).name,
            cpu::conv_backward_input_family()
                .choose(q, {y.view(), weights.view(), {x.view(), false}, p.geometry(), same_everywhere})
                .name,
            cpu::conv_backward_weight_family()
                .choose(q, {x.view(), y.view(), {weights.view(), false}, {}, p.geometry()})
                .name};
}

// The layers of nets take it where it was measured to be faster; few channels and few pixels do not. Where a pixel must not
// depend on its place, the forward pass and its gradient do without.
TEST(Winograd, IsChosenWhereItIsFaster) {
    using Names = std::vector<std::string>;
    const Names four{"winograd4", "winograd4", "winograd4"}, two{"winograd2", "winograd2", "winograd2"};
    for (const Problem& p :
         {Problem{1, 128, 128, 32, 32}, {1, 128, 128, 48, 48}, {4, 16, 16, 512, 512}, {1, 32, 32, 512, 512, 4, 4}})
        EXPECT_EQ(chosen(p), four) << p.text();
    for (const Problem& p : {Problem{2, 8, 8, 512, 512}, {4, 5, 5, 64, 64}, {4, 16, 16, 1024, 1024}})
        EXPECT_EQ(chosen(p), two) << p.text();
    for (const Problem& p : {Problem{1, 128, 128, 3, 32},
                             {4, 64, 64, 8, 8},
                             {4, 64, 64, 20, 20},
                             {1, 8, 8, 64, 64},
                             {1, 16, 16, 64, 64, 12, 12},
                             {1, 16, 16, 1024, 1024}})
        for (const std::string& name : chosen(p)) EXPECT_FALSE(name.starts_with("winograd")) << p.text();
    const Names evaluation = chosen({1, 128, 128, 32, 32}, true);
    EXPECT_FALSE(evaluation[0].starts_with("winograd") || evaluation[1].starts_with("winograd"));
}

}  // namespace
}  // namespace atrous::kernels
