// Thread orders and workers: a correct kernel gives the same bits under all of them.
#include <cmath>

#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

using Order = emu::Options::Order;

struct Reduce {
    const float* x;
    float* partial;
    float* sum;
    unsigned* ticket;
    int count;
};
// A sum in a fixed order: warps by shuffles, the block through shared memory, the blocks by the last one to arrive.
__global__ void reduce(Reduce a) {
    __shared__ float warps[8];
    __shared__ bool last;
    const int t = int(threadIdx.x);
    float v = 0;
    for (int i = int(blockIdx.x * blockDim.x) + t; i < a.count; i += int(gridDim.x * blockDim.x)) v += a.x[i];
    for (int d = 16; d > 0; d /= 2) v += __shfl_down_sync(~0u, v, unsigned(d));
    if (t % 32 == 0) warps[t / 32] = v;
    __syncthreads();
    if (t == 0) {
        float sum = 0;
        for (float w : warps) sum += w;
        a.partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicAdd(a.ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || t != 0) return;
    float sum = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) sum += a.partial[b];
    *a.sum = sum;
}

float run_reduce() {
    constexpr int count = 10007, blocks = 13;
    std::vector<float> values(count);
    for (int i = 0; i < count; ++i) values[i] = std::sin(float(i));  // rounds: another order of summation shows
    Buffer<float> x(values), partial(blocks), sum(1);
    Buffer<unsigned> ticket(1, 0);
    launch(reduce, blocks, 256, 0, stream().view(), {x.data(), partial.data(), sum.data(), ticket.data(), count});
    return sum.get()[0];
}

TEST(Order, ReductionHasTheSameBitsInEveryOrder) {
    emu::ScopedOptions options;
    options->order = Order::forward;
    const float expected = run_reduce();
    EXPECT_LT(std::abs(expected), 10);
    options->order = Order::reverse;
    EXPECT_EQ(run_reduce(), expected);
    options->order = Order::shuffled;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
        options->seed = seed;
        EXPECT_EQ(run_reduce(), expected) << "seed " << seed;
    }
}

TEST(Order, ReductionDoesNotDependOnTheWorkers) {
    emu::ScopedOptions options;
    options->workers = 1;
    const float expected = run_reduce();
    for (int workers : {2, 3, 8}) {
        options->workers = workers;
        for (int i = 0; i < 20; ++i) ASSERT_EQ(run_reduce(), expected) << workers << " workers";
    }
}

struct Trace {
    int* order;
    int* next;
};
__global__ void trace(Trace a) { a.order[atomicAdd(a.next, 1)] = int(threadIdx.x); }
std::vector<int> run_trace() {
    Buffer<int> order(64), next(1, 0);
    launch(trace, 1, 64, 0, stream().view(), {order.data(), next.data()});
    return order.get();
}
TEST(Order, OptionsChangeTheOrder) {
    emu::ScopedOptions options;
    options->order = Order::forward;
    const auto forward = run_trace();
    EXPECT_EQ(forward[0], 0);
    options->order = Order::reverse;
    const auto reverse = run_trace();
    EXPECT_EQ(reverse[0], 63);
    options->order = Order::shuffled;
    options->seed = 1;
    const auto one = run_trace();
    EXPECT_EQ(run_trace(), one);  // a seed names an order
    options->seed = 2;
    EXPECT_NE(run_trace(), one);
}

// Threads yield at every 64th atomic, counted from their start: what ran before on the same worker, and which of its
// blocks, has no part in the order.
struct Count {
    int* sum;
    int times;
};
__global__ void count_up(Count a) {
    for (int i = 0; i < a.times; ++i) atomicAdd(a.sum, 1);
}
TEST(Order, OfASeedDoesNotDependOnEarlierLaunches) {
    emu::ScopedOptions options;
    Buffer<int> sum(1, 0);
    for (const Order order : {Order::forward, Order::shuffled}) {
        options->order = order;
        const auto expected = run_trace();
        for (int blocks = 1; blocks <= 63; ++blocks) {
            launch(count_up, blocks, 1, 0, stream().view(), {sum.data(), 1});
            ASSERT_EQ(run_trace(), expected) << "after a launch of " << blocks << " blocks";
        }
    }
}

struct Fill {
    float* y;
};
__global__ void fill(Fill a) { a.y[blockIdx.x * blockDim.x + threadIdx.x] = float(threadIdx.x); }
TEST(Order, AKernelWithoutBarriersIsAPlainLoop) {
    Buffer<float> y(64 * 256);
    emu::ScopedOptions options;
    options->order = Order::forward;
    options->workers = 1;
    emu::statistics() = {};
    launch(fill, 64, 256, 0, stream().view(), {y.data()});
    EXPECT_EQ(emu::statistics().launches, 1u);
    EXPECT_EQ(emu::statistics().threads, 64u * 256);
    EXPECT_LE(emu::statistics().switches, 64u);  // one stack a block
    EXPECT_EQ(y.get()[255], 255);
}

}  // namespace
}  // namespace atrous::gpu::test
