#include "kernels/cpu/team.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cpu/spinner.h"

#ifdef _OPENMP
#include <omp.h>
#endif

namespace atrous::kernels::cpu {

namespace {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == sizeof(uint32_t));

void sleep_while(Word& word, uint32_t value) {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake(Word& word, int threads) { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0); }

int64_t longest_spin() {
    static const int64_t longest = spin_nanoseconds(std::getenv("OMP_WAIT_POLICY"));
    return longest;
}

// OMP_PROC_BIND holds the initial thread to one of OpenMP's places as the program is loaded, and what it makes inherits
// that: a worker leaves it for all the places.
void use_all_places() {
#ifdef _OPENMP
    if (omp_get_proc_bind() == omp_proc_bind_false) return;
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int place = 0; place < omp_get_num_places(); ++place) {
        std::vector<int> cores(size_t(omp_get_place_num_procs(place)));
        omp_get_place_proc_ids(place, cores.data());
        for (const int core : cores) CPU_SET(size_t(core), &all);  // passes over what the set has no room for
    }
    if (CPU_COUNT(&all) > 0) ::sched_setaffinity(0, sizeof all, &all);
#endif
}

std::atomic<uint32_t> forks{0};  // that this process comes of
uint32_t count_forks() {
    static const int counted = ::pthread_atfork(nullptr, nullptr, [] { ++forks; });
    return counted == 0 ? forks.load(std::memory_order_relaxed) : 0;
}

// The gate: how many workers are inside, how many more may enter, and two flags.
constexpr uint32_t closed = 1u << 31, owner_sleeps = 1u << 30;
constexpr uint32_t inside_mask = (1u << 15) - 1, one_room = 1u << 15, room_mask = inside_mask * one_room;

thread_local bool within_piece = false;

}  // namespace

struct Team::Shared {
    // The owner's.
    std::vector<std::thread> workers;
    bool refused = false;  // the system gave no more threads
    Spinner owner{longest_spin()};
    Shared* abandoned_before = nullptr;

    // The loop. Written while the gate is closed and nobody is inside; `error` by the thread that sets `failed`.
    Piece f = nullptr;
    void* context = nullptr;
    int64_t pieces = 0;
    uint32_t threads = 0;
    std::exception_ptr error;
    std::atomic<bool> failed{false};
    std::atomic<int64_t> opened{0}, left{0};  // when the gate was opened, and when a worker last left

    alignas(64) std::atomic<int64_t> next{0};
    alignas(64) Word gate{closed};
    alignas(64) Word loops{0};  // grows with every loop; workers wait for it to
    std::atomic<uint32_t> sleepers{0};
    std::atomic<bool> ended{false};

    void make_workers(int count);
    void work();
    void end_workers();
    int enter();
    void leave();
    void take_pieces(int thread) noexcept;
    void wait_until_empty();
};

void Team::Shared::make_workers(int count) {
    try {
        while (!refused && int(workers.size()) < count) workers.emplace_back([this] { work(); });
    } catch (const std::exception&) {
        refused = true;  // asking again in every loop would cost more than it can bring
    }
}

void Team::Shared::work() {
    use_all_places();
    Spinner spinner(longest_spin());
    for (uint32_t seen = 0; !ended;) {
        const auto changed = [&] { return loops.load() != seen; };
        if (!spinner.spin(changed)) {
            ++sleepers;
            while (!changed()) sleep_while(loops, seen);
            --sleepers;
        }
        seen = loops.load();
        spinner.learn(opened.load(std::memory_order_relaxed));
        if (const int thread = enter()) {
            take_pieces(thread);
            leave();
        }
    }
}

void Team::Shared::end_workers() {
    ended = true;
    ++loops;
    wake(loops, INT32_MAX);
    for (std::thread& worker : workers) worker.join();
}

// The thread's number, or 0 where the loop has ended or has threads enough.
int Team::Shared::enter() {
    for (uint32_t seen = gate.load(); !(seen & closed) && (seen & room_mask);)
        if (gate.compare_exchange_weak(seen, seen + 1 - one_room)) return int(threads - (seen & room_mask) / one_room);
    return 0;
}

void Team::Shared::leave() {
    left.store(nanoseconds(), std::memory_order_relaxed);
    const uint32_t now = gate.fetch_sub(1) - 1;
    if ((now & owner_sleeps) && (now & inside_mask) == 0) wake(gate, 1);
}

void Team::Shared::take_pieces(int thread) noexcept {
    within_piece = true;
    try {
        for (int64_t piece = next.fetch_add(1, std::memory_order_relaxed); piece < pieces;
             piece = next.fetch_add(1, std::memory_order_relaxed))
            f(context, piece, thread);
    } catch (...) {
        if (!failed.exchange(true)) error = std::current_exception();
        next.store(pieces, std::memory_order_relaxed);
    }
    within_piece = false;
}

void Team::Shared::wait_until_empty() {
    if ((gate.fetch_or(closed) & inside_mask) == 0) return;
    const auto empty = [&] { return (gate.load(std::memory_order_acquire) & inside_mask) == 0; };
    if (!owner.spin(empty)) {
        gate.fetch_or(owner_sleeps);
        for (uint32_t seen = gate.load(); (seen & inside_mask) != 0; seen = gate.load()) sleep_while(gate, seen);
        gate.fetch_and(~owner_sleeps);
    }
    owner.learn(left.load(std::memory_order_relaxed));
}

Team::Team() : shared_(std::make_unique<Shared>()), forks_(count_forks()) {}

Team::~Team() {
    if (forked())
        abandon_workers();
    else
        shared_->end_workers();
}

bool Team::forked() const { return forks_ != forks.load(std::memory_order_relaxed); }

// A child has none of its parent's threads, so that nobody ends or frees what they used.
void Team::abandon_workers() {
    static std::atomic<Shared*> abandoned{nullptr};  // keeps them from being taken for leaks
    Shared* shared = shared_.release();
    shared->abandoned_before = abandoned.exchange(shared);
}

void Team::run(int threads, int64_t pieces, Piece f, void* context) {
    if (!within_piece) {
        thread_local Team team;
        return team.run_loop(threads, pieces, f, context);
    }
    for (int64_t piece = 0; piece < pieces; ++piece) f(context, piece, 0);
}

void Team::run_loop(int threads, int64_t pieces, Piece f, void* context) {
    if (forked()) {
        abandon_workers();
        shared_ = std::make_unique<Shared>();
        forks_ = count_forks();
    }
    Shared& s = *shared_;
    const int others = int(std::clamp<int64_t>(std::min<int64_t>(threads, pieces) - 1, 0, inside_mask));
    s.make_workers(others);
    s.f = f, s.context = context, s.pieces = pieces, s.threads = uint32_t(others) + 1;
    s.next.store(0, std::memory_order_relaxed);
    s.opened.store(nanoseconds(), std::memory_order_relaxed);
    s.gate.store(uint32_t(others) * one_room);
    ++s.loops;
    if (s.sleepers.load() > 0) wake(s.loops, others);
    s.take_pieces(0);
    s.wait_until_empty();
    if (s.failed.exchange(false)) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace atrous::kernels::cpu
