#include "benchmarks/harness/workload.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "engine/math_mode.h"
#include "engine/ops/descriptor.h"
#include "engine/ops/dropout.h"
#include "engine/ops/softmax_loss.h"

namespace atrous::bench {

Shape parse_shape(const std::string& text) {
    int64_t dims[4] = {};
    int rank = 0;
    const char *at = text.data(), *end = at + text.size();
    while (rank < 4) {
        const auto [next, error] = std::from_chars(at, end, dims[rank]);
        if (error != std::errc() || dims[rank] < 1) break;
        at = next;
        ++rank;
        if (at == end || *at != 'x') break;
        ++at;
    }
    if (at != end || rank != 4)
        throw UsageError("shape '" + text + "': expected batch x height x width x channels, such as 16x256x256x64");
    return {dims[0], dims[1], dims[2], dims[3]};
}

DType parse_measured_type(const std::string& name) {
    if (name == "fp32" || name == "f32" || name == "tf32") return DType::f32;
    if (name == "fp16" || name == "f16") return DType::f16;
    if (name == "bf16") return DType::bf16;
    throw UsageError("type '" + name + "' is unknown; expected fp32, tf32, bf16 or fp16");
}

std::string measured_name(DType dtype) {
    return dtype == DType::f32 && math_mode() == MathMode::tf32 ? "tf32" : name_of(dtype);
}

std::string Workload::text() const {
    std::string s;
    for (const Shape& shape : request.shapes) s += (s.empty() ? "" : " + ") + shape.text();
    if (!request.parameters.empty() && request.parameters[0].rank() == 4) s += " w " + request.parameters[0].text();
    for (const char* name : {"kernel", "out_channels", "stride", "padding", "dilation", "scale"}) {
        const auto it = request.numbers.find(name);
        const bool usual = std::string(name) == "padding" || (it != request.numbers.end() && it->second == 1);
        if (it != request.numbers.end() && !usual) s += fmt::format(" {} {}", name, it->second);
    }
    return s;
}

static Workload workload_from(const Entry& e, const std::set<int64_t>& made) {
    Workload w{e.op, {}, 1, e.module};
    for (const Value& v : e.inputs) {
        if (v.leaf)
            w.request.parameters.push_back(v.shape);
        else
            w.request.shapes.push_back(v.shape);
    }
    w.request.output = e.output.shape;
    w.request.first_wanted = made.count(e.inputs[0].id) > 0;
    w.request.numbers["to"] = double(e.output.dtype);
    for (const auto& [name, value] : e.attributes)
        std::visit(
            [&, key = &name](const auto& v) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(v)>, std::string>)
                    w.request.numbers[*key] = double(v);
            },
            value);
    return w;
}

static bool same(const Workload& a, const Workload& b) {
    return a.op == b.op && a.request.shapes == b.request.shapes && a.request.parameters == b.request.parameters &&
           a.request.numbers == b.request.numbers && a.request.output == b.request.output &&
           a.request.first_wanted == b.request.first_wanted;
}

NetOps ops_of(const NetConfig& config, ImageSize size, int64_t batch_size, DType compute, bool training) {
    constexpr Device meta{DeviceKind::meta};
    const auto net = make_net(config);
    net->materialize({.device = meta, .compute = compute});
    NetOps result;
    result.parameters = net->parameter_count();
    const Tape tape(Tape::Mode::tracing);
    const Tensor images = Tensor::empty({batch_size, size.height, size.width, config.in_channels}, compute, meta),
                 labels = Tensor::empty({batch_size, size.height, size.width, 1}, DType::u8, meta);
    const StepRandomness random(0, 0);
    net->set_training(training);
    const NetOutputs y = training ? net->forward_training(images) : NetOutputs{net->forward(images), {}};
    for (const Tensor& logits : {y.out, y.aux})
        if (training && logits.defined())
            config.out_channels == 1 ? bce_dice(logits, labels) : softmax_loss(logits, labels);
    const auto measured = cases::measured_ops();
    std::set<int64_t> made;
    std::map<std::string, int> free;
    for (const Entry& e : tape.entries()) {
        const Workload w = workload_from(e, made);
        made.insert(e.output.id);
        const auto known =
            std::find_if(result.ops.begin(), result.ops.end(), [&](const Workload& k) { return same(k, w); });
        if (descriptor_of(e).copies_nothing(e))
            ++free[e.op];
        else if (known != result.ops.end())
            ++known->count;
        else if (std::find(measured.begin(), measured.end(), e.op) == measured.end())
            result.notes.push_back(e.op + " in " + e.module + ": no case of a given size; it is left out");
        else
            result.ops.push_back(w);
    }
    for (const auto& [op, times] : free)
        result.notes.push_back(fmt::format("{} copies nothing in {} places; they are left out", op, times));
    return result;
}

static Shape scaled(const Shape& s, int64_t n, int64_t h, int64_t w) {
    return {std::max<int64_t>(1, s[0] / n), std::max<int64_t>(1, s[1] / h), std::max<int64_t>(1, s[2] / w), s[3]};
}

Workload downscaled(const Workload& whole, double flops) {
    Workload w = whole;
    const int64_t batch = w.request.shapes.at(0)[0];
    int64_t n = 1, h = 1, side = 1;
    for (;;) {
        const Shape& x = w.request.shapes[0];
        const double work = std::max(w.make().flops, double(x.count()));
        if (work <= flops || (n >= batch && x[1] / 2 < 4 && x[2] / 2 < 4)) return w;
        if (n < batch)
            n = std::min(batch, n * 2);
        else if (x[1] / 2 >= 4 && (x[1] >= x[2] || x[2] / 2 < 4))
            h *= 2;
        else
            side *= 2;
        for (size_t i = 0; i < w.request.shapes.size(); ++i)
            w.request.shapes[i] = scaled(whole.request.shapes[i], n, h, side);
        if (whole.request.output.rank() == 4) w.request.output = scaled(whole.request.output, n, h, side);
    }
}

}  // namespace atrous::bench
