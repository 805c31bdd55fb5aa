// Compares the convolutions of U-Net 64 at 16x512x512 and of DeepLabV3's ASPP at 16x65x65, forward, input and weight
// gradient, on the GPU itself: in half precision or TF32 by our own kernels (tensor cores where the shape allows; on Hopper
// by "wgmma" and by "mma") and by cuDNN where it is, each with the same convolution of the same values in fp32 by plain
// arithmetic (`simt`), which fails where ours would be that kernel too. JSON lines; exit code 1 where one is further off
// than rounding explains, left an element unwritten, or "wgmma" is missing on Hopper, where a line says why it skips a layer.
//   full_size_check [--tiny] [--f16 | --tf32] [--reps N] [--only TEXT] [--wrong]
// --reps: times each as well. --wrong: gives the compared side another first element, which has to be noticed.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/variant.h"
#include "benchmarks/difference.h"
#include "benchmarks/harness/hashed.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/tensor.h"
#include "kernels/conv_transpose.h"
#include "kernels/cuda/conv_cudnn.h"
#include "kernels/cuda/conv_wgmma.h"

using namespace atrous;
namespace k = atrous::kernels;

namespace {

struct Layer {
    std::string name;
    int64_t in, out, size, kernel;
    int dilation = 1;
    bool transposed = false;
};

struct Options {
    bool tiny = false, wrong = false;
    DType dtype = DType::bf16;
    MathMode math = MathMode::exact;  // of the compared side
    int reps = 0;
    std::string only;
};

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const bool has_value = i + 1 < argc;
        if (option == "--tiny")
            o.tiny = true;
        else if (option == "--wrong")
            o.wrong = true;
        else if (option == "--f16")
            o.dtype = DType::f16;
        else if (option == "--tf32")
            o.dtype = DType::f32, o.math = MathMode::tf32;
        else if (option == "--reps" && has_value)
            o.reps = std::max(0, std::atoi(argv[++i]));
        else if (option == "--only" && has_value)
            o.only = argv[++i];
        else
            throw UsageError(
                "usage: full_size_check [--tiny] [--f16 | --tf32] [--reps N] [--only TEXT] [--wrong]; found '" +
                option + "'");
    }
    return o;
}

std::vector<Layer> layers() {
    std::vector<Layer> list;
    int64_t below = 3;
    for (int64_t channels = 64, size = 512; channels <= 1024; channels *= 2, size /= 2) {
        list.push_back({"unet.encoder", below, channels, size, 3});
        list.push_back({"unet.encoder", channels, channels, size, 3});
        below = channels;
    }
    for (int64_t channels = 512, size = 64; channels >= 64; channels /= 2, size *= 2) {
        list.push_back({"unet.up", 2 * channels, channels, size / 2, 2, 1, true});
        list.push_back({"unet.decoder", 2 * channels, channels, size, 3});
    }
    list.push_back({"unet.logits", 64, 1, 512, 1});
    list.push_back({"aspp", 2048, 256, 65, 1});
    for (int dilation : {12, 24, 36}) list.push_back({"aspp", 2048, 256, 65, 3, dilation});
    list.push_back({"aspp.project", 1280, 256, 65, 1});
    return list;
}

// Whether cuDNN took the last kernel that was submitted to it.
bool cudnn_took_it = false;
template <class Args>
void by_cudnn(Queue& q, const Args& a) {
    cudnn_took_it = k::cuda::cudnn_supports(q, a);
    if (cudnn_took_it) k::cuda::cudnn_run(q, a);
}

class Check {
 public:
    explicit Check(const Options& o) : o_(o) {
        // A prime number of values: no two images, rows or channels are alike.
        const auto values = hashed("full_size_check", o.tiny ? 4093 : 16777213);
        const std::vector<float> floats(values.begin(), values.end());
        block32_ = Tensor::empty({int64_t(floats.size())}, DType::f32, device_);
        block32_.copy_from_host(floats.data(), block32_.bytes());
        block_ = Tensor::empty(block32_.shape(), o.dtype, device_);
        block_.copy_from(block32_);
    }
    bool holds() const { return failed_ == 0; }

    void run(const Layer& l) {
        layer_ = fmt::format("{}_{}{}x{}_{}_{}_{}", l.name, l.transposed ? "transposed" : "conv", l.kernel, l.kernel,
                             l.in, l.out, l.size);
        if (l.dilation > 1) layer_ += fmt::format("_d{}", l.dilation);
        if (layer_.find(o_.only) == std::string::npos) return;
        const auto channels = [&](int64_t n) { return o_.tiny && n > 8 ? n / 64 * 8 + 8 : n; };
        const int64_t n = o_.tiny ? 2 : 16, side = o_.tiny ? 7 : l.size, in = channels(l.in), out = channels(l.out);
        const int64_t out_side = l.transposed ? 2 * side : side;
        x_ = random({n, side, side, in}), dy_ = random({n, out_side, out_side, out});
        w_ = random(l.transposed ? Shape{2, 2, out, in} : Shape{out, l.kernel, l.kernel, in});
        x32_ = floats(x_), dy32_ = floats(dy_), w32_ = floats(w_);
        if (o_.wrong)
            for (const Tensor* t : {&x_, &dy_, &w_})
                gpu::copy_async(t->data(), t->as<char>() + t->bytes() / 2 / 16 * 16, size_of(o_.dtype), stream());
        l.transposed ? transposed() : convolution({1, l.dilation * int(l.kernel / 2), l.dilation}, l.in == 3);
    }

 private:
    // Half types round what is stored once, TF32 each factor; sums of a weight gradient's products are float and stay
    // so, unless cuDNN computes them.
    struct Limit {
        double most, l2;
    };
    Limit limit_of(const Tensor& out, bool cudnn) const {
        if (out.dtype() == DType::f32 && !cudnn && o_.math == MathMode::exact) return {1e-3, 1e-3};
        const double rounding = o_.dtype == DType::bf16 ? 0x1p-8 : 0x1p-11;
        return {2 * rounding, rounding};
    }

    // Images want no gradient, and for theirs there is plain arithmetic alone.
    void convolution(const k::ConvGeometry& g, bool of_images) {
        const Tensor y = empty_like(dy_), y32 = empty_like(dy32_);
        compare("forward", k::cuda::conv_forward, k::ConvForwardArgs{x32_.view(), w32_.view(), nullptr, y32.view(), g},
                k::ConvForwardArgs{x_.view(), w_.view(), nullptr, y.view(), g}, y32, y);
        const Tensor dx = empty_like(x_), dx32 = empty_like(x32_);
        if (!of_images)
            compare("input_gradient", k::cuda::conv_backward_input,
                    k::ConvBackwardInputArgs{dy32_.view(), w32_.view(), {dx32.view(), false}, g},
                    k::ConvBackwardInputArgs{dy_.view(), w_.view(), {dx.view(), false}, g}, dx32, dx);
        const Tensor dw = empty_like(w32_), dw32 = empty_like(w32_);
        compare("weight_gradient", k::cuda::conv_backward_weight,
                k::ConvBackwardWeightArgs{x32_.view(), dy32_.view(), {dw32.view(), false}, {}, g},
                k::ConvBackwardWeightArgs{x_.view(), dy_.view(), {dw.view(), false}, {}, g}, dw32, dw);
    }

    void transposed() {
        const Tensor y = empty_like(dy_), y32 = empty_like(dy32_), dx = empty_like(x_), dx32 = empty_like(x32_),
                     dw = empty_like(w32_), dw32 = empty_like(w32_);
        compare("forward", k::cuda::conv_transpose_forward,
                k::ConvTransposeForwardArgs{x32_.view(), w32_.view(), nullptr, y32.view()},
                k::ConvTransposeForwardArgs{x_.view(), w_.view(), nullptr, y.view()}, y32, y);
        compare("input_gradient", k::cuda::conv_transpose_backward_input,
                k::ConvTransposeBackwardInputArgs{dy32_.view(), w32_.view(), {dx32.view(), false}},
                k::ConvTransposeBackwardInputArgs{dy_.view(), w_.view(), {dx.view(), false}}, dx32, dx);
        compare("weight_gradient", k::cuda::conv_transpose_backward_weight,
                k::ConvTransposeBackwardWeightArgs{x32_.view(), dy32_.view(), {dw32.view(), false}, {}},
                k::ConvTransposeBackwardWeightArgs{x_.view(), dy_.view(), {dw.view(), false}, {}}, dw32, dw);
    }

    template <class Args>
    void compare(const char* pass, void (*own)(Queue&, const Args&), const Args& args32, const Args& args,
                 const Tensor& out32, const Tensor& out) {
        Context& context = context_of(device_);
        poison(out32);
        const std::string truth = submit({KernelChoice::Rule::named, "simt"}, own, args32);
        poison(out);
        const ScopedMathMode mode(o_.math);
        const std::string variant = submit({KernelChoice::Rule::own}, own, args);
        if (implementation(truth) == implementation(variant))
            throw Error("full_size_check: " + layer_ + " " + pass + ": " + variant + " is to be compared with " +
                        truth + "; expected another implementation than the truth's");
        report(pass, "own", variant, out, out32, [&] { context.submit(own, args); });
        for (const char* const name : {"wgmma", "mma"})
            if (implementation(variant) != implementation_of(variant, name))
                compare_named(name, pass, own, args, out32, out);
        if constexpr (requires(Queue & q) { k::cuda::cudnn_supports(q, args); }) {
            poison(out);
            context.submit(by_cudnn<Args>, args);
            if (cudnn_took_it) report(pass, "cudnn", "", out, out32, [&] { context.submit(by_cudnn<Args>, args); });
        }
    }

    // One of our own that did not come first, where it computes this at all.
    template <class Args>
    void compare_named(const char* name, const char* pass, void (*own)(Queue&, const Args&), const Args& args,
                       const Tensor& out32, const Tensor& out) {
        const KernelChoice choice{KernelChoice::Rule::named, name};
        poison(out);
        const std::string variant = submit(choice, own, args);
        if (implementation(variant) != implementation_of(variant, name)) {
            if (std::string(name) == "wgmma") report_absent_wgmma(pass, args);
            return;
        }
        report(pass, name, variant, out, out32, [&] {
            const ScopedKernelChoice scope(choice);
            context_of(device_).submit(own, args);
        });
    }

    template <class Args>
    void report_absent_wgmma(const char* pass, const Args& args) {
        if constexpr (requires { k::cuda::why_not_wgmma(args); }) {
            if (gpu::capability() != 90 || !is_half(o_.dtype)) return;
            const char* const why = k::cuda::why_not_wgmma(args);
            const bool holds = why && k::cuda::why_wgmma_is_absent().empty();
            if (!holds) ++failed_;
            fmt::print(
                "{{\"kind\": \"absent\", \"engine\": \"atrous\", \"layer\": \"{}\", \"direction\": \"{}\", \"dtype\": "
                "\"{}\", \"by\": \"wgmma\", \"why\": \"{}\", \"holds\": {}}}\n",
                layer_, pass, name_of(o_.dtype), why ? why : "it takes this layer, and did not run", holds);
        }
    }

    // Says which variant ran.
    template <class Args>
    std::string submit(const KernelChoice& choice, void (*own)(Queue&, const Args&), const Args& args) {
        const ScopedKernelChoice scope(choice);
        VariantLog log;
        context_of(device_).submit(own, args);
        return fmt::format("{}", fmt::join(log.names(), " "));
    }
    // "conv_forward/simt" of "conv_forward/simt_f32".
    static std::string implementation(const std::string& variant) { return variant.substr(0, variant.rfind('_')); }
    // "conv_forward/mma": the same function's by that name.
    static std::string implementation_of(const std::string& variant, const std::string& name) {
        return variant.substr(0, variant.find('/') + 1) + name;
    }

    void report(const char* pass, const char* by, const std::string& variant, const Tensor& out, const Tensor& truth,
                const std::function<void()>& again) {
        const bench::Difference d = bench::difference(out, truth);
        const Limit limit = limit_of(out, std::string(by) == "cudnn");
        const bool holds = d.nonfinite == 0 && d.relative_most() <= limit.most && d.relative_l2() <= limit.l2;
        if (!holds) ++failed_;
        fmt::print(
            "{{\"kind\": \"check\", \"engine\": \"atrous\", \"layer\": \"{}\", \"direction\": \"{}\", \"dtype\": "
            "\"{}\", \"by\": \"{}\", \"variant\": \"{}\", \"relative_most\": {:.3e}, \"relative_l2\": {:.3e}, \"sum\": "
            "{:.8e}, \"sum_truth\": {:.8e}, \"nonfinite\": {:.0f}, \"holds\": {}",
            layer_, pass, o_.math == MathMode::tf32 ? "tf32" : name_of(o_.dtype), by, variant, d.relative_most(),
            d.relative_l2(), d.sum, d.sum_truth, d.nonfinite, holds);
        if (o_.reps > 0) fmt::print(", \"ms_median\": {:.5f}", median_ms(again));
        fmt::print("}}\n");
        std::fflush(stdout);
    }

    double median_ms(const std::function<void()>& run) {
        std::vector<float> ms;
        for (int i = 0; i < o_.reps; ++i) {
            gpu::Event begin, end;
            begin.record(stream());
            run();
            end.record(stream());
            end.synchronize();
            ms.push_back(end.ms_since(begin));
        }
        std::sort(ms.begin(), ms.end());
        return ms[ms.size() / 2];
    }

    // Uniform in [-1, 1); every tensor begins elsewhere in the block, so that no two are alike.
    Tensor random(const Shape& shape) {
        const Tensor t = Tensor::empty(shape, o_.dtype, device_);
        size_t from = ++made_ * 1021 * size_of(o_.dtype) % block_.bytes();
        for (size_t at = 0; at < t.bytes(); from = 0) {
            const size_t bytes = std::min(block_.bytes() - from, t.bytes() - at);
            gpu::copy_async(t.as<char>() + at, block_.as<char>() + from, bytes, stream());
            at += bytes;
        }
        return t;
    }
    Tensor floats(const Tensor& t) {
        Tensor f = Tensor::empty(t.shape(), DType::f32, device_);
        f.copy_from(t);
        return f;
    }
    void poison(const Tensor& t) { gpu::fill_bytes_async(t.data(), 0xff, t.bytes(), stream()); }  // NaN in every type
    gpu::StreamView stream() { return context_of(device_).stream(); }

    const Options o_;
    const Device device_{DeviceKind::gpu};
    std::string layer_;
    Tensor block_, block32_, x_, dy_, w_, x32_, dy32_, w32_;
    size_t made_ = 0;
    int failed_ = 0;
};

}  // namespace

int main(int argc, char** argv) try {
    const Options options = parse(argc, argv);
    std::string why;
    if (gpu::device_count(&why) == 0) throw GpuError("full_size_check: no usable GPU: " + why);
    set_kernel_choice({KernelChoice::Rule::own});  // what is compared: never a library's, which has its own lines
    Check check(options);
    for (const Layer& layer : layers()) check.run(layer);
    return check.holds() ? 0 : 1;
} catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
}
