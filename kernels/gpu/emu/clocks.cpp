#include <algorithm>

#include "kernels/gpu/emu/clocks.h"

namespace atrous::gpu::emu {

static void raise(std::vector<uint32_t>& to, const std::vector<uint32_t>& from) {
    if (to.size() < from.size()) to.resize(from.size());
    for (size_t i = 0; i < from.size(); ++i) to[i] = std::max(to[i], from[i]);
}

void Knowledge::add(const Knowledge& other) {
    raise(clocks, other.clocks);
    acquired = acquired || other.acquired;
}

void Clocks::start_block(unsigned threads) {
    threads_.assign(threads, {});
    base_.assign(threads, 0);
    proxy_fenced_.clear();
    fences_ = base_fenced_ = acquired_by_all_ = false;
}

uint32_t Clocks::learnt(unsigned reader, unsigned of) const {
    const PerThread& r = threads_[reader];
    if (reader == of) return r.now;
    const uint32_t known = r.received.empty() ? base_[of] : std::max(base_[of], r.received[of]);
    return reader / 32 != of / 32 ? known : std::max(known, r.warp[of % 32]);
}

void Clocks::block_barrier() {
    if (base_fenced_)  // what every thread knew is fenced; what it learns now is not
        for (size_t i = 0; i < base_.size(); ++i) fenced_[i] = std::max(fenced_[i], base_[i]);
    base_fenced_ = false;
    for (size_t i = 0; i < base_.size(); ++i) {
        base_[i] = threads_[i].now++;
        threads_[i].received.clear();
        acquired_by_all_ = acquired_by_all_ || threads_[i].acquired;
    }
}

void Clocks::warp_barrier(unsigned warp, uint32_t mask) {
    std::array<uint32_t, 32> sum{};
    std::vector<uint32_t> received;
    bool acquired = false;
    auto each = [&](auto f) {
        for (unsigned i = 0; i < 32; ++i)
            if (mask >> i & 1) f(i, threads_[warp * 32 + i]);
    };
    each([&](unsigned i, PerThread& t) {
        for (unsigned j = 0; j < 32; ++j) sum[j] = std::max(sum[j], t.warp[j]);
        sum[i] = std::max(sum[i], t.now);
        raise(received, t.received);
        acquired = acquired || t.acquired;
    });
    each([&](unsigned, PerThread& t) {
        t.warp = sum;
        t.received = received;
        t.acquired = acquired;
        ++t.now;
    });
}

void Clocks::fence(unsigned thread) {
    if (!fences_) fenced_.assign(threads_.size(), 0);
    fences_ = base_fenced_ = true;
    const bool all = !threads_[thread].received.empty();
    const unsigned count = unsigned(threads_.size()), first = all ? 0 : thread / 32 * 32;
    for (unsigned i = first; i < (all ? count : std::min(first + 32, count)); ++i)
        fenced_[i] = std::max(fenced_[i], learnt(thread, i));
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

void Clocks::release(unsigned thread, Knowledge& into) {
    into.clocks.resize(threads_.size());
    for (unsigned i = 0; i < into.clocks.size(); ++i) into.clocks[i] = std::max(into.clocks[i], learnt(thread, i));
    into.acquired = into.acquired || acquired(thread);
    ++threads_[thread].now;
}

void Clocks::acquire(unsigned thread, const Knowledge& from) {
    raise(threads_[thread].received, from.clocks);
    threads_[thread].acquired = threads_[thread].acquired || from.acquired;
}

void Clocks::hand_over(unsigned thread, uint32_t until, Knowledge& into) const {
    into.clocks.resize(threads_.size());
    into.clocks[thread] = std::max(into.clocks[thread], until);
}

void Clocks::proxy_fence(unsigned thread) {
    proxy_fenced_.resize(threads_.size());
    for (unsigned i = 0; i < proxy_fenced_.size(); ++i)
        proxy_fenced_[i] = std::max(proxy_fenced_[i], learnt(thread, i));
    ++threads_[thread].now;
}

}  // namespace atrous::gpu::emu
