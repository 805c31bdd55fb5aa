// The threads of the cpu's loops: each piece is done once and its number of a thread is its own, whether workers are awake,
// asleep or late, and whoever calls.
#include "kernels/cpu/team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "base/philox.h"

namespace atrous::kernels::cpu {
namespace {

// Some loops of varying lengths; now and then the workers fall asleep before the next one.
void run_loops(uint64_t seed, int loops, std::atomic<int>& mistakes) {
    Random random(seed);
    for (int loop = 0; loop < loops; ++loop) {
        const int threads = 1 + int(random.below(5));
        const auto pieces = int64_t(random.below(60));
        std::vector<std::atomic<int>> done(size_t(pieces) + 1), busy(size_t(threads) + 1);
        share_pieces(threads, pieces, [&](int64_t piece, int thread) {
            if (thread < 0 || thread >= threads || busy[size_t(thread)]++ != 0) ++mistakes;
            ++done[size_t(piece)];
            --busy[size_t(thread)];
        });
        for (int64_t piece = 0; piece < pieces; ++piece) mistakes += done[size_t(piece)] != 1;
        if (random.below(100) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

TEST(Team, DoesEachPieceOnceFromSeveralThreads) {
    std::atomic<int> mistakes{0};
    std::vector<std::thread> callers;
    for (uint64_t seed : {1, 2, 3}) callers.emplace_back([&mistakes, seed] { run_loops(seed, 2000, mistakes); });
    for (std::thread& caller : callers) caller.join();
    EXPECT_EQ(mistakes, 0);
}

TEST(Team, LoopsWithinAPieceStayOnItsThread) {
    std::atomic<int> done{0}, elsewhere{0};
    share_pieces(3, 20, [&](int64_t, int) {
        const auto here = std::this_thread::get_id();
        share_pieces(3, 5, [&](int64_t, int thread) {
            ++done;
            elsewhere += thread != 0 || std::this_thread::get_id() != here;
        });
    });
    EXPECT_EQ(done, 100);
    EXPECT_EQ(elsewhere, 0);
}

// A worker that comes late must neither be waited for nor find another loop's pieces: here none has the time to come.
TEST(Team, WaitsForNobodyWhoHoldsNoPiece) {
    int64_t sum = 0;
    for (int loop = 0; loop < 20000; ++loop) {
        std::atomic<int64_t> part{0};
        share_pieces(2, 2, [&](int64_t piece, int) { part += piece + 1; });
        sum += part;
    }
    EXPECT_EQ(sum, 3 * 20000);
}

}  // namespace
}  // namespace atrous::kernels::cpu
