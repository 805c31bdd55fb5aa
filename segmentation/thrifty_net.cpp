#include "segmentation/thrifty_net.h"

#include <fmt/core.h>

#include <algorithm>
#include <new>

#include "base/error.h"
#include "engine/context.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/window.h"
#include "segmentation/windowed_net.h"

namespace atrous {

ThriftyNet::ThriftyNet(std::unique_ptr<SegmentationNet> net, Halo halo, std::function<void(const std::string&)> say,
                       bool exact)
    : net_(std::move(net)), halo_(std::move(halo)), say_(std::move(say)), exact_(exact) {
    materialize(net_->materialized());  // no parameters: where the net is
    set_training(false);
}

void ThriftyNet::say_once(const std::string& what) {
    if (said_.insert(what).second) say_(what);
}

// Undefined where memory runs out, which is remembered.
Tensor ThriftyNet::attempt(SegmentationNet& net, const Tensor& x, int64_t pixels_at_once) {
    if (pixels_at_once >= too_large_) return {};
    try {
        return net.forward(x);
    } catch (const MemoryError&) {
    } catch (const std::bad_alloc&) {
    }
    too_large_ = pixels_at_once;
    context_of(x.device()).memory().release_cache();
    return {};
}

NetOutputs ThriftyNet::compute(const Tensor& x, bool) {
    Tensor y = attempt(*net_, x, x.dim(0) * x.dim(1) * x.dim(2));
    if (!y.defined()) y = x.dim(0) > 1 ? images_one_by_one(x) : by_windows(x);
    return {y, {}};
}

Tensor ThriftyNet::images_one_by_one(const Tensor& x) {
    say_once(
        fmt::format("{} images of {}x{} at once do not fit into memory: one at a time", x.dim(0), x.dim(2), x.dim(1)));
    const std::vector<float> all = cast(x, DType::f32).to_host<float>();
    const int64_t each = x.dim(1) * x.dim(2) * x.dim(3);
    std::vector<float> logits;
    for (int64_t i = 0; i < x.dim(0); ++i) {
        Tensor one = Tensor::empty({1, x.dim(1), x.dim(2), x.dim(3)}, DType::f32, x.device());
        one.copy_from_host(all.data() + i * each, one.bytes());
        const std::vector<float> of_one = cast(forward(cast(one, x.dtype())), DType::f32).to_host<float>();
        logits.insert(logits.end(), of_one.begin(), of_one.end());
    }
    Tensor out = Tensor::empty({x.dim(0), x.dim(1), x.dim(2), out_channels()}, DType::f32, x.device());
    out.copy_from_host(logits.data(), out.bytes());
    return out;
}

Tensor ThriftyNet::by_windows(const Tensor& x) {
    Tensor y = by_exact_windows(x);
    if (!y.defined() && exact_)
        throw MemoryError(
            fmt::format("an exact window of {}x{} pixels with what lies around it does not fit into memory, nor does a "
                        "smaller one; `windows` on takes overlapping ones of the training's size, and smaller",
                        x.dim(2), x.dim(1)));
    if (!y.defined()) y = by_blended_windows(x);
    if (!y.defined())
        throw MemoryError(fmt::format(
            "{}x{} pixels do not fit into memory, and no window of them does; use a smaller net", x.dim(2), x.dim(1)));
    return y;
}

// The image has the padding of the net, so that its sides are multiples of the stride of most nets.
Tensor ThriftyNet::by_exact_windows(const Tensor& x) {
    const int64_t h = x.dim(1), w = x.dim(2), stride = halo_.stride;
    if (!halo_.varies_by.empty() || h % stride != 0 || w % stride != 0) return {};
    for (int64_t parts = 2; parts <= std::max(h, w) / stride; parts *= 2) {
        const ExactGrid grid = exact_grid(h, w, ceil_div(h, parts), ceil_div(w, parts), halo_.pixels, stride);
        const int64_t seen_h = std::min(grid.core_height + 2 * grid.halo, h);
        const int64_t seen_w = std::min(grid.core_width + 2 * grid.halo, w);
        WindowedNet windowed(*net_, [&](int64_t, int64_t) { return grid; });
        const Tensor y = attempt(windowed, x, seen_h * seen_w);
        if (!y.defined()) continue;
        say_once(
            fmt::format("{}x{} pixels at once do not fit into memory: by windows of {}x{} with {} around, which give "
                        "the same",
                        w, h, grid.core_width, grid.core_height, grid.halo));
        return y;
    }
    return {};
}

Tensor ThriftyNet::by_blended_windows(const Tensor& x) {
    const int64_t h = x.dim(1), w = x.dim(2), multiple = input_multiple();
    for (int64_t parts = 2; parts <= std::max(h, w) / multiple; parts *= 2) {
        const int64_t window_h = ceil_div(ceil_div(h, parts), multiple) * multiple;
        const int64_t window_w = ceil_div(ceil_div(w, parts), multiple) * multiple;
        WindowedNet windowed(*net_, window_h, window_w, WindowOptions{}.overlap);
        const Tensor y = attempt(windowed, x, window_h * window_w);
        if (!y.defined()) continue;
        say_once(
            fmt::format("{}x{} pixels at once do not fit into memory: by overlapping windows of {}x{}, which is not "
                        "the same as the whole",
                        w, h, window_w, window_h));
        return y;
    }
    return {};
}

}  // namespace atrous
