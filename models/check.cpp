#include "models/check.h"

#include <fmt/core.h>

#include <algorithm>
#include <variant>

#include "engine/ops/dropout.h"
#include "kernels/conv.h"

namespace atrous {

void freeze(SegmentationNet& net, const Freezing& freezing) {
    if (freezing.batch_norm) net.freeze_batch_norm();
    if (!freezing.encoder) return;
    if (!net.encoder())
        throw UsageError(
            "this model has no encoder to freeze; models with one: unet with `encoder`, deeplabv3, fcn, …");
    net.encoder()->freeze();
}

static std::unique_ptr<SegmentationNet> shapes_only(const NetConfig& config, const Freezing& freezing) {
    auto net = make_net(config);
    freeze(*net, freezing);
    net->materialize({.device = {DeviceKind::meta}});
    return net;
}

static Tensor picture(const NetConfig& config, int64_t images, int64_t height, int64_t width) {
    return Tensor::empty({images, height, width, config.in_channels}, DType::f32, {DeviceKind::meta});
}

void check_training_step(const NetConfig& config, const Freezing& freezing, int64_t images, int64_t height,
                         int64_t width) {
    const auto net = shapes_only(config, freezing);
    const StepRandomness random(0, 0);
    net->forward_training(picture(config, images, height, width));
}

// Along one axis: taps inside the input, the mean over output positions.
static double live_along(int64_t in, int64_t kernel, const kernels::ConvGeometry& g) {
    const int64_t out = g.output_size(in, kernel);
    int64_t live = 0;
    for (int64_t o = 0; o < out; ++o)
        for (int64_t k = 0; k < kernel; ++k) {
            const int64_t at = o * g.stride - g.padding + k * g.dilation;
            live += at >= 0 && at < in;
        }
    return double(live) / double(out);
}

static int attribute(const Entry& entry, const char* name) {
    for (const auto& [key, value] : entry.attributes)
        if (key == name) return int(std::get<int64_t>(value));
    return 1;
}

std::string text_of(const DeadTaps& d) {
    return fmt::format(
        "{}: with dilation {} on {}x{} features, {:.1f} of its {} taps read the picture and the rest padding; larger "
        "pictures (`size`) or smaller `rates` make use of it",
        d.layer, d.dilation, d.width, d.height, d.live, d.taps);
}

std::vector<DeadTaps> mostly_dead_taps(const NetConfig& config, int64_t height, int64_t width) {
    const auto net = shapes_only(config, {});
    net->set_training(false);
    Tape tape(Tape::Mode::tracing);
    net->forward_training(picture(config, 1, height, width));
    std::vector<DeadTaps> found;
    for (const Entry& e : tape.entries()) {
        if (e.op != "conv2d" && e.op != "depthwise_conv2d") continue;
        const kernels::ConvGeometry g{attribute(e, "stride"), attribute(e, "padding"), attribute(e, "dilation")};
        const Shape &x = e.inputs[0].shape, &weight = e.inputs[1].shape;
        const int64_t taps = weight[1] * weight[2];
        const double live = live_along(x[1], weight[1], g) * live_along(x[2], weight[2], g);
        const bool named = std::any_of(found.begin(), found.end(), [&](const DeadTaps& d) {
            return d.dilation == g.dilation && d.height == x[1] && d.width == x[2];
        });
        if (g.dilation > 1 && live < double(taps) / 2 && !named)
            found.push_back({e.module, g.dilation, x[1], x[2], taps, live});
    }
    return found;
}

}  // namespace atrous
