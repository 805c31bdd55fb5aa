#include "kernels/gpu/emu/fiber.h"

#include <pthread.h>
#include <sys/mman.h>

#include <new>
#if !defined(__x86_64__)
#include <ucontext.h>
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace atrous::gpu::emu {

#ifdef __SANITIZE_ADDRESS__
constexpr size_t stack_bytes = 512 << 10;
#else
constexpr size_t stack_bytes = 256 << 10;  // reserved; pages are committed as they are touched
#endif
constexpr size_t guard_bytes = 4096;

#if defined(__x86_64__)
// Saves the callee-saved registers on one stack and takes them from another: a few nanoseconds, where swapcontext
// makes a system call.
extern "C" void atrous_emu_switch(void** save, void* load);
__asm__(R"(
.text
.p2align 4
.globl atrous_emu_switch
.type atrous_emu_switch,@function
atrous_emu_switch:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
.size atrous_emu_switch,.-atrous_emu_switch
)");

static void prepare(Context* c) {
    auto* top = reinterpret_cast<void**>(c->stack + c->size);
    *--top = nullptr;  // in the place of a return address: fiber_main never returns, and rsp is 8 mod 16 at its entry
    *--top = reinterpret_cast<void*>(&fiber_main);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    c->sp = top;
}
static void raw_switch(Context* from, Context* to) { atrous_emu_switch(&from->sp, to->sp); }
static void forget(Context*) {}
#else
static void prepare(Context* c) {
    if (!c->sp) c->sp = new ucontext_t;
    auto* u = static_cast<ucontext_t*>(c->sp);
    getcontext(u);
    u->uc_stack.ss_sp = c->stack;
    u->uc_stack.ss_size = c->size;
    u->uc_link = nullptr;
    makecontext(u, fiber_main, 0);
}
static void raw_switch(Context* from, Context* to) {
    if (!from->sp) from->sp = new ucontext_t;
    swapcontext(static_cast<ucontext_t*>(from->sp), static_cast<ucontext_t*>(to->sp));
}
static void forget(Context* c) { delete static_cast<ucontext_t*>(c->sp); }
#endif

void switch_context(Context* from, Context* to) {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(&from->asan, to->stack, to->size);
    raw_switch(from, to);
    __sanitizer_finish_switch_fiber(from->asan, nullptr, nullptr);
#else
    raw_switch(from, to);
#endif
}

void entered_context() {
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr);
#endif
}

void use_own_stack(Context& main) {
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes)) return;
    void* low = nullptr;
    pthread_attr_getstack(&attributes, &low, &main.size);
    main.stack = static_cast<char*>(low);
    pthread_attr_destroy(&attributes);
}

Context* FiberPool::take() {
    if (!free_.empty()) {
        Context* c = free_.back();
        free_.pop_back();
        return c;
    }
    auto c = std::make_unique<Context>();
    void* p = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) throw std::bad_alloc();
    mprotect(p, guard_bytes, PROT_NONE);
    c->stack = static_cast<char*>(p);
    c->size = stack_bytes;
    prepare(c.get());
    all_.push_back(std::move(c));
    return all_.back().get();
}

void FiberPool::reset() {
    free_.clear();
    for (auto& c : all_) {
#ifdef __SANITIZE_ADDRESS__
        __asan_unpoison_memory_region(c->stack + guard_bytes, c->size - guard_bytes);
#endif
        prepare(c.get());
        free_.push_back(c.get());
    }
}

bool FiberPool::holds(const void* p) const {
    for (const auto& c : all_)
        if (size_t(static_cast<const char*>(p) - c->stack) < c->size) return true;
    return false;
}

FiberPool::~FiberPool() {
    for (auto& c : all_) {
        forget(c.get());
        munmap(c->stack, c->size);
    }
}

}  // namespace atrous::gpu::emu
