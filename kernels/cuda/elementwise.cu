// Copies, casts, sums and fills. Grid: one dimension over tiles of about 1024 vectors (gpu/pixels.h, Tiles); a block
// owns a tile. No shared memory.
#include "kernels/elementwise.h"

#include <cstring>

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

constexpr int unroll = 4;

template <class From, class To>
struct CopyKernelArgs {
    const From* x;
    To* y;
    int64_t x_pitch, y_pitch;
    bool accumulate;
    Tiles tiles;
};

template <class From, class To, int W>
__global__ void __launch_bounds__(block_threads) copy_kernel(CopyKernelArgs<From, To> a) {
    struct Loaded {
        Vec<From, W> x;
        Vec<To, W> y;
    };
    for_each_group<unroll>(
        a.tiles,
        [&](int64_t pixel, int group) {
            Loaded l;
            l.x = load_vector<W>(a.x + pixel * a.x_pitch + group * W);
            if (a.accumulate) l.y = load_vector<W>(a.y + pixel * a.y_pitch + group * W);
            return l;
        },
        [&](int64_t pixel, int group, const Loaded& l) {
            Floats<W> y = to_floats(l.x);
            if (a.accumulate) {
#pragma unroll
                for (int i = 0; i < W; ++i) y.v[i] += device_float(l.y.v[i]);
            }
            store_floats(a.y + pixel * a.y_pitch + group * W, y);
        });
}

template <class T>
struct AddKernelArgs {
    const T *a, *b;
    T* y;
    int64_t a_pitch, b_pitch, y_pitch;
    Tiles tiles;
};

template <class T, int W>
__global__ void __launch_bounds__(block_threads) add_kernel(AddKernelArgs<T> k) {
    struct Loaded {
        Vec<T, W> a, b;
    };
    for_each_group<unroll / 2>(
        k.tiles,
        [&](int64_t pixel, int group) {
            return Loaded{load_vector<W>(k.a + pixel * k.a_pitch + group * W),
                          load_vector<W>(k.b + pixel * k.b_pitch + group * W)};
        },
        [&](int64_t pixel, int group, const Loaded& l) {
            Floats<W> y = to_floats(l.a);
#pragma unroll
            for (int i = 0; i < W; ++i) y.v[i] += device_float(l.b.v[i]);
            store_floats(k.y + pixel * k.y_pitch + group * W, y);
        });
}

// A fill is of bytes: `Unit` is one element, or 16 bytes of equal elements.
template <class Unit>
struct FillKernelArgs {
    Unit* y;
    Unit value;
    Tiles tiles;
};

template <class Unit>
__global__ void __launch_bounds__(block_threads) fill_kernel(FillKernelArgs<Unit> a) {
    for_each_group<unroll>(
        a.tiles, [](int64_t, int) { return 0; }, [&](int64_t unit, int, int) { a.y[unit] = a.value; });
}

// ---- launchers ----

template <class From, class To>
void copy_as(Queue& q, const CopyArgs& a) {
    const View& y = a.y.view;
    constexpr int wide = std::min(vector_width<From>, vector_width<To>);
    const Pointwise walk({&a.x, &y}, wide, unroll);
    with_width<wide>(walk.width > 1, [&](auto width) {
        constexpr int W = decltype(width)::value;
        ran_width("copy", W);
        launch(copy_kernel<From, To, W>, walk.tiles.grid(), dim3(walk.tiles.threads), 0, q.stream(),
               CopyKernelArgs<From, To>{a.x.as<From>(), y.as<To>(), walk.pitch(a.x), walk.pitch(y), a.y.accumulate,
                                        walk.tiles});
    });
}

template <class Unit>
void fill_units(Queue& q, const FillArgs& a, int64_t units, const unsigned char* pattern) {
    FillKernelArgs<Unit> k{static_cast<Unit*>(a.y), {}, Tiles(units, 1, unroll)};
    std::memcpy(&k.value, pattern, sizeof(Unit));
    launch(fill_kernel<Unit>, k.tiles.grid(), dim3(k.tiles.threads), 0, q.stream(), k);
}

template <class T>
void put(unsigned char* element, T value) {
    std::memcpy(element, &value, sizeof value);
}

void put_value(unsigned char* element, DType dtype, double value) {
    switch (dtype) {
        case DType::f32:
            return put(element, float(value));
        case DType::bf16:
            return put(element, round_to<bf16>(value));
        case DType::f16:
            return put(element, round_to<f16>(value));
        case DType::f64:
            return put(element, value);
        case DType::u8:
            return put(element, uint8_t(value));
        case DType::i32:
            return put(element, int32_t(value));
        case DType::i64:
            return put(element, int64_t(value));
    }
}

}  // namespace

void copy(Queue& q, const CopyArgs& a) {
    check(a);
    if (a.x.count() == 0) return;
    dispatch_gpu("copy", a.x.dtype, [&](auto from) {
        dispatch_gpu("copy", a.y.view.dtype, [&](auto to) { copy_as<decltype(from), decltype(to)>(q, a); });
    });
}

void add(Queue& q, const AddArgs& s) {
    check(s);
    if (s.y.count() == 0) return;
    dispatch_gpu("add", s.y.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Pointwise walk({&s.a, &s.b, &s.y}, vector_width<T>, unroll);
        with_width<vector_width<T>>(walk.width > 1, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width("add", W);
            launch(add_kernel<T, W>, walk.tiles.grid(), dim3(walk.tiles.threads), 0, q.stream(),
                   AddKernelArgs<T>{s.a.as<T>(), s.b.as<T>(), s.y.as<T>(), walk.pitch(s.a), walk.pitch(s.b),
                                    walk.pitch(s.y), walk.tiles});
        });
    });
}

void fill(Queue& q, const FillArgs& a) {
    check(a);
    if (a.count == 0) return;
    const size_t element = size_of(a.dtype), bytes = size_t(a.count) * element;
    unsigned char pattern[16];
    for (size_t at = 0; at < sizeof pattern; at += element) put_value(pattern + at, a.dtype, a.value);
    const bool wide = aligned(a.y, 16) && bytes % 16 == 0;
    ran(wide ? "fill/vec16" : "fill/scalar");
    if (wide) return fill_units<uint4>(q, a, int64_t(bytes / 16), pattern);
    switch (element) {
        case 1:
            return fill_units<uint8_t>(q, a, a.count, pattern);
        case 2:
            return fill_units<uint16_t>(q, a, a.count, pattern);
        case 4:
            return fill_units<uint32_t>(q, a, a.count, pattern);
        default:
            return fill_units<uint64_t>(q, a, a.count, pattern);
    }
}

}  // namespace atrous::kernels::cuda
