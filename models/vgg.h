// VGG (Simonyan & Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015, table 1:
// A, B, D, E), with and without batch norm, as torchvision builds it: five stages of 3x3 convolutions with ReLU, each
// followed by a 2x2 max pool, then [classifier].
#pragma once

#include "models/encoder.h"

namespace atrous {

class Vgg : public Encoder {
 public:
    static std::vector<std::string> names();  // vgg11, 13, 16, 19, each also with _bn
    Vgg(const std::string& kind, Module& parent, const std::string& name, const EncoderOptions& options);
    ~Vgg() override;
    // The five stages before their pools; behind the last pool where there is one (output stride 32).
    std::vector<Tensor> features(const Tensor& x) override;
    int64_t input_multiple() const override { return int64_t(1) << pools_; }
    Tensor classify(const Tensor& x) override;  // of 224x224 images

 private:
    struct Layer;
    struct Classifier;
    Group features_;
    std::vector<std::vector<Layer>> stages_;
    int pools_;  // stages that are followed by a pool
    std::unique_ptr<Classifier> classifier_;
};

}  // namespace atrous
