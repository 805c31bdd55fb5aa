// Scratch memory that shows what a kernel does to it.
#pragma once

#include <cstdlib>
#include <cstring>
#include <vector>

#include "kernels/queue.h"

namespace atrous::kernels {

// Blocks full of NaN, so that a kernel which reads what it has not written is seen, with guards behind them.
class PoisonedScratch : public Scratch {
 public:
    void* take(size_t bytes) override {
        const size_t rounded = (bytes + guard + 255) / 256 * 256;
        blocks_.push_back({static_cast<unsigned char*>(std::aligned_alloc(256, rounded)), bytes, rounded});
        std::memset(blocks_.back().data, 0xff, rounded);
        return blocks_.back().data;
    }
    bool guards_intact() const {
        for (const Block& block : blocks_)
            for (size_t i = block.bytes; i < block.rounded; ++i)
                if (block.data[i] != 0xff) return false;
        return true;
    }
    ~PoisonedScratch() override {
        for (const Block& block : blocks_) std::free(block.data);
    }

 private:
    static constexpr size_t guard = 1024;
    struct Block {
        unsigned char* data;
        size_t bytes, rounded;
    };
    std::vector<Block> blocks_;
};

}  // namespace atrous::kernels
