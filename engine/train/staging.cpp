#include "engine/train/staging.h"

#include <cstring>

#include "engine/context.h"
#include "engine/simulation.h"

namespace atrous {

// Pinned memory that copies read while the host goes on; a slot is filled again when its copy is done.
struct Staging::Pinned {
    struct Slot {
        std::byte* data = nullptr;
        size_t bytes = 0;
        gpu::Event copied;
        bool busy = false;
    };
    static constexpr size_t count = 3;
    Slot slots[count];
    size_t next = 0;
    gpu::Event drained;  // the compute stream has read the block

    ~Pinned() {
        for (Slot& slot : slots) gpu::release_pinned(slot.data);
    }
    Slot& take(size_t bytes) {
        Slot& slot = slots[next++ % count];
        if (slot.busy) slot.copied.synchronize();
        if (slot.bytes < bytes) {
            gpu::release_pinned(slot.data);
            slot.data = nullptr;
            slot.bytes = 0;
            slot.data = static_cast<std::byte*>(gpu::allocate_pinned(bytes));
            slot.bytes = bytes;
        }
        slot.busy = true;
        return slot;
    }
};

Staging::Staging(Device device) : device_(device) {
    if (device.kind != DeviceKind::gpu) return;
    const gpu::DeviceGuard current = context_of(device).guard();
    pinned_ = std::make_unique<Pinned>();
}

Staging::~Staging() {
    if (!pinned_) return;
    try {
        context_of(device_).copy_stream().synchronize();
        context_of(device_).synchronize();
    } catch (...) {  // the error was, or will be, reported where it can be handled
    }
}

// The block is taken and given back in the order of the compute stream, as the allocator wants it: that stream has
// waited for every copy into a block before it is given back, and the copy stream waits for the compute stream, which may
// still use the memory for something else, before it writes to a new one.
void Staging::make_room(size_t bytes) {
    if (block_.defined() && block_.bytes() >= bytes) return;
    block_ = Tensor();
    const UseScope use(BlockUse::batch);
    block_ = Tensor::empty({int64_t(bytes)}, DType::u8, device_);
    if (auto* simulation = MemorySimulation::current()) simulation->name(block_, BlockUse::batch, "staging");
    if (pinned_) pinned_->drained.record(context_of(device_).stream());
}

static size_t aligned(size_t bytes) { return (bytes + 255) / 256 * 256; }

void Staging::send(const std::vector<Piece>& pieces) {
    if (backend_kind(device_) != DeviceKind::gpu) {
        if (device_.kind == DeviceKind::meta) return;
        for (const Piece& p : pieces) std::memcpy(p.to, p.from, p.bytes);
        return;
    }
    size_t bytes = 0;
    for (const Piece& p : pieces) bytes += aligned(p.bytes);
    if (pinned_)
        send_by_copy_stream(pieces, bytes);
    else
        make_room(bytes);
}

void Staging::send_by_copy_stream(const std::vector<Piece>& pieces, size_t bytes) {
    const Context& context = context_of(device_);
    const gpu::DeviceGuard current = context.guard();
    const gpu::StreamView copies = context.copy_stream(), compute = context.stream();
    make_room(bytes);
    Pinned::Slot& slot = pinned_->take(bytes);
    size_t at = 0;
    for (const Piece& p : pieces) {
        std::memcpy(slot.data + at, p.from, p.bytes);
        at += aligned(p.bytes);
    }
    pinned_->drained.block(copies);
    gpu::copy_async(block_.data(), slot.data, bytes, copies);
    slot.copied.record(copies);
    slot.copied.block(compute);
    at = 0;
    for (const Piece& p : pieces) {
        gpu::copy_async(p.to, block_.as<std::byte>() + at, p.bytes, compute);
        at += aligned(p.bytes);
    }
    pinned_->drained.record(compute);
}

}  // namespace atrous
