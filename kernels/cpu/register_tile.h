// Vectors for the hand-written products: a tile of tile_rows x 2 vectors of accumulators stays in registers, beside two
// vectors and a broadcast scalar (27 of 32 registers with AVX-512, 15 of 16 without).
#pragma once

#include <cstdint>

namespace atrous::kernels::cpu {

#ifdef __AVX512F__
inline constexpr int vector_bytes = 64, tile_rows = 12;
#else
inline constexpr int vector_bytes = 32, tile_rows = 6;
#endif

template <class T>
struct Vector {
    typedef T type __attribute__((vector_size(vector_bytes), aligned(alignof(T)), may_alias));  // unaligned access
    static constexpr int lanes = vector_bytes / int(sizeof(T));
};
template <class T>
using vector_t = typename Vector<T>::type;

template <class T>
inline vector_t<T> load_vector(const T* p) {
    return *reinterpret_cast<const vector_t<T>*>(p);
}
template <class T>
inline void store_vector(T* p, vector_t<T> v) {
    *reinterpret_cast<vector_t<T>*>(p) = v;
}

}  // namespace atrous::kernels::cpu
