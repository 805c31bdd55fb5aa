// Drawn batches for tests of training.
#pragma once

#include "base/philox.h"
#include "engine/host_batch.h"

namespace atrous {

// Random rectangles, brighter than a noisy background: learnable, and nothing in it is symmetric.
class Rectangles : public BatchSource {
 public:
    Rectangles(int64_t samples, int64_t batch, int64_t size, uint64_t seed)
        : samples_(samples), batch_(batch), size_(size), seed_(seed) {}
    int64_t samples() const override { return samples_; }
    int64_t batches_per_epoch() const override { return (samples_ + batch_ - 1) / batch_; }
    void start_epoch(int64_t epoch, int64_t first_batch) override {
        epoch_ = epoch;
        next_ = first_batch * batch_;
    }
    bool next(HostBatch& b) override {
        if (next_ >= samples_) return false;
        b.n = std::min(batch_, samples_ - next_);
        b.h = b.w = size_;
        b.c = 3;
        b.images.assign(size_t(b.n * size_ * size_ * 3), 0);
        b.labels.assign(size_t(b.n * size_ * size_), 0);
        b.names.clear();
        for (int64_t i = 0; i < b.n; ++i, ++next_) draw(b, i, Random(seed_, uint64_t(epoch_), uint64_t(next_)));
        return true;
    }

 private:
    void draw(HostBatch& b, int64_t i, Random random) {
        const int64_t x0 = int64_t(random.below(uint64_t(size_ / 2))), y0 = int64_t(random.below(uint64_t(size_ / 2)));
        const int64_t x1 = x0 + 4 + int64_t(random.below(uint64_t(size_ / 2))),
                      y1 = y0 + 4 + int64_t(random.below(uint64_t(size_ / 2)));
        for (int64_t y = 0; y < size_; ++y)
            for (int64_t x = 0; x < size_; ++x) {
                const bool inside = x >= x0 && x < x1 && y >= y0 && y < y1;
                const size_t at = size_t((i * size_ + y) * size_ + x);
                b.labels[at] = inside;
                for (size_t c = 0; c < 3; ++c)
                    b.images[at * 3 + c] = float(random.uniform() * 0.2 + (inside ? 0.3 + 0.1 * double(c) : 0));
            }
        b.names.push_back("rectangle " + std::to_string(next_));
    }
    int64_t samples_, batch_, size_, epoch_ = 0, next_ = 0;
    uint64_t seed_;
};

}  // namespace atrous
