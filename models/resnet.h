// ResNet (He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016, table 1), as torchvision
// builds it: the stride of a bottleneck lies on its 3x3 convolution.
//
//   conv1 7x7/2, bn1, ReLU ─ max pool ─ layer1 (64) ─ layer2 (128, /2) ─ layer3 (256, /2) ─ layer4 (512, /2) ─ [fc]
#pragma once

#include "models/encoder.h"

namespace atrous {

class ResNet : public Encoder {
 public:
    static std::vector<std::string> names();  // resnet18, 34, 50, 101, 152
    ResNet(const std::string& kind, Module& parent, const std::string& name, const EncoderOptions& options);
    ~ResNet() override;
    std::vector<Tensor> features(const Tensor& x) override;  // stem, layer1 … layer4
    Tensor classify(const Tensor& x) override;

 private:
    struct Block;
    struct BasicBlock;
    struct Bottleneck;
    struct Layer;
    PoolGeometry stem_pool_;
    Conv2d conv1_;
    BatchNorm2d bn1_;
    std::vector<std::unique_ptr<Layer>> layers_;
    std::unique_ptr<Linear> fc_;
};

}  // namespace atrous
