// What is to be measured: one op at given shapes, or all ops of a net's training step.
#pragma once

#include <string>
#include <vector>

#include "base/image_size.h"
#include "benchmarks/cases/case.h"
#include "models/catalogue.h"

namespace atrous::bench {

struct Workload {
    std::string op;
    cases::Request request;
    int count = 1;      // times in a step
    std::string where;  // the first layer that runs it

    cases::Case make() const { return cases::case_at(op, request); }
    std::string text() const;  // "16x64x64x256 w 512x3x3x256 dilation 2"
};

Shape parse_shape(const std::string& text);          // "16x256x256x64"; UsageError
DType parse_measured_type(const std::string& name);  // fp32, tf32, bf16, fp16 or f32, f16; UsageError
std::string measured_name(DType dtype);              // name_of, or tf32 where this process multiplies floats so

struct NetOps {
    std::vector<Workload> ops;  // distinct, in order of first use
    std::vector<std::string> notes;
    int64_t parameters = 0;
};
// Runs the net and its loss, or with training off its forward pass in evaluation mode, on the meta device and reads its
// tape; nothing is computed.
NetOps ops_of(const NetConfig& net, ImageSize size, int64_t batch_size, DType compute, bool training = true);

// The same op with so few pixels that `flops` of the forward pass suffice, at least 4x4 of one image: channels, kernel,
// stride and dilation stay.
Workload downscaled(const Workload& wanted, double flops);

}  // namespace atrous::bench
