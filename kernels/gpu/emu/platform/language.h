// The CUDA language for a host compiler: every CUDA thread runs as a fiber (kernels/gpu/emu/scheduler.cpp).
#pragma once

#include <math.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/half.h"
#include "kernels/gpu/emu/services.h"

// ---- qualifiers -----------------------------------------------------------------------------------------------------
#ifdef ATROUS_RECORDED  // an access is known by its address: each call of a helper has its own
#define __global__ __attribute__((flatten))
#else
#define __global__
#endif
#define __device__
#define __host__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n) __attribute__((aligned(n)))
#ifdef __SANITIZE_ADDRESS__
#define __shared__ static  // red zones guard ordinary statics, not thread-local ones; one worker runs then
#else
#define __shared__ static thread_local  // a worker runs one block at a time
#endif

// The scheduler rewrites them at every switch; for the running thread they are constants.
extern const __thread uint3 threadIdx __asm__("atrous_emu_threadIdx");
extern const __thread uint3 blockIdx __asm__("atrous_emu_blockIdx");
extern const __thread uint3 blockDim __asm__("atrous_emu_blockDim");
extern const __thread uint3 gridDim __asm__("atrous_emu_gridDim");
inline constexpr int warpSize = 32;

#define ATROUS_EMU_HERE atrous::gpu::emu::Where where = atrous::gpu::emu::Where::current()

// ---- barriers, votes, shuffles --------------------------------------------------------------------------------------
inline void __syncthreads(ATROUS_EMU_HERE) { atrous::gpu::emu::block_barrier(0, "__syncthreads", where); }
inline int __syncthreads_count(int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::block_barrier(p, "__syncthreads_count", where);
}
inline int __syncthreads_or(int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::block_barrier(p, "__syncthreads_or", where) > 0;
}
inline int __syncthreads_and(int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::block_barrier(!p, "__syncthreads_and", where) == 0;
}
inline void __syncwarp(unsigned mask = ~0u, ATROUS_EMU_HERE) {
    atrous::gpu::emu::warp_collective(mask, "__syncwarp", nullptr, nullptr, true, where);
}
inline unsigned __ballot_sync(unsigned mask, int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::vote(mask, p != 0, "__ballot_sync", where);
}
inline int __any_sync(unsigned mask, int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::vote(mask, p != 0, "__any_sync", where) != 0;
}
inline int __all_sync(unsigned mask, int p, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::vote(mask, p == 0, "__all_sync", where) == 0;
}
template <class T>
T __shfl_sync(unsigned mask, T v, int source, int width = 32, ATROUS_EMU_HERE) {
    const int first = int(atrous::gpu::emu::lane()) & ~(width - 1);
    return atrous::gpu::emu::shuffle(mask, v, first + (source & (width - 1)), "__shfl_sync", where);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T v, int bits, int width = 32, ATROUS_EMU_HERE) {
    const int lane = int(atrous::gpu::emu::lane()), source = lane ^ bits;
    return atrous::gpu::emu::shuffle(mask, v, source > (lane | (width - 1)) ? lane : source, "__shfl_xor_sync", where);
}
template <class T>
T __shfl_down_sync(unsigned mask, T v, unsigned by, int width = 32, ATROUS_EMU_HERE) {
    const int lane = int(atrous::gpu::emu::lane()), source = lane + int(by);
    return atrous::gpu::emu::shuffle(mask, v, source > (lane | (width - 1)) ? lane : source, "__shfl_down_sync", where);
}
template <class T>
T __shfl_up_sync(unsigned mask, T v, unsigned by, int width = 32, ATROUS_EMU_HERE) {
    const int lane = int(atrous::gpu::emu::lane()), source = lane - int(by);
    return atrous::gpu::emu::shuffle(mask, v, source < (lane & ~(width - 1)) ? lane : source, "__shfl_up_sync", where);
}
inline void __threadfence() { atrous::gpu::emu::thread_fence(); }
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) { atrous::gpu::emu::yield(); }

// ---- atomics --------------------------------------------------------------------------------------------------------
#define ATROUS_EMU_ATOMIC(name, expression)                    \
    template <class T>                                         \
    T name(T* p, std::type_identity_t<T> v, ATROUS_EMU_HERE) { \
        return atrous::gpu::emu::atomic_update(                \
            p, [=](T old) { return T(expression); }, where);   \
    }
ATROUS_EMU_ATOMIC(atomicAdd, old + v)
ATROUS_EMU_ATOMIC(atomicSub, old - v)
ATROUS_EMU_ATOMIC(atomicMin, v < old ? v : old)
ATROUS_EMU_ATOMIC(atomicMax, old < v ? v : old)
ATROUS_EMU_ATOMIC(atomicOr, old | v)
ATROUS_EMU_ATOMIC(atomicAnd, old& v)
ATROUS_EMU_ATOMIC(atomicXor, old ^ v)
ATROUS_EMU_ATOMIC(atomicExch, ((void)old, v))
ATROUS_EMU_ATOMIC(atomicInc, old >= v ? T(0) : T(old + 1))
#undef ATROUS_EMU_ATOMIC
template <class T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v, ATROUS_EMU_HERE) {
    return atrous::gpu::emu::atomic_update(
        p, [=](T old) { return old == expected ? v : old; }, where);
}
#undef ATROUS_EMU_HERE

// ---- intrinsics -----------------------------------------------------------------------------------------------------
template <class T>
__forceinline__ T __ldg(const T* p) {
    return *p;
}
template <class T>
__forceinline__ T __ldcs(const T* p) {
    return *p;
}
template <class T>
__forceinline__ T __ldcg(const T* p) {
    return *p;
}
template <class T>
__forceinline__ void __stcs(T* p, std::type_identity_t<T> v) {
    *p = v;
}
template <class T>
__forceinline__ void __stcg(T* p, std::type_identity_t<T> v) {
    *p = v;
}

// The hardware's fast functions are a few last digits off. So are these, by the most that NVIDIA documents (CUDA C++
// programming guide, intrinsic functions), upwards or downwards by the argument's bits: what needs better fails here.
inline float atrous_off_by(float exact, float ulps, float argument) {
    if (exact == 0 || argument == 0 || !std::isfinite(exact)) return exact;
    const bool up = std::bit_cast<uint32_t>(argument) * 2654435761u >> 31;
    return exact + (up ? exact : -exact) * ulps * 0x1p-23f;
}
inline float __expf(float x) { return atrous_off_by(std::exp(x), 2 + std::floor(std::fabs(1.173f * x)), x); }
inline float __exp10f(float x) { return atrous_off_by(std::pow(10.0f, x), 2 + std::floor(std::fabs(2.97f * x)), x); }
inline float __logf(float x) {
    const float exact = std::log(x);
    return x >= 0.5f && x <= 2 && x != 1 ? exact + (exact > 0 ? 0x1p-21f : -0x1p-21f) * 0.75f
                                         : atrous_off_by(exact, 3, x);
}
inline float __log2f(float x) {
    const float exact = std::log2(x);
    return x >= 0.5f && x <= 2 && x != 1 ? exact + (exact > 0 ? 0x1p-22f : -0x1p-22f) : atrous_off_by(exact, 2, x);
}
inline float __powf(float x, float y) {  // as the guide defines it: 2 to the y times log2 of x
    return atrous_off_by(std::exp2(y * __log2f(x)), 2, x);
}
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __fdividef(float a, float b) { return atrous_off_by(a / b, 2, b); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline float __frsqrt_rn(float x) { return 1 / std::sqrt(x); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __saturatef(float x) { return x > 1 ? 1 : x > 0 ? x : 0; }
inline float rsqrtf(float x) { return atrous_off_by(1 / std::sqrt(x), 2, x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline int __float2int_rd(float x) { return int(std::floor(x)); }
inline int __float2int_ru(float x) { return int(std::ceil(x)); }
inline int __float2int_rz(float x) { return int(x); }
inline int __float2int_rn(float x) { return int(std::nearbyint(x)); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __popcll(unsigned long long x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(unsigned(x)); }
inline int __clzll(long long x) { return std::countl_zero(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return x ? std::countr_zero(unsigned(x)) + 1 : 0; }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1) << (31 - i);
    return r;
}

// As in CUDA: mixed integers convert as in arithmetic, and a NaN loses against a number.
template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    const T x = T(a), y = T(b);
    if constexpr (std::is_floating_point_v<T>) return y < x || x != x ? y : x;
    return y < x ? y : x;
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    const T x = T(a), y = T(b);
    if constexpr (std::is_floating_point_v<T>) return x < y || x != x ? y : x;
    return x < y ? y : x;
}

namespace atrous::gpu {

template <class Args>
void launch(void (*kernel)(Args), dim3 grid, dim3 block, size_t smem_bytes, StreamView stream,
            const std::type_identity_t<Args>& args) {
    static_assert(std::is_trivially_copyable_v<Args>);
    if (stream.is_dry_run()) return;
    emu::submit(
        {grid, block, smem_bytes, reinterpret_cast<const void*>(kernel), &emu::run_thread<Args>, &args, sizeof(Args)},
        stream);
}

template <class T = unsigned char>
T* dynamic_shared() {
    return static_cast<T*>(emu::dynamic_shared());
}

// Always inlined: GCC's thread sanitizer does not see a class object that is loaded to be an argument.
__forceinline__ float device_float(float x) { return x; }
__forceinline__ float device_float(bf16 h) { return std::bit_cast<float>(uint32_t(h.bits) << 16); }
__forceinline__ float device_float(f16 h) { return to_float(h); }
template <class T>
__forceinline__ T device_round(float x) {
    return round_to<T>(x);
}
// Two halves as one word, `low` first in memory.
template <class T>
__forceinline__ uint32_t device_round_pair(float low, float high) {
    return device_round<T>(low).bits | uint32_t(device_round<T>(high).bits) << 16;
}

}  // namespace atrous::gpu
