// What the processes of one training tell each other. Each has a rank, from 0. All make the same calls in the same
// order; a call returns when this rank's part of it is done or, on a stream, has its place there.
//
// A rank that throws or ends makes the calls in which others wait for it throw Error, one line that says which and why.
// So does a call that another rank answers by a different one.
#pragma once

#include <cstdint>
#include <span>

#include "base/dtype.h"
#include "kernels/gpu/runtime.h"

namespace atrous {

class Communicator {
 public:
    virtual ~Communicator() = default;
    virtual int rank() const = 0;
    virtual int size() const = 0;

    // `count` elements of every rank become their sum over the ranks, added in the order of ranks, so that all of them
    // hold the same bits whenever they come. f32, f64 or i64. In the order of `stream`, whose device is current; an
    // empty view: in host memory.
    virtual void all_reduce(void* data, int64_t count, DType dtype, gpu::StreamView stream) = 0;
    // Every rank's bytes become those of rank `from`. The stream as above.
    virtual void broadcast(void* data, size_t bytes, int from, gpu::StreamView stream) = 0;
    virtual void barrier() = 0;  // of the hosts: returns when every rank has called it

    void all_reduce(std::span<double> values) { all_reduce(values.data(), int64_t(values.size()), DType::f64, {}); }
};

// One rank: its sums are what they are, and nothing is done.
class SelfCommunicator : public Communicator {
 public:
    int rank() const override { return 0; }
    int size() const override { return 1; }
    void all_reduce(void*, int64_t, DType, gpu::StreamView) override {}
    void broadcast(void*, size_t, int, gpu::StreamView) override {}
    void barrier() override {}
};

}  // namespace atrous
