// The threads of the cpu's loops and what else a process does: bound cores, forks, threads that the system holds back.
#include <gtest/gtest.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "kernels/cpu/team.h"

namespace atrous::kernels::cpu {
namespace {

using namespace std::chrono_literals;

bool wait_for(const std::atomic<int>& flag, int value) {
    for (int i = 0; i < 200'000 && flag < value; ++i) ::usleep(100);
    return flag >= value;
}

// f on a worker and on the calling thread at once.
template <class F>
void on_both(F f) {
    std::atomic<int> here{0};
    share_pieces(2, 2, [&](int64_t, int thread) {
        ++here;
        EXPECT_TRUE(wait_for(here, 2)) << "no worker came";
        f(thread);
    });
}

// ctest runs this with OMP_PROC_BIND too: a worker held to the calling thread's core would halve the speed on two.
TEST(TeamProcess, WorkersMayRunOnEveryCore) {
    int cores = 0;
    std::thread([&] {
        on_both([&](int thread) {
            cpu_set_t set;
            ASSERT_EQ(::sched_getaffinity(0, sizeof set, &set), 0);
            if (thread == 1) cores = CPU_COUNT(&set);
        });
    }).join();
    EXPECT_EQ(cores, omp_get_num_procs());
}

// Threads are not inherited: loops of a child would have nobody but the caller, and its end would wait for nobody's.
TEST(TeamProcess, AChildMakesWorkersOfItsOwn) {
    on_both([](int) {});
    for (const bool loops : {true, false}) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::alarm(60);
            std::atomic<int> here{0}, missed{0};
            if (loops) share_pieces(3, 3, [&](int64_t, int) { ++here, missed += !wait_for(here, 3); });
            std::atexit([] { ::_exit(0); });  // before a check for leaks, which knows nothing of forks
            if (missed == 0) std::exit(0);    // with the destructors, which join the threads
            ::_exit(1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
    }
    on_both([](int) {});
}

std::atomic<int> held{0}, released{0};

void run_loops_beside_a_held_worker() {
    pthread_t worker{};
    on_both([&](int thread) {
        if (thread == 1) worker = ::pthread_self();
    });
    ASSERT_EQ(::pthread_kill(worker, SIGUSR1), 0);
    ASSERT_TRUE(wait_for(held, 1));
    std::atomic<int> done{0};
    std::thread rescue([&] {  // so that a loop that waits fails and does not hang
        wait_for(done, 1);
        released = 1;
    });
    int64_t sum = 0;
    for (int loop = 0; loop < 2000; ++loop) {
        std::atomic<int64_t> part{0};
        share_pieces(2, 2, [&](int64_t piece, int thread) { part += thread == 0 ? piece + 1 : 0; });
        sum += part;
    }
    EXPECT_FALSE(released) << "the loops waited for the worker";
    done = 1;
    rescue.join();
    EXPECT_EQ(sum, 3 * 2000);
    on_both([](int) {});
}

// A worker that another program keeps from its core, here one stuck in a signal handler, must neither be waited for nor
// find another loop's pieces when it comes.
TEST(TeamProcess, WaitsForNobodyWhoHoldsNoPiece) {
    held = 0, released = 0;
    struct sigaction hold {
    }, before{};
    hold.sa_handler = [](int) {
        held = 1;
        while (!released) ::usleep(100);
    };
    ASSERT_EQ(::sigaction(SIGUSR1, &hold, &before), 0);
    std::thread(run_loops_beside_a_held_worker).join();  // a thread of its own has one worker
    ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace atrous::kernels::cpu
