// FCN (Long, Shelhamer & Darrell, CVPR 2015) as torchvision's fcn_resnet50 and fcn_resnet101, on any encoder.
#pragma once

#include "models/backbone_net.h"

namespace atrous {

class Fcn : public BackboneNet {
 public:
    explicit Fcn(const BackboneOptions& options)
        : BackboneNet(options),
          classifier_(*this, "classifier", levels().back().channels, options.out_channels, options.dropout) {
        add_auxiliary();
    }

 protected:
    Tensor head(const std::vector<Tensor>& features, const Tensor&) override {
        return classifier_.forward(features.back());
    }

 private:
    FcnHead classifier_;
};

class FcnModel : public Copied<FcnModel, Model> {
 public:
    std::string name() const override { return "fcn"; }
    std::vector<std::string> takes() const override { return {"encoder", "output-stride", "aux-weight"}; }
    std::unique_ptr<SegmentationNet> make(const NetConfig& c) const override {
        return std::make_unique<Fcn>(backbone_options(c, {}));
    }
};

}  // namespace atrous
