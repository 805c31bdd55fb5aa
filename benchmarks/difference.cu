// Differences. Grid: one dimension; a thread owns every n-th element, n being all threads of the grid, and writes its
// own seven figures, which the host puts together in order. No shared memory.
#include "benchmarks/difference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "engine/context.h"
#include "kernels/gpu/device.h"

namespace atrous::bench {

namespace {

constexpr int threads = 256, most_blocks = 512;

struct DifferenceArgs {
    const float *a, *truth;
    int64_t count;
    Difference* figures;  // one a thread
};

__global__ void __launch_bounds__(threads) difference_kernel(DifferenceArgs args) {
    const int64_t thread = int64_t(blockIdx.x) * threads + threadIdx.x, all = int64_t(gridDim.x) * threads;
    Difference d;
    for (int64_t i = thread; i < args.count; i += all) {
        const double a = args.a[i], b = args.truth[i], apart = a > b ? a - b : b - a, size = b > 0 ? b : -b;
        if (!(a - a == 0)) {
            d.nonfinite += 1;
            continue;
        }
        d.most = apart > d.most ? apart : d.most;
        d.most_truth = size > d.most_truth ? size : d.most_truth;
        d.squares += apart * apart, d.squares_truth += b * b;
        d.sum += a, d.sum_truth += b;
    }
    args.figures[thread] = d;
}

}  // namespace

double Difference::relative_l2() const { return std::sqrt(squares / squares_truth); }

Difference difference(const Tensor& a, const Tensor& truth) {
    require(a.shape() == truth.shape() && truth.dtype() == DType::f32,
            "difference: found other shapes, or a truth that is not f32");
    Tensor floats = a;
    if (a.dtype() != DType::f32) floats = Tensor::empty(a.shape(), DType::f32, a.device()), floats.copy_from(a);
    const int64_t blocks = std::clamp<int64_t>(a.count() / (threads * 16), 1, most_blocks);
    std::vector<Difference> figures(size_t(blocks * threads));
    const size_t bytes = figures.size() * sizeof(Difference);
    const Tensor on_device = Tensor::empty({int64_t(bytes)}, DType::u8, a.device());
    gpu::launch(difference_kernel, dim3(unsigned(blocks)), dim3(threads), 0, context_of(a.device()).stream(),
                DifferenceArgs{floats.as<float>(), truth.as<float>(), a.count(), on_device.as<Difference>()});
    on_device.copy_to_host(figures.data(), bytes);
    Difference all;
    for (const Difference& d : figures) {
        all.most = std::max(all.most, d.most), all.most_truth = std::max(all.most_truth, d.most_truth);
        all.squares += d.squares, all.squares_truth += d.squares_truth;
        all.sum += d.sum, all.sum_truth += d.sum_truth, all.nonfinite += d.nonfinite;
    }
    return all;
}

}  // namespace atrous::bench
