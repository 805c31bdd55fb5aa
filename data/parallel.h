// A loop over independent items on several threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace atrous::data {

// 0 means one thread a core.
inline int thread_count(int asked) {
    return asked > 0 ? asked : int(std::max(1u, std::thread::hardware_concurrency()));
}

// Calls f(i) for i in [0, n), each once, in no fixed order. The first exception ends the loop and is rethrown.
template <class F>
void parallel_for(int64_t n, int threads, F f) {
    std::atomic<int64_t> next{0};
    std::exception_ptr error;
    std::mutex mutex;
    const auto work = [&] {
        for (int64_t i; (i = next++) < n;) try {
                f(i);
            } catch (...) {
                const std::lock_guard lock(mutex);
                if (!error) error = std::current_exception();
                next = n;
            }
    };
    std::vector<std::jthread> others;
    for (int64_t t = 1; t < std::min<int64_t>(thread_count(threads), n); ++t) others.emplace_back(work);
    work();
    others.clear();  // joins
    if (error) std::rethrow_exception(error);
}

}  // namespace atrous::data
