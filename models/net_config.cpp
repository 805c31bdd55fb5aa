#include "models/net_config.h"

namespace atrous {

template <class T>
static Setting<T>& fixed(Setting<T>& setting) {
    return setting.when_resumed(Resume::fixed);
}

// The settings that several models share.
static void describe_shared(Settings& s, NetConfig& c) {
    fixed(s.bind("encoder", c.encoder,
                 "encoder of unet, fcn and the deeplabs: resnet18, 34, 50, 101, 152; of the last two also vgg11, 13, "
                 "16, 19, with or without _bn; empty: the model's own"));
    fixed(s.bind("output-stride", c.output_stride,
                 "output stride of the encoder of fcn and the deeplabs: 8, 16 or 32; 0: the model's own"))
        .min(0)
        .max(32);
    fixed(s.bind("rates", c.rates, "dilations of the atrous branches; none: by the output stride, 12 24 36 at 8"))
        .min(1)
        .max(4096);
    fixed(s.bind("aspp-pooling", c.pooled, "branch of the mean in the deeplabs' ASPP (`no-aspp-pooling`: without)"));
    // What the net is, with or without the head, a model card compares.
    s.bind("aux-weight", c.aux_weight,
           "weight of the auxiliary head's loss while training fcn and deeplabv3; 0: no such head")
        .min(0);
    fixed(s.bind("progressive-decoder", c.progressive_decoder, "deeplabv3: decoder of x2 steps with convolutions"))
        .stored_as("gentle_decoder")
        .formerly("gentle-decoder");
}

void describe(Settings& s, NetConfig& c) {
    const auto& models = Model::catalogue().all();
    fixed(s.bind("model", c.model, "architecture of the net")).one_of(Model::catalogue().names());
    describe_shared(s, c);
    for (const auto& model : models)
        for (const std::string& key : model->takes()) s.at(key);  // Error where there is no such setting
    // From the last to the first, as help has had them.
    for (auto model = models.rbegin(); model != models.rend(); ++model) c.models.of((*model)->name()).describe(s);
}

}  // namespace atrous
