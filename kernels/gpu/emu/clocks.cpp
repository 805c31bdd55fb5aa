#include <algorithm>

#include "kernels/gpu/emu/internal.h"

namespace atrous::gpu::emu {

void Clocks::start_block(unsigned threads) {
    threads_.assign(threads, {});
    base_.assign(threads, 0);
    fences_ = base_fenced_ = acquired_by_all_ = false;
}

uint32_t Clocks::learnt(unsigned reader, unsigned of) const {
    if (reader == of) return threads_[of].now;
    if (reader / 32 != of / 32) return base_[of];
    return std::max(base_[of], threads_[reader].warp[of % 32]);
}

void Clocks::block_barrier() {
    if (base_fenced_)  // what every thread knew is fenced; what it learns now is not
        for (size_t i = 0; i < base_.size(); ++i) fenced_[i] = std::max(fenced_[i], base_[i]);
    base_fenced_ = false;
    for (size_t i = 0; i < base_.size(); ++i) {
        base_[i] = threads_[i].now++;
        acquired_by_all_ = acquired_by_all_ || threads_[i].acquired;
    }
}

void Clocks::warp_barrier(unsigned warp, uint32_t mask) {
    std::array<uint32_t, 32> sum{};
    bool acquired = false;
    auto each = [&](auto f) {
        for (unsigned i = 0; i < 32; ++i)
            if (mask >> i & 1) f(i, threads_[warp * 32 + i]);
    };
    each([&](unsigned i, PerThread& t) {
        for (unsigned j = 0; j < 32; ++j) sum[j] = std::max(sum[j], t.warp[j]);
        sum[i] = std::max(sum[i], t.now);
        acquired = acquired || t.acquired;
    });
    each([&](unsigned, PerThread& t) {
        t.warp = sum;
        t.acquired = acquired;
        ++t.now;
    });
}

void Clocks::fence(unsigned thread) {
    if (!fences_) fenced_.assign(threads_.size(), 0);
    fences_ = base_fenced_ = true;
    const unsigned first = thread / 32 * 32, end = std::min<unsigned>(first + 32, unsigned(threads_.size()));
    for (unsigned i = first; i < end; ++i) fenced_[i] = std::max(fenced_[i], learnt(thread, i));
    ++threads_[thread].now;
}

void Clocks::atomic(unsigned thread, std::vector<uint32_t>& published) {
    if (fences_) {
        published.resize(threads_.size());
        for (unsigned i = 0; i < published.size(); ++i) {
            const uint32_t visible = base_fenced_ ? std::max(fenced_[i], base_[i]) : fenced_[i];
            published[i] = std::max(published[i], std::min(visible, learnt(thread, i)));
        }
    }
    threads_[thread].acquired = true;
}

}  // namespace atrous::gpu::emu
