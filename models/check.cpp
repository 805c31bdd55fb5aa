#include "models/check.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/ops/descriptor.h"
#include "engine/ops/dropout.h"

namespace atrous {

void freeze(SegmentationNet& net, const FreezeOptions& freezing) {
    if (freezing.batch_norm) net.freeze_batch_norm();
    if (!freezing.encoder) return;
    if (!net.encoder())
        throw UsageError(
            "this model has no encoder to freeze; models with one: unet with `encoder`, deeplabv3, fcn, …");
    net.encoder()->freeze();
}

static std::unique_ptr<SegmentationNet> shapes_only(const NetConfig& config, const FreezeOptions& freezing) {
    auto net = make_net(config);
    freeze(*net, freezing);
    net->materialize({.device = {DeviceKind::meta}});
    return net;
}

static Tensor image(const NetConfig& config, int64_t images, int64_t height, int64_t width) {
    return Tensor::empty({images, height, width, config.in_channels}, DType::f32, {DeviceKind::meta});
}

void check_training_step(const NetConfig& config, const FreezeOptions& freezing, int64_t images, int64_t height,
                         int64_t width) {
    const auto net = shapes_only(config, freezing);
    const StepRandomness random(0, 0);
    net->forward_training(image(config, images, height, width));
}

std::string text_of(const DeadTaps& d) {
    return fmt::format(
        "{}: with dilation {} on {}x{} features, {:.1f} of its {} taps read the image and the rest padding; larger "
        "images (`size`) or smaller `rates` make use of it",
        d.layer, d.dilation, d.width, d.height, d.live, d.taps);
}

std::vector<DeadTaps> mostly_dead_taps(const NetConfig& config, int64_t height, int64_t width) {
    const auto net = shapes_only(config, {});
    net->set_training(false);
    Tape tape(Tape::Mode::tracing);
    net->forward_training(image(config, 1, height, width));
    std::vector<DeadTaps> found;
    for (const Entry& e : tape.entries()) {
        if (!is_map(e)) continue;
        const Reach rows = reach_of(e, 0), columns = reach_of(e, 1);
        const int64_t taps = rows.taps() * columns.taps(), dilation = std::max(rows.dilation(), columns.dilation());
        const double live = rows.taps_inside() * columns.taps_inside();
        const Shape& x = e.inputs[0].shape;
        const bool named = std::any_of(found.begin(), found.end(), [&](const DeadTaps& d) {
            return d.dilation == dilation && d.height == x[1] && d.width == x[2];
        });
        if (dilation > 1 && live < double(taps) / 2 && !named)
            found.push_back({e.module, dilation, x[1], x[2], taps, live});
    }
    return found;
}

}  // namespace atrous
