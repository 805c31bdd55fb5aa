#include "models/backbone_net.h"

#include "engine/ops/resize.h"

namespace atrous {

BackboneOptions backbone_options(const NetConfig& c, BackboneOptions o) {
    o.in_channels = c.in_channels;
    o.out_channels = c.out_channels;
    if (!c.encoder.empty()) o.encoder = c.encoder;
    if (c.output_stride) o.output_stride = int(c.output_stride);
    o.auxiliary = o.auxiliary && c.aux_weight > 0;
    o.dropout = c.dropout;
    return o;
}

BackboneNet::BackboneNet(const BackboneOptions& o)
    : options_(o),
      backbone_(make_encoder(o.encoder, *this, "backbone",
                             {.in_channels = o.in_channels,
                              .output_stride = o.output_stride,
                              .dilate_first_block = o.dilate_first_block})) {
    if (o.in_channels < 1 || o.out_channels < 1) throw UsageError("channels and classes must be at least 1");
}

void BackboneNet::add_auxiliary() {
    if (options_.auxiliary)
        auxiliary_ = std::make_unique<FcnHead>(*this, "aux_classifier", levels()[levels().size() - 2].channels,
                                               options_.out_channels, options_.dropout);
}

NetOutputs BackboneNet::compute(const Tensor& x, bool with_auxiliary) {
    std::vector<Tensor> features = backbone_->features(x);
    NetOutputs y;
    y.out = bilinear(head(features, x), x.dim(1), x.dim(2), false);
    if (with_auxiliary && auxiliary_)
        y.aux = bilinear(auxiliary_->forward(features[features.size() - 2]), x.dim(1), x.dim(2), false);
    return y;
}

}  // namespace atrous
