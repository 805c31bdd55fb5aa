// Times single GPU kernels on random data from a cold L2, forward and backward apart, under the names that
// benchmarks/peers/gpu_kernels.py uses for PyTorch's. JSON lines: ceilings first and last, one line a case.
//   kernel_times [--tiny] [--only TEXT] [--reps N] [--kernels WORD]
// --tiny: small shapes, to try the program out (the emulator included). --only: cases whose name contains TEXT.
// --kernels: auto, own or an implementation of convolutions by its name.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/variant.h"
#include "benchmarks/harness/hashed.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/tensor.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "kernels/loss.h"
#include "kernels/metrics.h"
#include "kernels/norm.h"
#include "kernels/optim.h"
#include "kernels/pool.h"
#include "kernels/resize.h"
#include "kernels/softmax_loss.h"

using namespace atrous;
namespace k = atrous::kernels;

namespace {

struct Work {
    std::string op, direction;
    DType dtype;
    std::vector<int64_t> shape;
    double bytes = 0, flops = 0;  // the fewest bytes: inputs read once, outputs written once
};

class Bench {
 public:
    bool tiny = false;
    int reps = 20;
    std::string only;
    const Device device{DeviceKind::gpu};

    Bench(int argc, char** argv) {
        for (int i = 1; i < argc; ++i) {
            const std::string option = argv[i];
            if (option == "--tiny")
                tiny = true, reps = 2;
            else if (option == "--only" && i + 1 < argc)
                only = argv[++i];
            else if (option == "--reps" && i + 1 < argc)
                reps = std::max(1, std::atoi(argv[++i]));
            else if (option == "--kernels" && i + 1 < argc)
                set_kernel_choice(parse_kernel_choice(argv[++i]));
            else
                throw UsageError("usage: kernel_times [--tiny] [--only TEXT] [--reps N] [--kernels WORD]; found '" +
                                 option + "'");
        }
        const auto values = hashed("kernel_times", block_elements());
        const std::vector<float> block(values.begin(), values.end());
        block_ = Tensor::empty({int64_t(block.size())}, DType::f32, device);
        block_.copy_from_host(block.data(), block_.bytes());
        const int64_t side = tiny ? 64 : 8192;  // 256 MiB of logits and 64 of labels: several times any L2
        flush_ = random({2, side, side, 1}, DType::f32);
        flush_labels_ = Tensor::full({2, side, side, 1}, DType::u8, device, 1);
        flush_counts_ = Tensor::full({4}, DType::i64, device, 0);
    }

    bool wanted(const std::string& op) const { return only.empty() || op.find(only) != std::string::npos; }

    // Uniform in [-1, 1), repeating after 64 MiB of floats.
    Tensor random(const Shape& shape, DType dtype) {
        Tensor t = Tensor::empty(shape, dtype, device);
        const Tensor& block = block_of(dtype);
        for (size_t at = 0; at < t.bytes(); at += block.bytes())
            gpu::copy_async(static_cast<char*>(t.data()) + at, block.data(), std::min(block.bytes(), t.bytes() - at),
                            context().stream());
        return t;
    }
    Tensor empty(const Shape& shape, DType dtype) { return Tensor::empty(shape, dtype, device); }

    template <class Args>
    void submit(void (*kernel)(Queue&, const Args&), const Args& args) {
        context().submit(kernel, args);
    }

    // Median, 10th and 90th percentile of single calls. The flush before a call keeps the GPU busy while the call is
    // submitted, so that gaps between launches stay out of its time.
    void time(const Work& w, const std::function<void()>& run) {
        VariantLog log;
        run();
        const std::string variant = fmt::format("{}", fmt::join(log.names(), " "));
        run();
        std::vector<float> ms;
        for (int i = 0; i < reps; ++i) {
            flush();
            gpu::Event begin, end;
            begin.record(context().stream());
            run();
            end.record(context().stream());
            end.synchronize();
            ms.push_back(end.ms_since(begin));
        }
        std::sort(ms.begin(), ms.end());
        const auto at = [&](double share) { return ms[size_t(share * double(ms.size() - 1) + 0.5)]; };
        const double median = std::max(at(0.5), 1e-6f);
        fmt::print(
            "{{\"kind\": \"kernel\", \"engine\": \"atrous\", \"op\": \"{}\", \"direction\": \"{}\", \"dtype\": "
            "\"{}\", \"shape\": [{}], \"variant\": \"{}\", \"ms_median\": {:.5f}, \"ms_p10\": {:.5f}, "
            "\"ms_p90\": {:.5f}, \"reps\": {}, \"bytes\": {:.0f}, \"gb_s\": {:.1f}",
            w.op, w.direction, name_of(w.dtype), fmt::join(w.shape, ", "), variant, median, at(0.1), at(0.9), ms.size(),
            w.bytes, w.bytes / median / 1e6);
        if (w.flops > 0) fmt::print(", \"flops\": {:.0f}, \"tflop_s\": {:.2f}", w.flops, w.flops / median / 1e9);
        fmt::print("}}\n");
        std::fflush(stdout);
    }

    void ceilings(const char* when) {
        const Tensor from = random({tiny ? 1 << 16 : int64_t(1) << 30}, DType::f32);
        const Tensor to = empty(from.shape(), DType::f32);
        std::vector<float> ms;
        for (int i = 0; i < 12; ++i) {
            gpu::Event begin, end;
            begin.record(context().stream());
            gpu::copy_async(to.data(), from.data(), from.bytes(), context().stream());
            end.record(context().stream());
            end.synchronize();
            if (i >= 2) ms.push_back(std::max(end.ms_since(begin), 1e-6f));
        }
        std::sort(ms.begin(), ms.end());
        fmt::print("{{\"kind\": \"ceilings\", \"engine\": \"atrous\", \"when\": \"{}\", \"copy_gb_s\": {:.1f}}}\n",
                   when, 2 * double(from.bytes()) / ms[ms.size() / 2] / 1e6);
        std::fflush(stdout);
    }

 private:
    int64_t block_elements() const { return tiny ? 1 << 12 : 1 << 24; }
    Context& context() { return context_of(device); }
    const Tensor& block_of(DType dtype) {
        if (dtype == DType::f32) return block_;
        Tensor& half = dtype == DType::bf16 ? bf16_block_ : f16_block_;
        if (!half.defined()) {
            half = Tensor::empty(block_.shape(), dtype, device);
            half.copy_from(block_);
        }
        return half;
    }
    void flush() {  // reads only: what was written would have to be written back during the call
        submit(k::cuda::confusion,
               k::ConfusionArgs{flush_.view(), flush_labels_.as<uint8_t>(), flush_counts_.as<int64_t>()});
    }
    Tensor block_, bf16_block_, f16_block_, flush_, flush_labels_, flush_counts_;
};

double bytes_of(const std::vector<const Tensor*>& tensors) {
    double bytes = 0;
    for (const Tensor* t : tensors) bytes += double(t->bytes());
    return bytes;
}

void batch_norm(Bench& b, bool relu) {
    const char* op = relu ? "batch_norm_relu" : "batch_norm";
    if (!b.wanted(op)) return;
    const int64_t c = 64, side = b.tiny ? 16 : 512, n = b.tiny ? 2 : 16;
    const DType t = DType::bf16;
    const Tensor x = b.random({n, side, side, c}, t), dy = b.random(x.shape(), t), y = b.empty(x.shape(), t);
    const Tensor gamma = b.random({c}, DType::f32), beta = b.random({c}, DType::f32);
    const Tensor mean = b.empty({c}, DType::f32), inv_std = b.empty({c}, DType::f32);
    const Tensor running_mean = Tensor::full({c}, DType::f32, b.device, 0),
                 running_var = Tensor::full({c}, DType::f32, b.device, 1);
    k::BatchNormForwardArgs f;
    f.x = x.view(), f.y = y.view(), f.gamma = gamma.data(), f.beta = beta.data();
    f.mean = mean.data(), f.inv_std = inv_std.data(), f.running_mean = running_mean.data();
    f.running_var = running_var.data(), f.relu = relu;
    const double bytes = double(x.bytes());
    b.time({op, "forward", t, {n, c, side, side}, 3 * bytes}, [&] { b.submit(k::cuda::batch_norm_forward, f); });
    const Tensor dgamma = b.empty({c}, DType::f32), dbeta = b.empty({c}, DType::f32);
    k::BatchNormBackwardArgs g;
    g.dy = dy.view(), g.x = x.view(), g.gamma = gamma.data(), g.beta = beta.data();
    g.mean = mean.data(), g.inv_std = inv_std.data(), g.dx = {y.view(), false};
    g.dgamma = {dgamma.data(), false}, g.dbeta = {dbeta.data(), false}, g.relu = relu;
    b.time({op, "backward", t, {n, c, side, side}, 5 * bytes}, [&] { b.submit(k::cuda::batch_norm_backward, g); });
}

void bilinear(Bench& b, const std::string& op, int64_t c, int64_t small, int64_t scale, bool corners) {
    if (!b.wanted(op)) return;
    const int64_t n = b.tiny ? 1 : 16, side = b.tiny ? 6 : small;
    const DType t = DType::bf16;
    const Tensor x = b.random({n, side, side, c}, t), y = b.random({n, side * scale, side * scale, c}, t);
    const double bytes = bytes_of({&x, &y});
    b.time({op, "forward", t, {n, c, side, side}, bytes}, [&] {
        b.submit(k::cuda::bilinear_forward, k::BilinearForwardArgs{x.view(), y.view(), corners});
    });
    b.time({op, "backward", t, {n, c, side, side}, bytes}, [&] {
        b.submit(k::cuda::bilinear_backward, k::BilinearBackwardArgs{y.view(), {x.view(), false}, corners});
    });
}

void max_pool(Bench& b) {
    if (!b.wanted("max_pool_2x2")) return;
    const int64_t n = b.tiny ? 1 : 16, c = 64, side = b.tiny ? 8 : 512;
    const DType t = DType::bf16;
    const Tensor x = b.random({n, side, side, c}, t), y = b.random({n, side / 2, side / 2, c}, t);
    const Tensor indices = b.empty(y.shape(), DType::u8);
    const double bytes = bytes_of({&x, &y, &indices});
    b.time({"max_pool_2x2", "forward", t, {n, c, side, side}, bytes}, [&] {
        b.submit(k::cuda::max_pool_forward, k::MaxPoolForwardArgs{x.view(), y.view(), indices.as<uint8_t>(), {}});
    });
    b.time({"max_pool_2x2", "backward", t, {n, c, side, side}, bytes}, [&] {
        b.submit(k::cuda::max_pool_backward,
                 k::MaxPoolBackwardArgs{y.view(), indices.as<uint8_t>(), {x.view(), false}, {}});
    });
}

void loss(Bench& b) {
    const char* op = "bce_dice_byte_target";
    if (!b.wanted(op)) return;
    const int64_t n = b.tiny ? 2 : 64, side = b.tiny ? 16 : 1024;
    const DType t = DType::bf16;
    const Tensor z = b.random({n, side, side, 1}, t), dz = b.empty(z.shape(), t);
    Tensor labels = b.empty(z.shape(), DType::u8);
    std::vector<uint8_t> ids;
    for (double u : hashed("labels", labels.count())) ids.push_back(u > 0);
    labels.copy_from_host(ids.data(), ids.size());
    const Tensor sums = b.empty({n * k::bce_dice_sums}, DType::f32), terms = b.empty({4}, DType::f32),
                 one = Tensor::full({1}, DType::f32, b.device, 1);
    k::BceDiceOptions options;
    options.groups = k::DiceGroups::all, options.ignore_index = -1;
    b.time({op, "forward", t, {n, 1, side, side}, bytes_of({&z, &labels})}, [&] {
        b.submit(k::cuda::bce_dice_forward,
                 k::BceDiceForwardArgs{z.view(), labels.as<uint8_t>(), sums.data(), terms.data(), options});
    });
    b.time({op, "backward", t, {n, 1, side, side}, bytes_of({&z, &dz, &labels})}, [&] {
        b.submit(k::cuda::bce_dice_backward,
                 k::BceDiceBackwardArgs{
                     z.view(), labels.as<uint8_t>(), sums.data(), one.data(), {dz.view(), false}, options});
    });
}

// Cross-entropy over 21 classes, one pixel in forty ignored.
void softmax_cross_entropy(Bench& b) {
    const char* op = "softmax_ce";
    if (!b.wanted(op)) return;
    const int64_t n = b.tiny ? 1 : 16, side = b.tiny ? 9 : 520, classes = 21;
    const DType t = DType::bf16;
    const Tensor z = b.random({n, side, side, classes}, t), dz = b.empty(z.shape(), t);
    Tensor labels = b.empty({n, side, side, 1}, DType::u8);
    std::vector<uint8_t> ids;
    for (double u : hashed("labels", labels.count()))
        ids.push_back(u > 0.95 ? 255 : uint8_t((u + 1) / 2 * double(classes)));
    labels.copy_from_host(ids.data(), ids.size());
    const Tensor sums = b.empty({n * k::softmax_loss_sums(z.view())}, DType::f32),
                 counts = b.empty({n * classes}, DType::i64), terms = b.empty({4}, DType::f32),
                 one = Tensor::full({1}, DType::f32, b.device, 1);
    k::SoftmaxLossForwardArgs f;
    f.logits = z.view(), f.labels = labels.as<uint8_t>();
    f.sums = sums.data(), f.counts = counts.as<int64_t>(), f.loss = terms.data();
    b.time({op, "forward", t, {n, classes, side, side}, bytes_of({&z, &labels})},
           [&] { b.submit(k::cuda::softmax_loss_forward, f); });
    k::SoftmaxLossBackwardArgs g;
    g.logits = z.view(), g.labels = labels.as<uint8_t>();
    g.sums = sums.data(), g.counts = counts.as<int64_t>(), g.grad_output = one.data(), g.dlogits = {dz.view(), false};
    b.time({op, "backward", t, {n, classes, side, side}, bytes_of({&z, &dz, &labels})},
           [&] { b.submit(k::cuda::softmax_loss_backward, g); });
}

// "update" is what a fused Adam of PyTorch does; "step" also has the gradients' norm and the check that all are finite.
void adam(Bench& b, const std::string& name, int64_t full_count) {
    if (!b.wanted(name)) return;
    const int64_t count = b.tiny ? 10000 : full_count;
    const Tensor p = b.random({count}, DType::f32), g = b.random({count}, DType::f32),
                 m = b.random({count}, DType::f32), v = Tensor::full({count}, DType::f32, b.device, 0.5),
                 half = b.empty({count}, DType::bf16);
    std::vector<k::OptimChunk> chunks;
    for (int64_t at = 0; at < count; at += k::optim_chunk_elements)
        chunks.push_back({at, int32_t(std::min<int64_t>(k::optim_chunk_elements, count - at)), 0});
    const auto bytes_on = [&](const void* data, size_t bytes) {
        Tensor t = b.empty({int64_t(bytes)}, DType::u8);
        t.copy_from_host(data, bytes);
        return t;
    };
    k::StepState start;
    start.learning_rate = 1e-4;
    const Tensor list = bytes_on(chunks.data(), chunks.size() * sizeof(k::OptimChunk)),
                 state = bytes_on(&start, sizeof start);
    auto* const s = state.as<k::StepState>();
    for (const bool with_half : {false, true}) {
        k::Arena a;
        a.parameters = p.data(), a.gradients = g.data(), a.moment1 = m.data(), a.moment2 = v.data();
        a.half = with_half ? half.data() : nullptr, a.count = count;
        a.chunks = list.as<k::OptimChunk>(), a.chunk_count = int64_t(chunks.size());
        const auto update = [&] { b.submit(k::cuda::adam_step, k::AdamArgs{a, s}); };
        const double bytes = double(count) * (with_half ? 30 : 28);
        const std::string op = with_half ? name + "_with_half_copy" : name;
        b.time({op, "update", DType::f32, {count}, bytes}, update);
        b.time({op, "step", DType::f32, {count}, bytes + 4 * double(count)}, [&] {
            b.submit(k::cuda::grad_statistics, k::GradStatisticsArgs{a, s, 0});
            update();
            b.submit(k::cuda::finish_step, k::FinishStepArgs{s});
        });
    }
}

void convolution(Bench& b, const std::string& name, int64_t in, int64_t out, int64_t size, int64_t kernel, DType t,
                 int dilation = 1) {
    const std::string op = fmt::format("{}_{}_{}_{}", name, in, out, size);
    if (!b.wanted(op)) return;
    const int64_t n = b.tiny ? 1 : 16, side = b.tiny ? 9 : size, i = b.tiny ? in / 32 + 8 : in,
                  o = b.tiny ? out / 32 + 8 : out;
    const k::ConvGeometry geometry{1, int(dilation * (kernel / 2)), dilation};
    const Tensor x = b.random({n, side, side, i / 8 * 8}, t), y = b.random({n, side, side, o / 8 * 8}, t);
    const Tensor w = b.random({y.dim(3), kernel, kernel, x.dim(3)}, t), dw = b.empty(w.shape(), DType::f32);
    const double flops = 2.0 * double(y.count() * x.dim(3) * kernel * kernel), bytes = bytes_of({&x, &y, &w});
    const std::vector<int64_t> shape{n, x.dim(3), side, side};
    b.time({op, "forward", t, shape, bytes, flops}, [&] {
        b.submit(k::cuda::conv_forward, k::ConvForwardArgs{x.view(), w.view(), nullptr, y.view(), geometry});
    });
    b.time({op, "input_gradient", t, shape, bytes, flops}, [&] {
        b.submit(k::cuda::conv_backward_input,
                 k::ConvBackwardInputArgs{y.view(), w.view(), {x.view(), false}, geometry});
    });
    b.time({op, "weight_gradient", t, shape, bytes_of({&x, &y, &dw}), flops}, [&] {
        b.submit(k::cuda::conv_backward_weight,
                 k::ConvBackwardWeightArgs{x.view(), y.view(), {dw.view(), false}, {}, geometry});
    });
}

void transposed(Bench& b, int64_t in, int64_t size, DType t) {
    const std::string op = fmt::format("conv_transpose2x2_{}_{}_{}", in, in / 2, size);
    if (!b.wanted(op)) return;
    const int64_t n = b.tiny ? 1 : 16, side = b.tiny ? 5 : size, i = b.tiny ? 16 : in, o = i / 2;
    const Tensor x = b.random({n, side, side, i}, t), y = b.random({n, 2 * side, 2 * side, o}, t);
    const Tensor w = b.random({2, 2, o, i}, t), dw = b.empty(w.shape(), DType::f32);
    const double flops = 2.0 * double(y.count() * i), bytes = bytes_of({&x, &y, &w});
    const std::vector<int64_t> shape{n, i, side, side};
    b.time({op, "forward", t, shape, bytes, flops}, [&] {
        b.submit(k::cuda::conv_transpose_forward, k::ConvTransposeForwardArgs{x.view(), w.view(), nullptr, y.view()});
    });
    b.time({op, "input_gradient", t, shape, bytes, flops}, [&] {
        b.submit(k::cuda::conv_transpose_backward_input,
                 k::ConvTransposeBackwardInputArgs{y.view(), w.view(), {x.view(), false}});
    });
    b.time({op, "weight_gradient", t, shape, bytes_of({&x, &y, &dw}), flops}, [&] {
        b.submit(k::cuda::conv_transpose_backward_weight,
                 k::ConvTransposeBackwardWeightArgs{x.view(), y.view(), {dw.view(), false}, {}});
    });
}

void run_all(Bench& b) {
    b.ceilings("first");
    batch_norm(b, false);
    batch_norm(b, true);
    bilinear(b, "bilinear_x2", 128, 256, 2, false);
    bilinear(b, "bilinear_x2_align_corners", 128, 256, 2, true);
    bilinear(b, "bilinear_x8", 21, 65, 8, false);
    max_pool(b);
    loss(b);
    softmax_cross_entropy(b);
    adam(b, "adam_31m", 31037633);
    adam(b, "adam_61m", 60996202);
    for (const DType t : {DType::bf16, DType::f16}) {
        for (const auto& [channels, size] : {std::pair{64, 512}, {128, 256}, {256, 128}, {512, 64}})
            convolution(b, "conv3x3", channels, channels, size, 3, t);
        for (const auto& [channels, size] : {std::pair{1024, 32}, {512, 64}, {256, 128}, {128, 256}})
            transposed(b, channels, size, t);
        for (const int64_t channels : {2048, 1024}) convolution(b, "conv1x1", channels, 256, 65, 1, t);
        for (const int dilation : {1, 6, 12, 18, 24, 36})
            convolution(b, fmt::format("conv3x3_d{}", dilation), 2048, 256, 65, 3, t, dilation);
    }
    b.ceilings("last");
}

}  // namespace

int main(int argc, char** argv) try {
    std::string why;
    if (gpu::device_count(&why) == 0) throw GpuError("kernel_times: no usable GPU: " + why);
    Bench bench(argc, argv);
    run_all(bench);
    return 0;
} catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
