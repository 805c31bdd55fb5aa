// How the inputs of a training step reach its device. On a GPU: pinned host memory, a block on the device (copy stream),
// the step's tensors (compute stream). So the next step's inputs cross the bus while a step computes:
//
//   copy stream      | inputs 1 |   | inputs 2 |    | inputs 3 |
//   compute stream               ^|1|  step 1      ^|2|  step 2      ^|3|      |1| the block into the step's tensors
//
// A copy from the host waits until the block before it was read, and reading waits until it has arrived; both by events
// on the device, and the host for neither. The block and the tensors are the two buffers: a second block would gain
// nothing but the time of a copy within the device.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/tensor.h"

namespace atrous {

class Staging {
 public:
    explicit Staging(Device device);
    ~Staging();  // waits for what is under way
    Staging(const Staging&) = delete;
    Staging& operator=(const Staging&) = delete;

    struct Piece {
        void* to;  // on the device
        const void* from;
        size_t bytes;
    };
    // What `from` points to may change when this returns. Takes memory of the device where the pieces are more than ever
    // before; on meta, under a simulation, as on the target, and copies nothing.
    void send(const std::vector<Piece>& pieces);

 private:
    struct Pinned;
    void make_room(size_t bytes);
    void send_by_copy_stream(const std::vector<Piece>& pieces, size_t bytes);

    Device device_;
    Tensor block_;
    std::unique_ptr<Pinned> pinned_;  // of a GPU
};

}  // namespace atrous
