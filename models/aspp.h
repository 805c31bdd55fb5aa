// Atrous spatial pyramid pooling (Chen, Papandreou, Schroff & Adam, "Rethinking atrous convolution for semantic image
// segmentation", 2017, figure 5) under torchvision's names:
//
//   x ─┬─ 1x1 ──────────┐
//      ├─ 3x3, rate 1 ──┤
//      ├─ 3x3, rate 2 ──┼─ concatenation ─ 1x1 ─ dropout
//      ├─ 3x3, rate 3 ──┤
//      └─ mean ─ 1x1 ───┘      each convolution to 256 channels, with batch norm and ReLU
#pragma once

#include <memory>
#include <vector>

#include "models/blocks.h"

namespace atrous {

struct AsppOptions {
    int64_t in_channels = 2048;
    std::vector<int64_t> rates{12, 24, 36};
    bool pooled = true;  // the branch of the mean
    bool bias = false;   // of the convolutions
    double dropout = 0.5;
    bool separable = false;  // depthwise separable 3x3 convolutions
    Init init = Init::kaiming_uniform_pytorch;
};

class Aspp : public Module {
 public:
    static constexpr int64_t channels = 256;
    Aspp(Module& parent, const std::string& name, const AsppOptions& options);
    Tensor forward(const Tensor& x);

 private:
    Group convs_{*this, "convs"};
    std::vector<std::unique_ptr<ConvNormRelu>> branches_;
    std::unique_ptr<ConvNormRelu> pooled_;
    std::unique_ptr<ConvNormRelu> project_;
    std::unique_ptr<Dropout> drop_;
};

// Rates by the paper's rule: 6, 12, 18 at output stride 16, twice that at 8, half at 32.
std::vector<int64_t> default_rates(int output_stride);

}  // namespace atrous
