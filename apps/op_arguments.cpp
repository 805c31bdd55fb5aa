#include "apps/op_arguments.h"

namespace atrous::app {

Setting<std::vector<std::string>>& OpArguments::describe_op(Options& o) {
    auto& of_shape =
        o.bind("shape", shape, "batch x height x width x channels, such as 16x256x256x64; one for each activation");
    constexpr int64_t most = 65535;  // far beyond any use; kernels count in int
    o.bind("stride", stride, "stride of a convolution or pooling").min(1).max(most);
    o.bind("padding", padding, "padding of a convolution or pooling; not given: the one that keeps the size")
        .min(0)
        .max(most);
    o.bind("dilation", dilation, "dilation of a convolution").min(1).max(most);
    o.bind("out-channels", out_channels, "output channels of a convolution; not given: as many as go in").min(1);
    o.bind("scale", scale, "factor of bilinear upsampling").above(0);
    o.bind("relu", relu, "batch norm with the ReLU behind it (`no-relu`: without)");
    o.bind("bias", bias, "convolution with a bias");
    return of_shape;
}

bench::Workload OpArguments::workload(const Options& o, int64_t kernel, bool align_corners) const {
    bench::Workload w;
    w.op = op;
    for (const std::string& s : shape) w.request.shapes.push_back(bench::parse_shape(s));
    const auto add = [&](const char* name, const char* key, auto value) {
        if (o.at(key).given()) w.request.numbers[name] = double(value);
    };
    add("kernel", "kernel", kernel), add("stride", "stride", stride), add("padding", "padding", padding);
    add("dilation", "dilation", dilation), add("out_channels", "out-channels", out_channels);
    add("scale", "scale", scale), add("align_corners", "align-corners", align_corners);
    add("relu", "relu", relu), add("bias", "bias", bias);
    return w;
}

}  // namespace atrous::app
