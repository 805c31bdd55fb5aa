// What `atrous bench kernels` is asked for.
#pragma once

#include <string>
#include <vector>

#include "apps/op_arguments.h"
#include "benchmarks/harness/workload.h"
#include "models/catalogue.h"
#include "segmentation/machine.h"

namespace atrous::app {

struct KernelArguments : OpArguments {
    double budget = 2;
    bool unchecked = false, overwrite = false, all = false, list = false, counters = false;
    NetConfig net;  // its settings kernel, align-corners and batch-norm serve an op too
    ImageSize size = 256;
    int64_t batch_size = 4, classes = 2, repetitions = 20;
    Machine machine{.precision = "fp32"};
    std::string predict, json, svg;
    Options o{"bench kernels",
              "Times ops, forward and backward, against what this machine can do at most, and compares them with the "
              "reference: one op (--op), or all distinct ops of a training step of a net (--model). GB/s and TFLOP/s "
              "count what cannot be avoided."};

    KernelArguments();
    std::vector<bench::Workload> wanted(DType dtype) const;
};

}  // namespace atrous::app
