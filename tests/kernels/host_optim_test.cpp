// Optimizer steps on the host.
#include "kernels/optim.h"
#include "tests/kernels/host_fixture.h"

namespace atrous::host_test {

namespace k = kernels;

namespace {

constexpr int64_t count = 60000;
const Backend optim_backends[] = {{false, DType::f32}, {true, DType::f32}, {true, DType::f64}};

// Two groups, chunks of odd sizes, and gaps (padding) that no step may touch.
std::vector<k::OptimChunk> chunks() {
    std::vector<k::OptimChunk> all;
    for (int64_t begin = 0, i = 0; begin < count; ++i) {
        const int32_t size =
            int32_t(std::min<int64_t>(i % 3 == 0 ? k::optim_chunk_elements : 1 + 997 * (i % 5), count - begin));
        all.push_back({begin, size, int32_t(i % 2)});
        begin += size + i % 4;
    }
    return all;
}

struct State {
    DType dtype;
    Block p, g, m, v, half;
    std::vector<k::OptimChunk> list = chunks();
    k::StepState step;

    State(DType t, DType half_dtype = DType::bf16)
        : dtype(t),
          p(t, line(), random_values(DType::f32, count, 1)),
          g(t, line(), random_values(DType::f32, count, 2)),
          m(t, line(), random_values(DType::f32, count, 3)),
          v(t, line(), random_values(DType::f32, count, 4, 0.1, 1)),
          half(half_dtype, line()),
          half_type(half_dtype) {
        step.learning_rate = 0.05;
        step.step = 3;
        step.loss_scale = 8;
        step.clip_factor = 0.5;
    }
    static Shape line() { return {1, 1, 1, count}; }
    k::Arena arena(bool with_half = true) {
        k::Arena a{p.data(), g.data(),  m.data(), v.data(),    with_half ? half.data() : nullptr,
                   dtype,    half_type, count,    list.data(), int64_t(list.size()),
                   {}};
        a.groups[0] = {0.01, 1};
        a.groups[1] = {0, 0.25};
        return a;
    }
    Outputs outputs() {
        for (Block* b : {&p, &g, &m, &v, &half}) EXPECT_TRUE(b->guards_intact());
        return {p.get(), m.get(), v.get(), half.get()};
    }
    DType half_type;
};

template <class Step>
void check_step(const char* what, Step step) {
    for (DType half : {DType::bf16, DType::f16}) {
        State expected(DType::f64, half);
        step(exact, expected);
        for (const Backend& b : optim_backends) {
            Outputs got;
            for (int threads : {1, 2, 3}) {
                State s(b.dtype, half);
                step(Backend{b.cpu, b.dtype, threads}, s);
                const Outputs now = s.outputs();
                if (threads == 1) got = now;
                for (size_t i = 0; i < now.size(); ++i)
                    EXPECT_EQ(std::memcmp(now[i].data(), got[i].data(), now[i].size() * sizeof(double)), 0)
                        << what << " " << threads << " threads";
            }
            const Outputs want = expected.outputs();
            for (size_t i = 0; i < 3; ++i) expect_close(got[i], want[i], b.dtype == DType::f64 ? 1e-14 : 1e-6, what);
            for (size_t i = 0; i < got[3].size(); ++i) {  // the copy is this backend's own parameter, rounded
                std::byte buffer[8];
                write(half, buffer, got[0][i]);
                if (std::isnan(want[3][i]))
                    EXPECT_TRUE(std::isnan(got[3][i])) << what << ": padding was written at " << i;
                else
                    ASSERT_EQ(got[3][i], read(half, buffer)) << what << " " << i;
            }
        }
    }
}

void sgd(const Backend& b, State& s, double momentum, bool nesterov, bool with_half = true) {
    run(b, k::reference::sgd_step, k::cpu::sgd_step, k::SgdArgs{s.arena(with_half), &s.step, momentum, nesterov});
}
void adam(const Backend& b, State& s, bool decoupled, bool with_half = true) {
    run(b, k::reference::adam_step, k::cpu::adam_step,
        k::AdamArgs{s.arena(with_half), &s.step, 0.9, 0.999, 1e-8, decoupled});
}
void rmsprop(const Backend& b, State& s, double momentum, bool with_half = true) {
    run(b, k::reference::rmsprop_step, k::cpu::rmsprop_step,
        k::RmspropArgs{s.arena(with_half), &s.step, 0.99, 1e-8, momentum});
}

// One parameter through several steps, gradients as given.
struct Single {
    Block p{DType::f64, {}, {1.0}}, g{DType::f64, {}}, m{DType::f64, {}}, v{DType::f64, {}};
    k::OptimChunk chunk{0, 1, 0};
    k::StepState step;
    k::Arena arena(double weight_decay) {
        k::Arena a{p.data(), g.data(), m.data(), v.data(), nullptr, DType::f64, DType::bf16, 1, &chunk, 1, {}};
        a.groups[0].weight_decay = weight_decay;
        step.learning_rate = 0.1;
        return a;
    }
    void finish() { run(exact, k::reference::finish_step, k::cpu::finish_step, k::FinishStepArgs{&step}); }
};

}  // namespace

TEST(HostOptim, SgdMatchesReference) {
    for (double momentum : {0.0, 0.9})
        for (bool nesterov : {false, true})
            for (int64_t step : {0, 3})
                check_step("sgd", [&](const Backend& b, State& s) {
                    s.step.step = step;
                    if (step == 0) s.m.set(Values(count, NAN));  // the first step does not read the buffer
                    sgd(b, s, momentum, nesterov);
                    if (step == 0 && momentum == 0) s.m.set(Values(count, 0.0));
                    if (step == 0 && momentum != 0) {  // NaN is left in the padding alone
                        const Values m = s.m.get();
                        for (const k::OptimChunk& c : s.list)
                            for (int64_t i = c.begin; i < c.begin + c.count; ++i) ASSERT_FALSE(std::isnan(m[i])) << i;
                    }
                });
}

TEST(HostOptim, AdamMatchesReference) {
    for (bool decoupled : {false, true})
        for (int64_t step : {0, 3, 100000})
            check_step(decoupled ? "adamw" : "adam", [&](const Backend& b, State& s) {
                s.step.step = step;
                if (step == 0) s.m.set(Values(count, 0.0)), s.v.set(Values(count, 0.0));
                adam(b, s, decoupled);
            });
}

TEST(HostOptim, RmspropMatchesReference) {
    for (double momentum : {0.0, 0.9})
        check_step("rmsprop", [&](const Backend& b, State& s) { rmsprop(b, s, momentum); });
}

TEST(HostOptim, NonFiniteGradientsSkipTheStep) {
    for (const Backend& b : optim_backends)
        for (double poison : {double(NAN), double(INFINITY), -double(INFINITY)})
            for (size_t where : {size_t(0), size_t(5000), size_t(30001)}) {
                State s(b.dtype), before(b.dtype);
                Values g = s.g.get();
                g[s.list[where * s.list.size() / count].begin] = poison;
                s.g.set(g);
                run(b, k::reference::grad_statistics, k::cpu::grad_statistics,
                    k::GradStatisticsArgs{s.arena(), &s.step, 1.0});
                ASSERT_EQ(s.step.found_nonfinite, 1) << b.text() << " " << poison;
                sgd(b, s, 0.9, false);
                adam(b, s, true);
                rmsprop(b, s, 0.9);
                const Outputs now = s.outputs(), then = before.outputs();
                for (size_t i = 0; i < 3; ++i) EXPECT_EQ(now[i], then[i]) << b.text();
            }
}

TEST(HostOptim, StatisticsMatchReference) {
    for (double max_norm : {0.0, 1.0, 1e9})
        for (const Backend& b : optim_backends) {
            State s(b.dtype), expected(DType::f64);
            s.step.found_nonfinite = expected.step.found_nonfinite = 1;
            double bits = 0;
            for (int threads : {1, 2, 3}) {
                run({b.cpu, b.dtype, threads}, k::reference::grad_statistics, k::cpu::grad_statistics,
                    k::GradStatisticsArgs{s.arena(), &s.step, max_norm});
                if (threads == 1) bits = s.step.grad_norm;
                EXPECT_EQ(s.step.grad_norm, bits) << "depends on the number of threads";
            }
            run(exact, k::reference::grad_statistics, k::cpu::grad_statistics,
                k::GradStatisticsArgs{expected.arena(), &expected.step, max_norm});
            EXPECT_NEAR(s.step.grad_norm / expected.step.grad_norm, 1, 1e-13) << b.text();
            EXPECT_NEAR(s.step.clip_factor, expected.step.clip_factor, 1e-13) << b.text();
            EXPECT_EQ(s.step.found_nonfinite, 0);
        }
}

// Squares of these overflow a float, their sum does not overflow a double: they are large, not bad.
TEST(HostOptim, LargeFiniteGradientsAreFinite) {
    for (const Backend& b : optim_backends) {
        State s(b.dtype);
        Values g(count, 0.0);
        g[0] = 3e30, g[1] = -4e30;
        s.g.set(g);
        run(b, k::reference::grad_statistics, k::cpu::grad_statistics, k::GradStatisticsArgs{s.arena(), &s.step, 1});
        EXPECT_EQ(s.step.found_nonfinite, 0) << b.text();
        EXPECT_NEAR(s.step.grad_norm * 8 / 5e30, 1, 1e-6) << b.text();  // the loss scale is 8
    }
}

TEST(HostOptim, ReferenceKnownStatistics) {
    Block g(DType::f64, {1, 1, 1, 4}, {3, -4, 100, 12});
    const k::OptimChunk list[] = {{0, 2, 0}, {3, 1, 0}};  // element 2 is padding
    k::StepState step;
    step.loss_scale = 2;
    k::Arena a{nullptr, g.data(), nullptr, nullptr, nullptr, DType::f64, DType::bf16, 4, list, 2, {}};
    run(exact, k::reference::grad_statistics, k::cpu::grad_statistics, k::GradStatisticsArgs{a, &step, 1.3});
    EXPECT_NEAR(step.grad_norm, 6.5, 1e-15);
    EXPECT_NEAR(step.clip_factor, 1.3 / (6.5 + 1e-6), 1e-15);
}

// By hand, as torch.optim.SGD(lr=0.1, momentum=0.9, weight_decay=0.5): g = 0.5 + 0.5 * p.
TEST(HostOptim, ReferenceKnownSgd) {
    Single s;
    s.g.set({0.5});
    for (double expected : {0.9, 0.9 - 0.1 * (0.9 * 1 + 0.95)}) {
        run(exact, k::reference::sgd_step, k::cpu::sgd_step, k::SgdArgs{s.arena(0.5), &s.step, 0.9, false});
        s.finish();
        EXPECT_NEAR(s.p.get()[0], expected, 1e-15);
    }
    Single n;  // nesterov, no decay: buffer = 0.5, p = 1 - 0.1 * (0.5 + 0.45)
    n.g.set({0.5});
    run(exact, k::reference::sgd_step, k::cpu::sgd_step, k::SgdArgs{n.arena(0), &n.step, 0.9, true});
    EXPECT_NEAR(n.p.get()[0], 0.905, 1e-15);
    Single plain;  // clipped to half, gradients scaled by 4
    plain.g.set({2});
    plain.step.clip_factor = 0.5, plain.step.loss_scale = 4;
    run(exact, k::reference::sgd_step, k::cpu::sgd_step, k::SgdArgs{plain.arena(0), &plain.step, 0, false});
    EXPECT_NEAR(plain.p.get()[0], 1 - 0.1 * 0.25, 1e-15);
}

// A first Adam step is lr * sign(g); for the second, moments by hand: m = 0.9*0.1*g1 + 0.1*g2 over 1 - 0.81, and so on.
TEST(HostOptim, ReferenceKnownAdam) {
    for (bool decoupled : {false, true}) {
        Single s;
        s.m.set({0}), s.v.set({0}), s.g.set({0.5});
        const auto step = [&] {
            run(exact, k::reference::adam_step, k::cpu::adam_step,
                k::AdamArgs{s.arena(decoupled ? 0.2 : 0), &s.step, 0.9, 0.99, 0, decoupled});
            s.finish();
        };
        step();
        const double first = (decoupled ? 0.98 : 1) - 0.1;
        EXPECT_NEAR(s.p.get()[0], first, 1e-15);
        s.g.set({-1});
        step();
        const double m = (0.09 * 0.5 - 0.1) / 0.19, v = (0.0099 * 0.25 + 0.01) / 0.0199;
        EXPECT_NEAR(s.p.get()[0], first * (decoupled ? 0.98 : 1) - 0.1 * m / std::sqrt(v), 1e-14);
    }
}

// By hand, as torch.optim.RMSprop(lr=0.1, alpha=0.75, eps=0.5, momentum=0.5): roots of v are 1 and sqrt(0.75 + 0.25 *
// 9).
TEST(HostOptim, ReferenceKnownRmsprop) {
    Single s;
    s.m.set({0}), s.v.set({0}), s.g.set({2});
    const auto step = [&] {
        run(exact, k::reference::rmsprop_step, k::cpu::rmsprop_step,
            k::RmspropArgs{s.arena(0), &s.step, 0.75, 0.5, 0.5});
        s.finish();
    };
    step();
    EXPECT_NEAR(s.p.get()[0], 1 - 0.1 * 2 / 1.5, 1e-15);
    s.g.set({-3});
    step();
    EXPECT_NEAR(s.p.get()[0], 1 - 0.1 * 2 / 1.5 - 0.1 * (0.5 * 2 / 1.5 - 3 / (std::sqrt(3.0) + 0.5)), 1e-15);
    EXPECT_NEAR(s.v.get()[0], 3, 1e-15);
}

}  // namespace atrous::host_test
