// Runs a case on a device and brings what it computed to the host.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "benchmarks/cases/case.h"

namespace atrous::cases {

// How activations, their gradients and the incoming gradient lie: on their own, or as channels of a wider tensor whose
// other channels hold NaN. Slices begin at a multiple of 8 channels; `aligned` makes the pitch one too, `odd` does not.
enum class Pitch { dense, aligned, odd };

struct RunOptions {
    Device device;
    DType dtype = DType::f32;     // of activations
    DType rounding = DType::f32;  // values are rounded to this first
    bool integers = false;
    Pitch pitch = Pitch::dense;
    bool destination = false;  // give the op a slice of a wider tensor to write into
    bool prior = false;        // gradients are added to prior_of(…)
    bool backward = true;      // false: without a tape
    int only = -1;             // the one input whose gradient is wanted; -1: all
};

struct Array {
    DType type = DType::f32;
    std::vector<double> values;
};

struct Outcome {
    std::map<std::string, Array> arrays;  // "output", "gradient of x", "x afterwards"
    std::string damage;  // names a buffer of which a byte outside the slice was changed, or an output put elsewhere
};

Outcome run_case(const Case& c, const RunOptions& options);

// The forward pass alone, without a tape, on given values.
std::vector<double> run_forward(const Case& c, Device device, DType dtype,
                                const std::vector<std::vector<double>>& values);

// What a gradient buffer holds before a run that adds to it.
std::vector<double> prior_of(const Case& c, size_t input);

Tensor output_on_meta(const Case& c, DType dtype);  // shape and type

// A tensor with the given values (none: every byte 0xff, which is NaN in every real type).
Tensor tensor_of(const Shape& shape, DType dtype, Device device, Pitch pitch, const std::vector<double>& values);
std::vector<double> values_in(const Tensor& t);  // dense or a slice; without running any kernel
bool neighbours_untouched(const Tensor& slice);  // of a tensor_of

}  // namespace atrous::cases
