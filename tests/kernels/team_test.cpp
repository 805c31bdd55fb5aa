// The threads of the cpu's loops: each piece is done once and its number of a thread is its own, whether workers are awake,
// asleep or late, whoever calls, and whatever a piece throws. test_team_races has the same under ThreadSanitizer, which
// knows nothing of OpenMP's threads: those are for team_process_test.cpp.
#include "kernels/cpu/team.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/philox.h"
#include "kernels/cpu/spinner.h"

namespace atrous::kernels::cpu {
namespace {

using namespace std::chrono_literals;

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
        if (random.below(100) == 0) std::this_thread::sleep_for(1ms);
    }
}

// Waits until `count` is `goal`, for as long as even a slow machine needs. False where it never is.
bool comes_to(const std::atomic<int>& count, int goal) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (count < goal && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(100us);
    return count >= goal;
}

// A loop whose pieces wait for each other: it ends well only where `threads` threads take part.
bool all_take_part(int threads) {
    std::atomic<int> here{0}, missed{0};
    share_pieces(threads, threads, [&](int64_t, int) { ++here, missed += !comes_to(here, threads); });
    return missed == 0;
}

int64_t threads_of_this_process() { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); }

TEST(Team, DoesEachPieceOnceFromSeveralThreads) {
    std::atomic<int> mistakes{0};
    std::vector<std::thread> callers;
    for (uint64_t seed : {1, 2, 3}) callers.emplace_back([&mistakes, seed] { run_loops(seed, 1000, mistakes); });
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

// Awake or asleep, as many workers come as a loop wants.
TEST(Team, FollowsTheNumberOfThreads) {
    for (const int threads : {5, 2, 7, 3, 7}) {
        std::this_thread::sleep_for(2ms);
        EXPECT_TRUE(all_take_part(threads)) << threads << " threads";
    }
}

// Workers of a wide loop that still spin must stay out of a narrow one: it has no numbers for them.
TEST(Team, NoMoreComeThanAreWanted) {
    std::atomic<int> now{0}, crowds{0};
    for (int loop = 0; loop < 50; ++loop) {
        std::thread([&] {
            EXPECT_TRUE(all_take_part(6));
            share_pieces(2, 20, [&](int64_t, int thread) {
                crowds += ++now > 2 || thread > 1;
                std::this_thread::sleep_for(20us);
                --now;
            });
        }).join();
    }
    EXPECT_EQ(crowds, 0);
}

// Waiting for a long piece must not take the core that a neighbour could use.
TEST(Team, TheCallingThreadSleepsWhileAPieceLasts) {
    std::atomic<int> here{0};
    std::atomic<bool> done{false};
    int64_t used = 0;
    const auto cpu_time = [] {
        timespec t;
        ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
        return t.tv_sec * 1'000'000'000 + t.tv_nsec;
    };
    share_pieces(2, 2, [&](int64_t, int thread) {
        ++here;
        EXPECT_TRUE(comes_to(here, 2));
        if (thread == 0) return void(used = cpu_time());
        std::this_thread::sleep_for(300ms);
        done = true;
    });
    used = cpu_time() - used;
    EXPECT_TRUE(done);
    EXPECT_LT(used, 15'000'000) << "nanoseconds of spinning in a wait of .3 s";
}

TEST(Team, ThrowsWhatAPieceThrew) {
    for (const int thrower : {0, 1}) {  // the calling thread, a worker
        std::atomic<int> here{0};
        std::string what;
        try {
            share_pieces(2, 1000, [&](int64_t, int thread) {
                ++here;
                EXPECT_TRUE(comes_to(here, 2));
                if (thread == thrower) throw std::runtime_error("thread " + std::to_string(thread));
            });
        } catch (const std::runtime_error& e) {
            what = e.what();
        }
        EXPECT_EQ(what, "thread " + std::to_string(thrower));
        EXPECT_TRUE(all_take_part(3)) << "after an exception";
    }
    // From everywhere at once, and out of a loop within a piece.
    EXPECT_THROW(share_pieces(4, 100, [](int64_t, int) { throw std::runtime_error("each"); }), std::runtime_error);
    const auto throwing = [](int64_t piece, int) {
        if (piece == 3) throw std::runtime_error("inner");
    };
    EXPECT_THROW(share_pieces(3, 5, [&](int64_t, int) { share_pieces(3, 5, throwing); }), std::runtime_error);
    EXPECT_TRUE(all_take_part(4));
}

TEST(Team, WorkersEndWithTheirThread) {
    const int64_t before = threads_of_this_process();
    for (int i = 0; i < 20; ++i) {
        std::thread caller([i] {
            EXPECT_TRUE(all_take_part(4));
            if (i % 2) std::this_thread::sleep_for(1ms);  // the workers sleep
        });
        caller.join();
    }
    std::atomic<int> settled{0};  // a joined thread may be listed a moment longer
    for (int i = 0; i < 1000 && !settled; ++i) {
        settled = threads_of_this_process() <= before;
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_TRUE(settled) << threads_of_this_process() << " threads, " << before << " before";
}

// Stacks that no address space has room for stand in for a limit on threads.
TEST(Team, GoesOnWithTheThreadsThereAre) {
    std::atomic<int> done{0};
    std::thread caller([&] {
        EXPECT_TRUE(all_take_part(2));
        pthread_attr_t usual, huge;
        ASSERT_EQ(::pthread_getattr_default_np(&usual), 0);
        ASSERT_EQ(::pthread_getattr_default_np(&huge), 0);
        ASSERT_EQ(::pthread_attr_setstacksize(&huge, size_t(1) << 50), 0);
        ASSERT_EQ(::pthread_setattr_default_np(&huge), 0);
        bool refused = false;
        try {
            std::thread([] {}).join();
        } catch (const std::system_error&) {
            refused = true;
        }
        EXPECT_TRUE(refused) << "the test's own means fail";
        EXPECT_NO_THROW(share_pieces(6, 40, [&](int64_t, int) { ++done; }));
        ::pthread_setattr_default_np(&usual);
        EXPECT_TRUE(all_take_part(2));
    });
    caller.join();
    EXPECT_EQ(done, 40);
}

TEST(Spinner, IsHeldBackByOpenMPsPolicy) {
    EXPECT_GT(spin_nanoseconds(nullptr), 0);
    EXPECT_GT(spin_nanoseconds("active"), 0);
    EXPECT_EQ(spin_nanoseconds("passive"), 0);
    EXPECT_EQ(spin_nanoseconds("PASSIVE"), 0);
}

// How often a wait that does not end is looked at: once is no spinning.
int64_t looks(Spinner& spinner) {
    int64_t count = 0;
    EXPECT_FALSE(spinner.spin([&] { return ++count, false; }));
    return count;
}

TEST(Spinner, SpinsWhereThatWasEnoughOfLate) {
    Spinner none(0), some(1'000'000);
    EXPECT_EQ(looks(none), 1);
    EXPECT_GT(looks(some), 1);
    for (int i = 0; i < 5; ++i) looks(some), some.learn(nanoseconds() + 2'000'000);
    EXPECT_EQ(looks(some), 1) << "after long waits";
    for (int i = 0; i < 5; ++i) looks(some), some.learn(nanoseconds() - 1'000'000);
    EXPECT_GT(looks(some), 1) << "after short waits";
}

}  // namespace
}  // namespace atrous::kernels::cpu
