// The recorder's counters against counts made by hand. A kernel's arguments say which mistake it makes.
#include <platform/async.h>
#include <platform/mma.h>

#include <numeric>

#include "kernels/gpu/trace.h"
#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

constexpr int n = 256;  // floats

struct Args {
    const float* x;
    float* y;
    int stride, offset;
};

// ---- kernels; their lines are named in the tests by these marks ----
__global__ void copy(Args a) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    a.y[i] = a.x[i * a.stride + a.offset];
}
constexpr unsigned copy_line = __LINE__ - 2;

struct alignas(16) Four {
    float v[4];
};
__global__ void copy_vectors(Args a) {
    const int i = int(threadIdx.x);
    const Four loaded = reinterpret_cast<const Four*>(a.x)[i];
    Four doubled;
    for (int k = 0; k < 4; ++k) doubled.v[k] = 2 * loaded.v[k];
    reinterpret_cast<Four*>(a.y)[i] = doubled;
}

// 32x32 floats, one warp a row at a time; rows in shared memory are `stride` apart.
__global__ void transpose(Args a) {
    float* const tile = dynamic_shared<float>();
    const int lane = int(threadIdx.x), warp = int(threadIdx.y);
    for (int row = warp; row < 32; row += 8) tile[row * a.stride + lane] = a.x[row * 32 + lane];
    __syncthreads();
    for (int row = warp; row < 32; row += 8) a.y[row * 32 + lane] = tile[lane * a.stride + row];
}
constexpr unsigned transposed_read_line = __LINE__ - 2;

__global__ void some_lanes(Args a) {  // half of the lanes run a loop twice, and one of them an atomic
    const int lane = int(threadIdx.x);
    for (int i = 0; i < (lane < 16 ? 2 : 1); ++i) a.y[32 * i + lane] = 1;
    if (lane == 3) atomicAdd(a.y + 100, 1.0f);
    atomicAdd(a.y + 101, 1.0f);
}

// Reads 16-byte rows that are `stride` floats apart by ldmatrix.
__global__ void matrices(Args a) {
    float* const tile = dynamic_shared<float>();
    const int lane = int(threadIdx.x);
    for (int i = 0; i < a.stride; ++i) tile[i * 32 + lane] = 0;
    __syncwarp();
    uint32_t r[4];
    ldmatrix_x4(r, tile + lane * a.stride);
    float d[4] = {};
    mma_m16n8k16<bf16>(d, r, r[0], r[1]);
    a.y[lane] = d[0] + __shfl_xor_sync(~0u, d[1], 1);
}

__global__ void asynchronous(Args a) {
    float* const tile = dynamic_shared<float>();
    const int lane = int(threadIdx.x);
    cp_async16(tile + lane * 4, a.x + lane * 4 * a.stride, lane < 24);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    a.y[lane] = tile[lane];
}

class RecorderTest : public ::testing::Test {
 protected:
    RecorderTest() : x_(std::vector<float>(8 * 1024, 1)), y_(std::vector<float>(1024, 0)) {}

    TraceLaunch launch_of(void (*kernel)(Args), dim3 grid, dim3 block, size_t shared, int stride = 1, int offset = 0) {
        trace_ = record_kernels(
            {{.name = "x",
              .role = "input",
              .dtype = "f32",
              .element_bytes = 4,
              .bytes = x_.size() * 4,
              .address = uintptr_t(x_.data())}},
            {}, [&] {
                launch(kernel, grid, block, shared, stream().view(), Args{x_.data(), y_.data(), stride, offset});
            });
        return trace_.launches.at(0);
    }
    // Of the instructions of one line.
    KernelCounters at_line(const TraceLaunch& l, unsigned line) {
        KernelCounters sum;
        for (const auto& [site, counters] : l.by_site)
            for (const auto& frame : trace_.sites[site].frames)
                if (frame.line == line && frame.file == "tests/recorder/recorder_test.cu") sum.add(counters);
        return sum;
    }

    Buffer<float> x_, y_;
    Trace trace_;
};

TEST_F(RecorderTest, CountsACopy) {
    const TraceLaunch l = launch_of(copy, 2, 128, 0);
    EXPECT_EQ(l.kernel, "test::copy");
    const KernelCounters& c = l.counters;
    EXPECT_EQ(c.load.requests, 8u);  // a warp 32 floats: 128 bytes, 4 sectors
    EXPECT_EQ(c.load.sectors, 32u);
    EXPECT_EQ(c.load.bytes, n * 4u);
    EXPECT_EQ(c.load.distinct_bytes, n * 4u);
    EXPECT_EQ(c.load.useful(), 1);
    EXPECT_EQ(c.store.requests, 8u);
    EXPECT_EQ(c.store.sectors, 32u);
    EXPECT_EQ(c.memory_instructions, 16u);
    EXPECT_EQ(c.inactive_lanes, 0u);
    EXPECT_EQ(trace_.buffers[0].touched_sectors, 32u);
    EXPECT_EQ(at_line(l, copy_line).load.requests, 8u);
    EXPECT_EQ(at_line(l, copy_line).store.requests, 8u);
}

TEST_F(RecorderTest, CountsSectorsOfStridedAndMisalignedLoads) {
    const KernelCounters strided = launch_of(copy, 1, 32, 0, 2).counters;
    EXPECT_EQ(strided.load.sectors, 8u);  // 256 bytes, every second float of them
    EXPECT_EQ(strided.load.fewest_sectors, 4u);
    const KernelCounters scattered = launch_of(copy, 1, 32, 0, 8).counters;
    EXPECT_EQ(scattered.load.sectors, 32u);
    EXPECT_EQ(scattered.load.useful(), 0.125);
    const KernelCounters misaligned = launch_of(copy, 1, 32, 0, 1, 1).counters;
    EXPECT_EQ(misaligned.load.sectors, 5u);
    const KernelCounters broadcast = launch_of(copy, 1, 32, 0, 0).counters;
    EXPECT_EQ(broadcast.load.sectors, 1u);
    EXPECT_EQ(broadcast.load.bytes, 128u);
    EXPECT_EQ(broadcast.load.distinct_bytes, 4u);
    EXPECT_EQ(broadcast.load.useful(), 1);
}

TEST_F(RecorderTest, VectorsAreOneRequest) {
    const KernelCounters c = launch_of(copy_vectors, 1, 40, 0).counters;
    EXPECT_EQ(c.load.requests, 2u);
    EXPECT_EQ(c.load.sectors, 16u + 4u);  // 512 bytes, and 8 lanes' 128
    EXPECT_EQ(c.store.requests, 2u);
    EXPECT_EQ(c.inactive_lanes, 2 * 24u);
}

TEST_F(RecorderTest, BankConflictsOfATranspose) {
    const TraceLaunch padded = launch_of(transpose, 1, dim3(32, 8), 32 * 33 * 4, 33);
    EXPECT_EQ(padded.counters.shared_load.requests, 32u);
    EXPECT_EQ(padded.counters.shared_load.conflicts(), 0u);
    EXPECT_EQ(padded.counters.shared_load.worst_ways, 1u);
    EXPECT_EQ(padded.counters.shared_store.conflicts(), 0u);
    EXPECT_EQ(padded.counters.block_barriers, 1u);
    const TraceLaunch planted = launch_of(transpose, 1, dim3(32, 8), 32 * 32 * 4, 32);
    EXPECT_EQ(planted.counters.shared_load.wavefronts, 32u * 32u);
    EXPECT_EQ(planted.counters.shared_load.worst_ways, 32u);
    EXPECT_EQ(planted.counters.shared_store.conflicts(), 0u);
    EXPECT_EQ(at_line(planted, transposed_read_line).shared_load.conflicts(), 32u * 31u);
    const TraceLaunch two_ways = launch_of(transpose, 1, dim3(32, 8), 32 * 34 * 4, 34);
    EXPECT_EQ(two_ways.counters.shared_load.worst_ways, 2u);
}

TEST_F(RecorderTest, LanesThatTakeNoPart) {
    const KernelCounters c = launch_of(some_lanes, 1, 32, 0).counters;
    EXPECT_EQ(c.store.requests, 2u);  // 32 lanes, and 16 of them once more
    EXPECT_EQ(c.store.lanes, 48u);
    EXPECT_EQ(c.atomics, 33u);
    EXPECT_EQ(c.atomic.requests, 2u);
    EXPECT_EQ(c.most_on_one_address, 32u);
    EXPECT_EQ(c.inactive_lanes, 16u + 31u);
}

TEST_F(RecorderTest, MatricesAndShuffles) {
    const KernelCounters good = launch_of(matrices, 1, 32, 32 * 128, 12).counters;  // rows 48 bytes apart
    EXPECT_EQ(good.ldmatrix.requests, 1u);
    EXPECT_EQ(good.ldmatrix.wavefronts, 4u);
    EXPECT_EQ(good.mma, 1u);
    EXPECT_EQ(good.shuffles, 1u);
    EXPECT_EQ(good.warp_barriers, 1u);
    ASSERT_EQ(trace_.fragments.size(), 1u);
    EXPECT_EQ(trace_.fragments[0].type, "bf16");
    EXPECT_EQ(trace_.fragments[0].a.size(), 256u);
    const KernelCounters planted = launch_of(matrices, 1, 32, 32 * 128, 32).counters;  // 128: all in the same banks
    EXPECT_EQ(planted.ldmatrix.wavefronts, 32u);
    EXPECT_EQ(planted.ldmatrix.worst_ways, 8u);
}

TEST_F(RecorderTest, AsynchronousCopies) {
    const KernelCounters c = launch_of(asynchronous, 1, 32, 512).counters;
    EXPECT_EQ(c.async_copy.requests, 1u);
    EXPECT_EQ(c.async_copy.sectors, 12u);  // 24 lanes of 16 bytes
    EXPECT_EQ(c.shared_async_copy.bytes, 512u);
    EXPECT_EQ(c.zero_filled_lanes, 8u);
    EXPECT_EQ(c.shared_async_copy.conflicts(), 0u);
    EXPECT_EQ(launch_of(asynchronous, 1, 32, 512, 2).counters.async_copy.sectors, 24u);  // half of each is wasted
}

TEST_F(RecorderTest, RowsSayWhatEachLaneDid) {
    const TraceLaunch l = launch_of(copy, 2, 64, 0, 2);
    ASSERT_EQ(l.blocks.size(), 2u);
    ASSERT_EQ(l.blocks[1].rows.size(), 4u);
    const TraceRow& load = l.blocks[1].rows[2];  // the second warp's
    EXPECT_EQ(load.kind, TraceKind::load);
    EXPECT_EQ(load.warp, 1);
    EXPECT_EQ(load.mask, ~0u);
    EXPECT_EQ(trace_.buffers.at(size_t(load.buffer)).name, "x");
    EXPECT_EQ(load.base, 96u * 2 * 4);
    EXPECT_EQ(load.bytes, 4u);
    EXPECT_EQ(trace_.patterns.at(load.pattern), std::vector<int32_t>{8});
    EXPECT_EQ(l.blocks[1].rows[3].kind, TraceKind::store);
}

TEST_F(RecorderTest, OnlyChosenBlocksAreKept) {
    trace_ = record_kernels({}, {.blocks = 3, .most_rows = 5}, [&] {
        launch(copy, 8, 32, 0, stream().view(), Args{x_.data(), y_.data(), 1, 0});
    });
    const TraceLaunch& l = trace_.launches.at(0);
    ASSERT_EQ(l.blocks.size(), 3u);
    EXPECT_EQ(l.blocks[1].x, 1u);
    EXPECT_EQ(l.blocks[2].x, 7u);
    EXPECT_EQ(l.rows_left_out, 1u);
    EXPECT_EQ(l.counters.load.requests, 8u);
}

}  // namespace
}  // namespace atrous::gpu::test
