#include "apps/net_options.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/train/loss.h"

namespace atrous::app {

namespace r = net_ranges;

// Members are initialised in the order of declaration, which is the order of -h.
NetOptions::NetOptions(Options& o, const std::string& group)
    : model((o.group(group), o.choice("model", model_names(), "unet", "the net"))),
      encoder(
          o.text("encoder", "",
                 "of unet, fcn and the deeplabs: resnet18, 34, 50, 101, 152; of the last two also vgg11, 13, 16, 19, "
                 "with or without _bn; empty: the model's own")),
      output_stride(
          o.integer("output-stride", 0, "of the encoder of fcn and the deeplabs: 8, 16 or 32; 0: the model's own")
              .min(r::output_stride.low)
              .max(r::output_stride.high)),
      rates(o.integers("rates", {}, "dilations of the atrous branches; none: by the output stride, 12 24 36 at 8")
                .min(r::rate.low)
                .max(r::rate.high)),
      pooled(o.flag("aspp-pooling", "the deeplabs' branch of the mean (--no-aspp-pooling: without)", true)),
      aux_weight(o.number("aux-weight", default_aux_weight,
                          "of the auxiliary head's loss while training fcn and deeplabv3; 0: no such head")
                     .min(0)),
      gentle(o.flag("gentle-decoder", "deeplabv3: raise the resolution in steps of x2 with convolutions")),
      separable(o.flag("separable", "deeplabv3plus: depthwise separable convolutions")),
      base_channels(o.integer("base-channels", 64, "unet: channels of the first level")
                        .min(r::base_channels.low)
                        .max(r::base_channels.high)),
      depth(o.integer("depth", 4, "unet: times the resolution is halved").min(r::depth.low).max(r::depth.high)),
      kernel(o.integer("kernel", 3, "unet: size of the convolutions, odd").min(r::kernel.low).max(r::kernel.high)),
      bilinear(o.flag("bilinear", "unet: bilinear upsampling in place of transposed convolution")),
      align_corners(
          o.flag("align-corners", "unet: of the bilinear upsampling (--no-align-corners: pixel centres)", true)),
      full_width(o.flag("full-width", "unet, bilinear: deep levels keep all their channels, where half is usual")),
      batch_norm(o.flag("batch-norm", "unet: batch norm (--no-batch-norm: biases instead)", true)) {}

// Configuration files are left alone: a run folder's config.toml lists every option.
void NetOptions::refuse_strangers() const {
    const std::vector<std::string> plain{"unet"}, deeplabs{"deeplabv3", "deeplabv3plus", "deeplabv3-comma10k"};
    struct Concern {
        const SettingBase& option;
        std::vector<std::string> models;
    };
    const Concern concerns[] = {{rates, deeplabs},
                                {pooled, deeplabs},
                                {aux_weight, {"fcn", "deeplabv3"}},
                                {gentle, {"deeplabv3", "deeplabv3-comma10k"}},
                                {separable, {"deeplabv3plus"}},
                                {base_channels, plain},
                                {depth, plain},
                                {kernel, plain},
                                {bilinear, plain},
                                {align_corners, plain},
                                {full_width, plain},
                                {batch_norm, plain}};
    for (const auto& [option, models] : concerns) {
        if (option.origin != Origin::flag) continue;
        const bool takes = std::find(models.begin(), models.end(), model.value) != models.end();
        if (takes && (models != plain || encoder.value.empty())) continue;
        std::string names;
        for (const std::string& name : models) names += (names.empty() ? "" : ", ") + name;
        throw UsageError(fmt::format("{} means nothing to model {}{}; it is an option of {}{}", spelled(option),
                                     model.value, takes ? " with --encoder" : "", names,
                                     models == plain ? " without --encoder" : ""));
    }
    for (const SettingBase* option :
         {static_cast<const SettingBase*>(&align_corners), static_cast<const SettingBase*>(&full_width)})
        if (option->origin == Origin::flag && !bilinear.value)
            throw UsageError(spelled(*option) + " means nothing without --bilinear");
}

NetConfig NetOptions::config(int64_t in_channels, int64_t out_channels) const {
    refuse_strangers();
    if (int64_t(rates.value.size()) > r::most_rates)
        throw UsageError(fmt::format("--rates: {} dilations; expected at most {}", rates.value.size(), r::most_rates));
    NetConfig c;
    c.model = model.value;
    c.in_channels = in_channels;
    c.out_channels = out_channels;
    c.base_channels = base_channels.value;
    c.depth = depth.value;
    c.bilinear = bilinear.value;
    c.align_corners = align_corners.value;
    c.full_width = full_width.value;
    c.batch_norm = batch_norm.value;
    c.kernel = kernel.value;
    c.encoder = encoder.value;
    c.output_stride = output_stride.value;
    c.rates = rates.value;
    c.pooled = pooled.value;
    c.auxiliary = aux_weight.value > 0;
    c.gentle = gentle.value;
    c.separable = separable.value;
    return c;
}

}  // namespace atrous::app
