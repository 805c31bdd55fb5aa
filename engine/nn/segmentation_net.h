// The trainer sees every net as this: images in, logits out.
#pragma once

#include <memory>
#include <string>

#include "engine/nn/module.h"

namespace atrous {

// Logits [N][H][W][classes]. aux: of an auxiliary head, which only helps to train; undefined where a net has none.
struct NetOutputs {
    Tensor out, aux;
};

class SegmentationNet : public Module {
 public:
    // x [N][H][W][in_channels] of any size. Where H or W is no multiple of input_multiple(), zeros are added below and
    // on the right, and the logits are cropped again.
    Tensor forward(const Tensor& x) { return padded(x, false).out; }
    NetOutputs forward_training(const Tensor& x) { return padded(x, true); }  // with the auxiliary head

    virtual int64_t in_channels() const = 0;
    virtual int64_t out_channels() const = 0;  // 1 for a binary net, else the number of classes
    virtual int64_t input_multiple() const = 0;
    virtual Module* encoder() { return nullptr; }  // the part that pretrained weights are for, if there is one

 protected:
    // x of a size that is a multiple of input_multiple(). The auxiliary head runs only if it is asked for.
    virtual NetOutputs compute(const Tensor& x, bool with_auxiliary) = 0;

 private:
    NetOutputs padded(const Tensor& x, bool with_auxiliary);
};

}  // namespace atrous
