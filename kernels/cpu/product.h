// Matrix products of f32 and f64 whose rows may lie anywhere: C[m][g][n] = bias[n] + sum_{t,k} A[m][t][k] *
// B[t][k][g][n]
// (+ C). A row of A or C begins at data + (m / per) * outer + (m % per) * inner; its parts t and g at given offsets.
// Every element is summed in one order, whatever the number of threads.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/queue.h"

namespace atrous::kernels::cpu {

template <class T>
struct Rows {
    T* data = nullptr;
    int64_t inner = 0, outer = 0, per = std::numeric_limits<int64_t>::max();
    // The beginnings of `count` rows from m on, `offset` further in.
    template <int count>
    void find(int64_t m, int64_t offset, T* (&to)[count]) const {
        int64_t block = m / per, within = m % per;
        for (T*& row : to) {
            row = data + block * outer + within * inner + offset;
            if (++within == per) within = 0, ++block;
        }
    }
};

template <class T>
struct Product {
    int64_t m = 0, n = 0, k = 0;  // n within one part of C, k within one part of A
    Rows<const T> a;
    std::vector<int64_t> a_parts{0};
    const T* b = nullptr;
    int64_t b_part = 0, b_k = 0, b_group = 0, b_n = 0;  // strides of B
    Rows<T> c;
    std::vector<int64_t> c_parts{0};
    const T* bias = nullptr;  // [n] or absent
    bool accumulate = false;
};

// B rearranged for multiply(): one copy serves any number of products that differ in m, a and c.
template <class T>
const T* pack(Queue&, const Product<T>&);
template <class T>
void multiply(Queue&, const Product<T>&, const T* packed);

}  // namespace atrous::kernels::cpu
