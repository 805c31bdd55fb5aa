// Waiting by spinning, where that pays.
#pragma once

#include <strings.h>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace atrous::kernels::cpu {

inline int64_t nanoseconds() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

// How long a thread spins at most, by OpenMP's OMP_WAIT_POLICY (null: not set): not at all where that says passive.
inline int64_t spin_nanoseconds(const char* wait_policy) {
    return wait_policy && ::strcasecmp(wait_policy, "passive") == 0 ? 0 : 40'000;
}

// Spins where most of the last waits would have ended within the time of a spin.
class Spinner {
 public:
    explicit Spinner(int64_t longest) : longest_(longest) {}
    // Until done() or for the time of a spin. True where it was done.
    template <class Done>
    bool spin(Done done) {
        began_ = nanoseconds();
        if (score_ < 0 || longest_ == 0) return done();
        do {
            for (int i = 0; i < 32; ++i) {
                if (done()) return true;
                relax();
            }
        } while (nanoseconds() - began_ < longest_);
        return done();
    }
    // When the wait that began with the last spin() was over.
    void learn(int64_t ended) { score_ = std::clamp(score_ + (ended - began_ < longest_ ? 1 : -1), -4, 4); }

 private:
    static void relax() {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }
    int64_t longest_, began_ = 0;
    int score_ = 4;
};

}  // namespace atrous::kernels::cpu
