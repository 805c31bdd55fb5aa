// The precision of a training or a prediction: fp32, tf32, bf16 or fp16, and what `auto` means on a device.
//
//   word   activations and convolution weights   products of convolutions on a GPU
//   fp32   float                                  float, exactly
//   tf32   float                                  tensor cores: factors rounded to 10 bits of mantissa, sums float
//   bf16   bf16, masters in float                 tensor cores, sums float
//   fp16   f16, masters in float                  tensor cores, sums float; the loss is scaled
//
// Where a device has no TF32 (the cpu, GPUs before capability 8.0) tf32 computes in fp32, as in PyTorch: it allows
// rounding, it does not ask for it. So a checkpoint of tf32 is evaluated, and a training resumed, anywhere.
#pragma once

#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/settings.h"
#include "engine/device.h"
#include "segmentation/machine.h"

namespace atrous {

// Without auto.
inline const std::vector<std::string>& precision_words() {
    static const std::vector<std::string> words{"fp32", "tf32", "bf16", "fp16"};
    return words;
}

// Declares the setting `precision`; its words are auto and precision_words().
Setting<std::string>& describe_precision(Settings& settings, Machine& machine);

// What `auto` is: the fastest arithmetic of the device that keeps float tensors, or where it has tensor cores for
// halves alone, those. On the cpu fp32; on a GPU of capability 8.0 and later tf32; on one of 7.0 to 7.5 (V100, T4,
// RTX 20) fp16; on older ones fp32. A GPU that is not here, whose memory is planned, counts as one of 8.0.
std::string automatic_precision(Device device);
std::string automatic_precision(int capability);  // of a GPU: 10 * major + minor
// The word itself, or for auto what it is on the device.
std::string definite_precision(const std::string& word, Device device);

bool has_tf32(Device device);
// One line where the device computes something else than the word says, and where another word is faster there; empty:
// nothing is to be said.
std::string precision_note(const std::string& word, Device device);

// The element type, and from here on the arithmetic of the process (engine/math_mode.h). UsageError for a word that is
// no precision, and for one that the device lacks: fp16 on the cpu, bf16 on a cpu without AVX-512.
DType use_precision(const std::string& word, Device device);

}  // namespace atrous
