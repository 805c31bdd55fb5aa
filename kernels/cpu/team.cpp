#include "kernels/cpu/team.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

namespace atrous::kernels::cpu {

namespace {

using Word = std::atomic<uint32_t>;
static_assert(sizeof(Word) == sizeof(uint32_t));

void sleep_while(Word& word, uint32_t value) {
    ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}
void wake_all(Word& word) { ::syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr, nullptr, 0); }

int64_t nanoseconds() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Whether waiting by spinning pays: whether of the last waits most would have ended within the time of a spin.
class Spinner {
 public:
    // Until done() or for the time of a spin. True where it was done.
    template <class Done>
    bool spin(Done done) {
        began_ = nanoseconds();
        if (score_ < 0) return done();
        do {
            for (int i = 0; i < 32; ++i) {
                if (done()) return true;
                relax();
            }
        } while (nanoseconds() - began_ < longest);
        return done();
    }
    void learn(int64_t ended) { score_ = std::clamp(score_ + (ended - began_ < longest ? 1 : -1), -4, 4); }

 private:
    static constexpr int64_t longest = 40'000;
    int64_t began_ = 0;
    int score_ = 4;
};

constexpr uint32_t closed = 1u << 31, owner_sleeps = 1u << 30, count_mask = owner_sleeps - 1;

thread_local bool within_piece = false;

}  // namespace

struct Team::Shared {
    // The loop. Written while `gate` is closed and nobody is inside.
    Piece f = nullptr;
    void* context = nullptr;
    int64_t pieces = 0;
    uint32_t threads = 0;
    std::atomic<int64_t> next{0}, opened{0}, left{0};  // the next piece; when the gate was opened, and last left
    std::atomic<uint32_t> numbers{0};

    alignas(64) Word gate{closed};  // how many workers are inside, and the two bits above
    alignas(64) Word loops{0};      // grows with every loop; workers wait for it to
    std::atomic<uint32_t> sleepers{0};
    std::atomic<bool> ended{false};

    void take_pieces(int thread) {
        within_piece = true;
        for (int64_t piece = next.fetch_add(1, std::memory_order_relaxed); piece < pieces;
             piece = next.fetch_add(1, std::memory_order_relaxed))
            f(context, piece, thread);
        within_piece = false;
    }
    bool enter() {
        uint32_t seen = gate.load();
        while (!(seen & closed))
            if (gate.compare_exchange_weak(seen, seen + 1)) return true;
        return false;
    }
    void leave() {
        left.store(nanoseconds(), std::memory_order_relaxed);
        const uint32_t now = gate.fetch_sub(1) - 1;
        if ((now & owner_sleeps) && (now & count_mask) == 0) wake_all(gate);
    }
    Spinner owner;
    void wait_until_empty() {
        if ((gate.fetch_or(closed) & count_mask) == 0) return;
        const auto empty = [&] { return (gate.load(std::memory_order_acquire) & count_mask) == 0; };
        if (!owner.spin(empty)) {
            gate.fetch_or(owner_sleeps);
            for (uint32_t seen = gate.load(); (seen & count_mask) != 0; seen = gate.load()) sleep_while(gate, seen);
            gate.fetch_and(~owner_sleeps);
        }
        owner.learn(left.load(std::memory_order_relaxed));
    }
};

Team::Team() : shared_(std::make_shared<Shared>()) {}

Team::~Team() {  // workers own what they use, and go by themselves
    shared_->ended = true;
    ++shared_->loops;
    wake_all(shared_->loops);
}

Team& Team::of_this_thread() {
    thread_local Team team;
    return team;
}

void Team::work(std::shared_ptr<Shared> shared) {
    Shared& s = *shared;
    Spinner spinner;
    for (uint32_t seen = 0; !s.ended;) {
        const auto changed = [&] { return s.loops.load() != seen; };
        if (!spinner.spin(changed)) {
            ++s.sleepers;
            while (!changed()) sleep_while(s.loops, seen);
            --s.sleepers;
        }
        seen = s.loops.load();
        spinner.learn(s.opened.load(std::memory_order_relaxed));
        if (!s.enter()) continue;
        if (const uint32_t number = 1 + s.numbers++; number < s.threads) s.take_pieces(int(number));
        s.leave();
    }
}

void Team::run(int threads, int64_t pieces, Piece f, void* context) {
    if (within_piece) {
        for (int64_t piece = 0; piece < pieces; ++piece) f(context, piece, 0);
        return;
    }
    for (; workers_ < threads - 1; ++workers_) std::thread(work, shared_).detach();
    Shared& s = *shared_;
    s.f = f, s.context = context, s.pieces = pieces, s.threads = uint32_t(threads);
    s.next.store(0, std::memory_order_relaxed);
    s.numbers.store(0, std::memory_order_relaxed);
    s.opened.store(nanoseconds(), std::memory_order_relaxed);
    s.gate.store(0);
    ++s.loops;
    if (s.sleepers.load() > 0) wake_all(s.loops);
    s.take_pieces(0);
    s.wait_until_empty();
}

}  // namespace atrous::kernels::cpu
