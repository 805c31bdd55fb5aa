// Ranks that are threads: sums, broadcasts, and what becomes of the others when one fails.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>

#include "base/error.h"
#include "engine/comm/thread_ranks.h"
#include "engine/context.h"

#ifdef ATROUS_EMULATED
#include "kernels/gpu/emu/emulator.h"
#endif

namespace atrous {
namespace {

TEST(Ranks, SumsAreAddedInTheOrderOfRanksWhoeverComesFirst) {
    // In floats 1e8 + 3 + 3 - 1e8 is 0 or 8, as the order has it.
    const float values[] = {1e8f, 3, 3, -1e8f};
    float expected = 0;
    for (float v : values) expected += v;
    for (int late = 0; late < 4; ++late)
        run_ranks(4, [&](Communicator& ranks) {
            if (ranks.rank() == late) std::this_thread::sleep_for(std::chrono::milliseconds(5));
            float sum = values[ranks.rank()];
            ranks.all_reduce(&sum, 1, DType::f32, {});
            EXPECT_EQ(sum, expected);
            int64_t count = ranks.rank();
            ranks.all_reduce(&count, 1, DType::i64, {});
            EXPECT_EQ(count, 6);
            double figures[] = {0.5, double(ranks.rank())};
            ranks.all_reduce(figures);
            EXPECT_EQ(figures[0], 2);
            EXPECT_EQ(figures[1], 6);
        });
}

TEST(Ranks, BroadcastGivesEveryRankTheBytesOfOne) {
    run_ranks(3, [](Communicator& ranks) {
        EXPECT_EQ(ranks.size(), 3);
        int value[] = {ranks.rank(), 10 * ranks.rank()};
        ranks.broadcast(value, sizeof value, 2, {});
        EXPECT_EQ(value[0], 2);
        EXPECT_EQ(value[1], 20);
    });
}

TEST(Ranks, ABarrierWaitsForEveryRank) {
    std::atomic<int> here{0};
    run_ranks(3, [&](Communicator& ranks) {
        for (int turn = 1; turn <= 20; ++turn) {
            ++here;
            ranks.barrier();
            EXPECT_EQ(here, 3 * turn);
            ranks.barrier();
        }
    });
}

std::string message_of(const std::function<void()>& f) {
    try {
        f();
    } catch (const std::exception& error) {
        return error.what();
    }
    return "nothing was thrown";
}

TEST(Ranks, OneThatThrowsLeavesNoOtherHanging) {
    std::string others[3];
    const std::string thrown = message_of([&] {
        run_ranks(3, [&](Communicator& ranks) {
            if (ranks.rank() == 1) throw std::runtime_error("no such image");
            others[ranks.rank()] = message_of([&] {
                ranks.barrier();
                ranks.barrier();
            });
        });
    });
    EXPECT_EQ(thrown, "no such image");
    EXPECT_EQ(others[0], "rank 1 of 3 failed: no such image, and rank 0 waits for it");
    EXPECT_EQ(others[2], "rank 1 of 3 failed: no such image, and rank 2 waits for it");
}

TEST(Ranks, OneThatEndsLeavesNoOtherHanging) {
    const std::string thrown = message_of([&] {
        run_ranks(2, [&](Communicator& ranks) {
            ranks.barrier();
            double x[] = {1};
            if (ranks.rank() == 0) ranks.all_reduce(x);
        });
    });
    EXPECT_EQ(thrown, "rank 1 of 2 has ended, and rank 0 waits for it");
}

TEST(Ranks, OneThatCallsSomethingElseIsNamed) {
    const std::string thrown = message_of([&] {
        run_ranks(2, [&](Communicator& ranks) {
            double x[] = {1, 2};
            if (ranks.rank() == 0)
                ranks.all_reduce(x);
            else
                ranks.barrier();
        });
    });
    EXPECT_EQ(thrown, "ranks disagree: rank 0 calls all_reduce of 2 f64 and rank 1 calls barrier");
}

TEST(Ranks, AloneNothingChanges) {
    SelfCommunicator self;
    Communicator& ranks = self;
    double x[] = {1, 2};
    ranks.all_reduce(x);
    ranks.broadcast(x, sizeof x, 0, {});
    ranks.barrier();
    EXPECT_EQ(ranks.size(), 1);
    EXPECT_EQ(x[1], 2);
}

#ifdef ATROUS_EMULATED
TEST(Ranks, EachReducesMemoryOfItsOwnDevice) {
    gpu::emu::ScopedOptions options;
    options->devices = 2;
    run_ranks(2, [](Communicator& ranks) {
        const Device device{DeviceKind::gpu, ranks.rank()};
        const Tensor x = Tensor::full({5}, DType::f32, device, 1 + ranks.rank());
        const gpu::DeviceGuard current = context_of(device).guard();
        ranks.all_reduce(x.data(), x.count(), x.dtype(), context_of(device).stream());
        EXPECT_EQ(x.to_host<float>(), std::vector<float>(5, 3.0f));
    });
    gpu::set_device(0);
}
#endif

}  // namespace
}  // namespace atrous
