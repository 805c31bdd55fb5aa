// The contracts of convolution in cuDNN's terms. No kernel is here: our own copy casts what cuDNN wants in half precision.
#include "kernels/cuda/conv_cudnn.h"

#include <string>

#include "base/variant.h"
#include "kernels/cuda/conv_narrow.h"
#include "kernels/cuda/conv_padded.h"
#include "kernels/elementwise.h"
#include "kernels/gpu/pixels.h"

namespace atrous::kernels::cuda {

namespace {

using cudnn::ConvPlan;
using cudnn::ConvProblem;
using cudnn::Pass;

bool suits(const View& v) { return v.dense() && gpu::aligned(v.data, 16); }

ConvProblem problem_of(Pass pass, const View& x, const View& w, const ConvGeometry& g, MathMode math) {
    ConvProblem p;
    p.pass = pass, p.dtype = x.dtype;
    p.tf32 = x.dtype == DType::f32 && math == MathMode::tf32;
    p.n = x.n, p.h = x.h, p.w = x.w, p.c = x.c;
    p.o = w.n, p.r = w.h, p.s = w.w;
    p.stride = g.stride, p.padding = g.padding, p.dilation = g.dilation;
    return p;
}

bool suits(const ConvProblem& p, const View& a, const View& b, const View& c) {
    return (p.dtype == DType::f32 || is_half(p.dtype)) && suits(a) && suits(b) && suits(c);
}
bool suits(const ConvProblem& p, const ConvForwardArgs& a) { return suits(p, a.x, a.w, a.y); }
bool suits(const ConvProblem& p, const ConvBackwardInputArgs& a) { return suits(p, a.dx.view, a.w, a.dy); }
bool suits(const ConvProblem& p, const ConvBackwardWeightArgs& a) { return a.dw && suits(p, a.x, a.dw.view, a.dy); }

template <class Args>
const ConvPlan* plan_of(cudnn::Provider& provider, const Args& a, MathMode math, const std::string& way) {
    const ConvProblem p = cudnn_problem(a, math);
    if (!suits(p, a)) return nullptr;
    return way.empty() ? provider.plan(p) : provider.plan_named(p, way);
}

template <class Args>
std::vector<std::string> ways_of(cudnn::Provider& provider, const Args& a, MathMode math) {
    const ConvProblem p = cudnn_problem(a, math);
    std::vector<std::string> names;
    if (suits(p, a))
        for (const ConvPlan& plan : provider.candidates(p).list) names.push_back(plan.name());
    return names;
}

View vector_view(void* data, DType dtype, int64_t count) { return {data, dtype, 1, 1, 1, count, count}; }

// What every contract function ends in.
template <class Args>
void execute(cudnn::Provider& provider, Queue& q, const Args& a, const char* function, DType dtype,
             const cudnn::ConvPointers& at) {
    const ConvPlan* const plan = cudnn_plan(provider, a, q.math(), q.way());
    require(plan, "convolution by cuDNN: there is no plan for this problem");
    void* const workspace = plan->workspace_bytes ? q.scratch<char>(size_t(plan->workspace_bytes)) : nullptr;
    const bool tf32 = dtype == DType::f32 && q.math() == MathMode::tf32;
    ran((std::string(function) + "/cudnn_" + (tf32 ? "tf32" : name_of(dtype))).c_str());
    if (!q.is_dry_run()) provider.execute(*plan, at, workspace, q.stream());
}

template <class Args>
const ConvPlan* process_plan(const Queue& q, const Args& a) {
    cudnn::Provider* const provider = cudnn::provider();
    return provider ? cudnn_plan(*provider, a, q.math(), q.way()) : nullptr;
}
template <class Args>
bool process_is_fast(Queue& q, const Args& a) {
    const ConvPlan* const plan = process_plan(q, a);
    return plan && is_fast(*plan, ours_is_plain(q, a));
}
template <class Args>
std::vector<std::string> process_ways(const Queue& q, const Args& a) {
    cudnn::Provider* const provider = cudnn::provider();
    return provider ? cudnn_ways(*provider, a, q.math()) : std::vector<std::string>();
}
template <class Args>
bool process_has_way(const Queue& q, const Args& a, const std::string& way) {
    cudnn::Provider* const provider = cudnn::provider();
    return provider && cudnn_plan(*provider, a, q.math(), way);
}
cudnn::Provider& process_provider() {
    std::string why;
    cudnn::Provider* const provider = cudnn::provider(&why);
    if (!provider) throw GpuError("convolution by cuDNN: " + why);
    return *provider;
}

}  // namespace

bool ours_is_plain(Queue& q, const ConvForwardArgs& a) {
    return is_half(a.x.dtype) && !fits_narrow(a) && !fits_mma(q, a) && !fits_padded(q, a);
}
bool ours_is_plain(Queue& q, const ConvBackwardInputArgs& a) {
    return is_half(a.dy.dtype) && !fits_narrow(a) && !fits_mma(q, a);
}
bool ours_is_plain(Queue& q, const ConvBackwardWeightArgs& a) {
    return is_half(a.x.dtype) && !fits_narrow(a) && !fits_mma(q, a) && !fits_padded(q, a);
}

bool is_fast(const ConvPlan& plan, bool ours_is_plain) {
    return plan.found_by != cudnn::HeuristicsMode::fallback &&
           (plan.has(cudnn::NumericalNote::tensor_core) || ours_is_plain);
}

// ---- forward ----------------------------------------------------------------------------------------------------

ConvProblem cudnn_problem(const ConvForwardArgs& a, MathMode math) {
    ConvProblem p = problem_of(Pass::forward, a.x, a.w, a.geometry, math);
    p.bias = a.bias != nullptr;
    return p;
}

void cudnn_run(cudnn::Provider& provider, Queue& q, const ConvForwardArgs& a) {
    void* bias = nullptr;
    if (a.bias) {
        bias = q.scratch<char>(size_t(a.y.c) * size_of(a.x.dtype));
        copy(q,
             {vector_view(const_cast<void*>(a.bias), DType::f32, a.y.c), {vector_view(bias, a.x.dtype, a.y.c), false}});
    }
    execute(provider, q, a, "conv_forward", a.x.dtype, {a.x.data, a.w.data, a.y.data, bias});
}

// ---- input gradient ---------------------------------------------------------------------------------------------

ConvProblem cudnn_problem(const ConvBackwardInputArgs& a, MathMode math) {
    ConvProblem p = problem_of(Pass::input_gradient, a.dx.view, a.w, a.geometry, math);
    p.accumulate = a.dx.accumulate;
    return p;
}

void cudnn_run(cudnn::Provider& provider, Queue& q, const ConvBackwardInputArgs& a) {
    execute(provider, q, a, "conv_backward_input", a.dy.dtype, {a.dx.view.data, a.w.data, a.dy.data});
}

// ---- weight gradient --------------------------------------------------------------------------------------------

ConvProblem cudnn_problem(const ConvBackwardWeightArgs& a, MathMode math) {
    ConvProblem p = problem_of(Pass::weight_gradient, a.x, a.dw.view, a.geometry, math);
    p.accumulate = a.dw.accumulate && !is_half(p.dtype);  // in half precision our own cast accumulates
    return p;
}

void cudnn_run(cudnn::Provider& provider, Queue& q, const ConvBackwardWeightArgs& a) {
    const View& dw = a.dw.view;
    const DType dtype = a.x.dtype;
    const bool half = is_half(dtype);
    void* const out = half ? q.scratch<char>(size_t(dw.count()) * size_of(dtype)) : dw.data;
    execute(provider, q, a, "conv_backward_weight", dtype, {a.x.data, out, a.dy.data});
    if (half)
        copy(q, {vector_view(out, dtype, dw.count()), {vector_view(dw.data, dw.dtype, dw.count()), a.dw.accumulate}});
}

// ---- plans ------------------------------------------------------------------------------------------------------

// clang-format off
const ConvPlan* cudnn_plan(cudnn::Provider& p, const ConvForwardArgs& a, MathMode math, const std::string& way) { return plan_of(p, a, math, way); }
const ConvPlan* cudnn_plan(cudnn::Provider& p, const ConvBackwardInputArgs& a, MathMode math, const std::string& way) { return plan_of(p, a, math, way); }
const ConvPlan* cudnn_plan(cudnn::Provider& p, const ConvBackwardWeightArgs& a, MathMode math, const std::string& way) { return plan_of(p, a, math, way); }
std::vector<std::string> cudnn_ways(cudnn::Provider& p, const ConvForwardArgs& a, MathMode math) { return ways_of(p, a, math); }
std::vector<std::string> cudnn_ways(cudnn::Provider& p, const ConvBackwardInputArgs& a, MathMode math) { return ways_of(p, a, math); }
std::vector<std::string> cudnn_ways(cudnn::Provider& p, const ConvBackwardWeightArgs& a, MathMode math) { return ways_of(p, a, math); }
// clang-format on

// ---- by the process's provider ----------------------------------------------------------------------------------

std::string why_cudnn_is_absent() {
    std::string why;
    return cudnn::provider(&why) ? "" : why;
}
bool cudnn_supports(Queue& q, const ConvForwardArgs& a) { return process_plan(q, a); }
bool cudnn_supports(Queue& q, const ConvBackwardInputArgs& a) { return process_plan(q, a); }
bool cudnn_supports(Queue& q, const ConvBackwardWeightArgs& a) { return process_plan(q, a); }
bool cudnn_is_fast(Queue& q, const ConvForwardArgs& a) { return process_is_fast(q, a); }
bool cudnn_is_fast(Queue& q, const ConvBackwardInputArgs& a) { return process_is_fast(q, a); }
bool cudnn_is_fast(Queue& q, const ConvBackwardWeightArgs& a) { return process_is_fast(q, a); }
std::vector<std::string> cudnn_ways(Queue& q, const ConvForwardArgs& a) { return process_ways(q, a); }
std::vector<std::string> cudnn_ways(Queue& q, const ConvBackwardInputArgs& a) { return process_ways(q, a); }
std::vector<std::string> cudnn_ways(Queue& q, const ConvBackwardWeightArgs& a) { return process_ways(q, a); }
bool cudnn_has_way(Queue& q, const ConvForwardArgs& a, const std::string& way) { return process_has_way(q, a, way); }
bool cudnn_has_way(Queue& q, const ConvBackwardInputArgs& a, const std::string& way) {
    return process_has_way(q, a, way);
}
bool cudnn_has_way(Queue& q, const ConvBackwardWeightArgs& a, const std::string& way) {
    return process_has_way(q, a, way);
}
void cudnn_run(Queue& q, const ConvForwardArgs& a) { cudnn_run(process_provider(), q, a); }
void cudnn_run(Queue& q, const ConvBackwardInputArgs& a) { cudnn_run(process_provider(), q, a); }
void cudnn_run(Queue& q, const ConvBackwardWeightArgs& a) { cudnn_run(process_provider(), q, a); }

}  // namespace atrous::kernels::cuda
