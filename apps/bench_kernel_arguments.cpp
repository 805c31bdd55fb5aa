#include "apps/bench_kernel_arguments.h"

#include <fmt/core.h>

#include "apps/bench.h"
#include "models/unet.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/precision.h"
#include "segmentation/score_files.h"

namespace atrous::app {

using namespace bench;

KernelArguments::KernelArguments() {
    o.group("One op");
    o.bind("op", op, "one op: conv2d, batch_norm, max_pool, …");
    describe_op(o);
    o.group("Or a net (--kernel and --align-corners are an op's too)");
    describe(o, net);
    describe_size(o, size);
    describe_batch_size(o, batch_size);
    describe_classes(o, classes);
    o.group("How");
    describe_precision(o, machine).one_of(precision_words()).help =
        "element type and arithmetic: tf32 has float tensors, whose products round their factors on tensor cores";
    describe_device(o, machine);
    o.bind("repetitions", repetitions, "repetitions of each pass, at most").min(5);
    o.bind("budget", budget, "time an op may take; then five repetitions suffice").min(0).unit("seconds");
    o.bind(
        "all", all,
        "all implementations that support the shape, those that --kernels does not choose in brackets; on a GPU also "
        "every way that --tune chooses from");
    o.bind("list", list, "implementations that --kernels chooses from, in order, instead of measuring");
    o.bind(
        "counters", counters,
        "what a profiler would count of each kernel, instead of times: sectors a request, bank conflicts, lanes that "
        "take no part; of the op, or of every op at a small shape. On the device emulated");
    o.bind("unchecked", unchecked, "leave out the comparison with the reference");
    o.bind("predict", predict, "measure nothing: bytes, FLOPs and least time on this GPU, such as H200, A100, T4");
    o.group("Output");
    describe_json(o, json).help = "file for the figures (JSON lines)";
    o.bind("svg", svg, "file for a roofline (SVG)");
    describe_overwrite(o, overwrite);
}

std::vector<Workload> KernelArguments::wanted(DType type) const {
    if (op.empty() != o.at("model").given())
        throw UsageError("say what to measure: `op` OP `shape` 16x256x256x64, or `model` unet");
    if (op.empty()) {
        const NetOps ops = ops_of(measured_net(o, net, classes), size, batch_size, type);
        for (const std::string& note : ops.notes) fmt::print("note: {}\n", note);
        return ops.ops;
    }
    Settings of_net;
    NetConfig unused;
    describe(of_net, unused);
    for (const auto& s : of_net.all())
        if (s->key != "kernel" && s->key != "align-corners" && o.at(s->key).given())
            throw UsageError("`" + s->key + "` belongs to a net, not to `op`");
    const UNetOptions& of_unet = net.models.of<UNetModel>("unet").options;
    return {workload(o, of_unet.kernel, of_unet.align_corners)};
}

}  // namespace atrous::app
