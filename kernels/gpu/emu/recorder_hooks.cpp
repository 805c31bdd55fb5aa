// What instrumented device code calls in a program that records: -fsanitize=thread announces loads and stores. (The races
// build has hooks of its own, hooks.cpp.) Nothing refers to these functions in an ordinary program, which is linked
// without them.
#ifndef ATROUS_CHECK_RACES
#include "kernels/gpu/emu/recorder.h"

extern "C" char __executable_start[];

using namespace atrous::gpu::emu;

static inline void hook(const void* p, size_t n, unsigned access, const void* pc) {
    if (!recorder || !W || !W->in_device) return;
    const Context& c = *W->current->context;
    if (uintptr_t(p) - uintptr_t(c.stack) < c.size) return;  // a thread's own variables
    static thread_local bool inside = false;  // functions of the standard library may be a device file's copies
    if (inside) return;
    inside = true;
    recorder->access(uintptr_t(p), n, access, uint32_t(uintptr_t(pc) - uintptr_t(__executable_start)));
    inside = false;
}

#define PC __builtin_return_address(0)
#define HOOKS(n)                                                             \
    void __tsan_read##n(const void* p) { hook(p, n, Read, PC); }             \
    void __tsan_write##n(const void* p) { hook(p, n, Write, PC); }           \
    void __tsan_unaligned_read##n(const void* p) { hook(p, n, Read, PC); }   \
    void __tsan_unaligned_write##n(const void* p) { hook(p, n, Write, PC); } \
    void __tsan_volatile_read##n(const void* p) { hook(p, n, Read, PC); }    \
    void __tsan_volatile_write##n(const void* p) { hook(p, n, Write, PC); }
// Host code in device files may use std::atomic; device code uses atomic_update, which announces itself.
#define ATOMICS(bits, T)                                                                                              \
    T __tsan_atomic##bits##_load(const volatile T* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); }           \
    void __tsan_atomic##bits##_store(volatile T* p, T v, int) { __atomic_store_n(p, v, __ATOMIC_SEQ_CST); }           \
    T __tsan_atomic##bits##_exchange(volatile T* p, T v, int) { return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); } \
    T __tsan_atomic##bits##_fetch_add(volatile T* p, T v, int) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); } \
    T __tsan_atomic##bits##_fetch_sub(volatile T* p, T v, int) { return __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST); } \
    T __tsan_atomic##bits##_fetch_and(volatile T* p, T v, int) { return __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); } \
    T __tsan_atomic##bits##_fetch_or(volatile T* p, T v, int) { return __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); }   \
    bool __tsan_atomic##bits##_compare_exchange_strong(volatile T* p, T* e, T v, int, int) {                          \
        return __atomic_compare_exchange_n(p, e, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                       \
    }                                                                                                                 \
    bool __tsan_atomic##bits##_compare_exchange_weak(volatile T* p, T* e, T v, int, int) {                            \
        return __atomic_compare_exchange_n(p, e, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                        \
    }
extern "C" {
void __tsan_init() { hooked = true; }
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void*, void*) {}
void __tsan_vptr_read(void*) {}
void __tsan_read_range(const void* p, size_t n) { hook(p, n, Read, PC); }
void __tsan_write_range(const void* p, size_t n) { hook(p, n, Write, PC); }
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
}
#endif
