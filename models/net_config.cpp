#include "models/net_config.h"

namespace atrous {

void describe(Settings& s, NetConfig& c) {
    namespace r = net_ranges;
    const auto fixed = [](auto& setting) -> auto& { return setting.when_resumed(Resume::fixed); };
    fixed(s.bind("model", c.model, "architecture of the net")).one_of(model_names());
    fixed(s.bind("encoder", c.encoder,
                 "encoder of unet, fcn and the deeplabs: resnet18, 34, 50, 101, 152; of the last two also vgg11, 13, "
                 "16, 19, with or without _bn; empty: the model's own"));
    fixed(s.bind("output-stride", c.output_stride,
                 "output stride of the encoder of fcn and the deeplabs: 8, 16 or 32; 0: the model's own"))
        .min(r::output_stride.low)
        .max(r::output_stride.high);
    fixed(s.bind("rates", c.rates, "dilations of the atrous branches; none: by the output stride, 12 24 36 at 8"))
        .min(r::rate.low)
        .max(r::rate.high);
    fixed(s.bind("aspp-pooling", c.pooled, "branch of the mean in the deeplabs' ASPP (`no-aspp-pooling`: without)"));
    // What the net is, with or without the head, a model card compares.
    s.bind("aux-weight", c.aux_weight,
           "weight of the auxiliary head's loss while training fcn and deeplabv3; 0: no such head")
        .min(0);
    fixed(s.bind("progressive-decoder", c.progressive_decoder, "deeplabv3: decoder of x2 steps with convolutions"));
    fixed(s.bind("separable", c.separable, "deeplabv3plus: depthwise separable convolutions"));
    fixed(s.bind("base-channels", c.base_channels, "unet: channels of the first level"))
        .min(r::base_channels.low)
        .max(r::base_channels.high);
    fixed(s.bind("depth", c.depth, "unet: times the resolution is halved")).min(r::depth.low).max(r::depth.high);
    fixed(s.bind("kernel", c.kernel, "unet: size of the convolutions, odd")).min(r::kernel.low).max(r::kernel.high);
    fixed(s.bind("bilinear", c.bilinear, "unet: bilinear upsampling in place of transposed convolution"));
    fixed(s.bind("align-corners", c.align_corners,
                 "unet: corners aligned in bilinear upsampling (`no-align-corners`: pixel centres)"));
    fixed(s.bind("full-width", c.full_width, "unet, bilinear: all channels in deep levels, where half is usual"));
    fixed(s.bind("batch-norm", c.batch_norm, "unet: batch norm (`no-batch-norm`: biases instead)"));
}

}  // namespace atrous
