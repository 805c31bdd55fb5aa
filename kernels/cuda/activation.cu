// Activations. Grid: one dimension over tiles of about 1024 vectors (gpu/pixels.h, Tiles); a block owns a tile and
// every thread up to `unroll` vectors of it at a time. No shared memory.
#include "kernels/activation.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels ----

constexpr int unroll = 4;

struct Relu {
    static __device__ __forceinline__ float forward(float x) { return x <= 0 ? 0.0f : x; }  // NaN stays
    static __device__ __forceinline__ float backward(float dy, float y) { return y > 0 ? dy : 0.0f; }
};
struct Sigmoid {
    static __device__ __forceinline__ float forward(float x) { return 1 / (1 + expf(-x)); }
    static __device__ __forceinline__ float backward(float dy, float y) { return dy * y * (1 - y); }
};

template <class T>
struct ForwardArgs {
    const T* x;
    T* y;
    int64_t x_pitch, y_pitch;
    Tiles tiles;
};

template <class F, class T, int W>
__global__ void __launch_bounds__(block_threads) activation_forward(ForwardArgs<T> a) {
    for_each_group<unroll>(
        a.tiles, [&](int64_t pixel, int group) { return load_vector<W>(a.x + pixel * a.x_pitch + group * W); },
        [&](int64_t pixel, int group, const Vec<T, W>& loaded) {
            Floats<W> y = to_floats(loaded);
#pragma unroll
            for (int i = 0; i < W; ++i) y.v[i] = F::forward(y.v[i]);
            store_floats(a.y + pixel * a.y_pitch + group * W, y);
        });
}

template <class T>
struct BackwardArgs {
    const T *dy, *y;
    T* dx;
    int64_t dy_pitch, y_pitch, dx_pitch;
    bool accumulate;
    Tiles tiles;
};

template <class F, class T, int W>
__global__ void __launch_bounds__(block_threads) activation_backward(BackwardArgs<T> a) {
    struct Loaded {
        Vec<T, W> dy, y, dx;
    };
    for_each_group<unroll / 2>(
        a.tiles,
        [&](int64_t pixel, int group) {
            Loaded l;
            l.dy = load_vector<W>(a.dy + pixel * a.dy_pitch + group * W);
            l.y = load_vector<W>(a.y + pixel * a.y_pitch + group * W);
            if (a.accumulate) l.dx = load_vector<W>(a.dx + pixel * a.dx_pitch + group * W);
            return l;
        },
        [&](int64_t pixel, int group, const Loaded& l) {
            Floats<W> dx = to_floats(l.dy);
#pragma unroll
            for (int i = 0; i < W; ++i) {
                dx.v[i] = F::backward(dx.v[i], device_float(l.y.v[i]));
                if (a.accumulate) dx.v[i] += device_float(l.dx.v[i]);
            }
            store_floats(a.dx + pixel * a.dx_pitch + group * W, dx);
        });
}

// ---- launchers ----

template <class F>
void forward(Queue& q, const char* function, const ActivationArgs& a) {
    check(a);
    if (a.x.count() == 0) return;
    dispatch_gpu(function, a.x.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Pointwise walk({&a.x, &a.y}, vector_width<T>, unroll);
        with_width<vector_width<T>>(walk.width > 1, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width(function, W);
            launch(activation_forward<F, T, W>, walk.tiles.grid(), dim3(walk.tiles.threads), 0, q.stream(),
                   ForwardArgs<T>{a.x.as<T>(), a.y.as<T>(), walk.pitch(a.x), walk.pitch(a.y), walk.tiles});
        });
    });
}

template <class F>
void backward(Queue& q, const char* function, const ActivationBackwardArgs& a) {
    const View& dx = a.dx.view;
    check(a);
    if (dx.count() == 0) return;
    dispatch_gpu(function, dx.dtype, [&](auto zero) {
        using T = decltype(zero);
        const Pointwise walk({&a.dy, &a.y, &dx}, vector_width<T>, unroll);
        with_width<vector_width<T>>(walk.width > 1, [&](auto width) {
            constexpr int W = decltype(width)::value;
            ran_width(function, W);
            launch(activation_backward<F, T, W>, walk.tiles.grid(), dim3(walk.tiles.threads), 0, q.stream(),
                   BackwardArgs<T>{a.dy.as<T>(), a.y.as<T>(), dx.as<T>(), walk.pitch(a.dy), walk.pitch(a.y),
                                   walk.pitch(dx), a.dx.accumulate, walk.tiles});
        });
    });
}

}  // namespace

void relu(Queue& q, const ActivationArgs& a) { forward<Relu>(q, "relu", a); }
void relu_backward(Queue& q, const ActivationBackwardArgs& a) { backward<Relu>(q, "relu_backward", a); }
void sigmoid(Queue& q, const ActivationArgs& a) { forward<Sigmoid>(q, "sigmoid", a); }
void sigmoid_backward(Queue& q, const ActivationBackwardArgs& a) { backward<Sigmoid>(q, "sigmoid_backward", a); }

}  // namespace atrous::kernels::cuda
