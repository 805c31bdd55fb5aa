// What the emulated CUDA language asks of the emulator. Kernels see it only through <platform/*.h>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/gpu/emu/vector_types.h"
#include "kernels/gpu/runtime.h"
#include "kernels/gpu/tensor_map.h"

// Not instrumented in the races build: these functions report their accesses themselves.
#if defined(__SANITIZE_THREAD__)
#define ATROUS_EMU_UNCHECKED __attribute__((no_sanitize("thread")))
#else
#define ATROUS_EMU_UNCHECKED
#endif

namespace atrous::gpu::emu {

// A place in a kernel's source, for diagnostics: as a default argument it names the caller's line.
struct Where {
    const char* file = "";
    unsigned line = 0;
    static constexpr Where current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        return {file, line};
    }
};

// One launch. `thread` runs one CUDA thread of `kernel`; it gets a copy of the args struct. While the stream is
// captured, the launch is recorded instead.
struct Call {
    dim3 grid, block;
    size_t smem_bytes;
    const void* kernel;
    void (*thread)(const void* kernel, const void* args);
    const void* args;
    size_t args_bytes;
};
void submit(const Call& call, StreamView stream);

int block_barrier(int predicate, const char* what, Where where);  // returns the number of non-zero predicates

// Every warp operation: each lane brings a pointer to its arguments, and the last one to arrive runs `op` for all of
// them. Memory is ordered only if `orders` (__syncwarp does, shuffles do not).
using WarpOp = void (*)(void* const* args, uint32_t mask);
void warp_collective(uint32_t mask, const char* what, void* args, WarpOp op, bool orders, Where where);
void require_lane(bool in_mask, const char* contract);

unsigned lane();
void atomic_access(void* p, size_t bytes, Where where);  // announces one atomic read-modify-write
void thread_fence();
void yield();

void* dynamic_shared();
void copy_async(void* smem, const void* gmem, bool valid, Where where);  // 16 bytes
void copy_async_commit(Where where);
void copy_async_wait(unsigned pending, Where where);
void ldmatrix_x4(uint32_t* r, const void* row, bool transposed, Where where);
enum class MmaType { bf16, f16 };
void mma_m16n8k16(MmaType type, float* d, const uint32_t* a, const uint32_t* b, Where where);
uint32_t round_tf32(uint32_t x);
// Operands that were not rounded to TF32 are an error: what tensor cores make of their last bits is not defined.
void mma_m16n8k8_tf32(float* d, const uint32_t* a, const uint32_t* b, Where where);

// ---- of capability 9.0; addresses are those of mbarriers ----
void mbarrier_init(void* b, unsigned count, Where where);
void fence_mbarrier_init();
void mbarrier_arrive(void* b, unsigned bytes, const char* what, Where where);
bool mbarrier_try_wait(void* b, unsigned parity, Where where);
void mbarrier_wait(void* b, unsigned parity, Where where);
void named_barrier(unsigned id, unsigned threads, bool waits, Where where);
void fence_proxy_async();
void tma_load(const TensorMap& map, int rank, const int* at, void* smem, void* barrier, Where where);
void tma_store(const TensorMap& map, int rank, const int* at, const void* smem, Where where);
void tma_store_commit();
void tma_store_wait(unsigned pending, bool read_only, Where where);
struct Product {  // d (+)= a b, with the descriptors of a and b as the PTX ISA has them
    float* d;
    uint64_t a, b;
    int columns;
    MmaType type;
    bool a_mn_major, b_mn_major, accumulates;
};
uint64_t wgmma_operand(const void* tile, bool mn_major, unsigned stride_bytes, Where where);
void wgmma_fence();
void wgmma(const Product& product, Where where);
void wgmma_commit();
void wgmma_wait(unsigned pending, Where where);
void set_max_registers(unsigned count, Where where);

template <class T>
struct Shuffle {
    T in, out;
    int source;
};

template <class T>
T shuffle(uint32_t mask, T value, int source, const char* what, Where where) {
    static_assert(std::is_arithmetic_v<T>, "shuffles move numbers, as in CUDA");
    Shuffle<T> mine{value, value, source};
    warp_collective(
        mask, what, &mine,
        [](void* const* args, uint32_t m) {
            for (int i = 0; i < 32; ++i) {
                if (!(m >> i & 1)) continue;
                auto& lane = *static_cast<Shuffle<T>*>(args[i]);
                require_lane(m >> lane.source & 1, "shuffle reads a lane that is not in the mask");
                lane.out = static_cast<Shuffle<T>*>(args[lane.source])->in;
            }
        },
        false, where);
    return mine.out;
}

uint32_t vote(uint32_t mask, bool predicate, const char* what, Where where);

template <class T>
concept AtomicType = std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, long long> ||
    std::is_same_v<T, unsigned long long> || std::is_same_v<T, float> || std::is_same_v<T, double>;

template <AtomicType T, class F>
ATROUS_EMU_UNCHECKED T atomic_update(T* p, F next, Where where) {
    atomic_access(p, sizeof(T), where);
    T old, wanted;
    __atomic_load(p, &old, __ATOMIC_RELAXED);
    do wanted = next(old);
    while (!__atomic_compare_exchange(p, &old, &wanted, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}

// One CUDA thread of a kernel that takes one struct by value.
template <class Args>
ATROUS_EMU_UNCHECKED void run_thread(const void* kernel, const void* args) {
    reinterpret_cast<void (*)(Args)>(const_cast<void*>(kernel))(*static_cast<const Args*>(args));
}

}  // namespace atrous::gpu::emu
