#include "segmentation/thrifty_net.h"

#include <fmt/core.h>

#include <new>
#include <optional>

#include "base/error.h"
#include "engine/context.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/window.h"
#include "segmentation/windowed_net.h"

namespace atrous {

ThriftyNet::ThriftyNet(std::unique_ptr<SegmentationNet> net, Halo halo, std::function<void(const std::string&)> say)
    : net_(std::move(net)), halo_(std::move(halo)), say_(std::move(say)) {
    materialize(net_->materialized());  // no parameters: where the net is
    set_training(false);
}

NetOutputs ThriftyNet::compute(const Tensor& x, bool) {
    const int64_t pixels = x.dim(0) * x.dim(1) * x.dim(2);
    if (pixels < too_large_) {
        try {
            return {net_->forward(x), {}};
        } catch (const MemoryError&) {
        } catch (const std::bad_alloc&) {
        }
        too_large_ = pixels;
        context_of(x.device()).memory().release_cache();
    }
    return {x.dim(0) > 1 ? images_one_by_one(x) : by_windows(x), {}};
}

Tensor ThriftyNet::images_one_by_one(const Tensor& x) {
    say_(fmt::format("{} images of {}x{} at once do not fit into memory: one at a time", x.dim(0), x.dim(2), x.dim(1)));
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
    const int64_t h = x.dim(1), w = x.dim(2), multiple = input_multiple();
    const auto half = [&](int64_t side, int64_t of) { return ceil_div(ceil_div(side, 2), of) * of; };
    const ExactGrid exact = exact_grid(h, w, half(h, halo_.stride), half(w, halo_.stride), halo_.pixels, halo_.stride);
    const auto fits = [&](int64_t core, int64_t side) { return core + exact.halo < side && side % halo_.stride == 0; };
    if (halo_.varies_by.empty() && fits(exact.core_height, h) && fits(exact.core_width, w)) {
        say_(fmt::format(
            "{}x{} pixels at once do not fit into memory: by windows of {}x{} with {} around, which give the "
            "same",
            w, h, exact.core_width, exact.core_height, exact.halo));
        return WindowedNet(*this, [&](int64_t, int64_t) { return exact; }).forward(x);
    }
    const int64_t window_h = half(h, multiple), window_w = half(w, multiple);
    if (window_h >= h && window_w >= w)
        throw MemoryError(fmt::format("not even {}x{} pixels fit into memory; use a smaller net", w, h));
    say_(
        fmt::format("{}x{} pixels at once do not fit into memory: by overlapping windows of {}x{}, which is not the "
                    "same as the whole",
                    w, h, window_w, window_h));
    return WindowedNet(*this, window_h, window_w, WindowOptions{}.overlap).forward(x);
}

}  // namespace atrous
