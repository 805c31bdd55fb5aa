// Encoders: classification nets whose feature maps a segmentation net builds on, under torchvision's names.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/io/tensor_file.h"
#include "engine/nn/layers.h"
#include "engine/ops/pool.h"

namespace atrous {

struct EncoderOptions {
    int64_t in_channels = 3;
    // 32, 16 or 8: the pixels of the input, along one axis, that share a pixel of the last feature map. Below 32 the
    // last stages do not stride (VGG: do not pool), and the convolutions behind are dilated instead.
    int output_stride = 32;
    // torchvision dilates a stage's first block as the stage before it; true: like the stage's other blocks.
    bool dilate_first_block = false;
    PoolGeometry stem_pool{3, 2, 1};  // ResNet's max pool after the first convolution
    int64_t classes = 0;              // above 0: with torchvision's classifier behind the last feature map
};

class Encoder : public Module {
 public:
    struct Level {
        int64_t channels;
        int stride;
    };
    // Feature maps, the finest first; levels() says their channels and strides.
    virtual std::vector<Tensor> features(const Tensor& x) = 0;
    const std::vector<Level>& levels() const { return levels_; }
    virtual int64_t input_multiple() const { return 1; }  // of height and width, so that no border is lost
    // The class scores of torchvision's net [N][1][1][classes]; for an encoder made with classes.
    virtual Tensor classify(const Tensor& x) = 0;

 protected:
    using Module::Module;
    std::vector<Level> levels_;
};

// The encoder whose weights a file holds, under whatever prefix: all its names and shapes are there. Empty where it is
// none of them.
std::string encoder_in(const io::TensorFile& file);
// Tells whether a net's encoder, for so many input channels, is the one of this name.
bool is_encoder(Module& encoder, const std::string& name, int64_t in_channels);

std::vector<std::string> encoder_names();  // resnet18 … resnet152, vgg11 … vgg19_bn
// UsageError for an unknown name or output stride.
std::unique_ptr<Encoder> make_encoder(const std::string& encoder, Module& parent, const std::string& name,
                                      const EncoderOptions& options);

}  // namespace atrous
