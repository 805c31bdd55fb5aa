// Stacks and the switch between them.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace atrous::gpu::emu {

struct Context {
    void* sp = nullptr;
    char* stack = nullptr;
    size_t size = 0;
    void* asan = nullptr;  // address sanitizer's own record of the stack
};

void fiber_main();  // what a fresh context runs; in scheduler.cpp

void use_own_stack(Context& main);  // describes the stack the caller stands on
void switch_context(Context* from, Context* to);
void entered_context();  // first thing on a fresh context

// Contexts are reused from block to block.
class FiberPool {
 public:
    FiberPool() = default;
    ~FiberPool();
    FiberPool(const FiberPool&) = delete;
    FiberPool& operator=(const FiberPool&) = delete;
    Context* take();
    void put(Context* c) { free_.push_back(c); }
    void reset();  // after fibers were left in the middle of their work
    bool holds(const void* p) const;

 private:
    std::vector<std::unique_ptr<Context>> all_;
    std::vector<Context*> free_;
};

}  // namespace atrous::gpu::emu
