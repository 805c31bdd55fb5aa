// Convolutions by cuDNN, as one more implementation of the contracts in kernels/conv.h: "cudnn". It takes dense tensors
// that are aligned to 16 bytes, where cuDNN has a plan that gives the same bits every time (kernels/gpu/cudnn).
//
// Rounding in half precision: the bias is rounded to the tensors' type before it is added in float; a weight gradient
// is summed in float and rounded to the tensors' type before it is added to dw, which is float. PyTorch's autocast
// rounds at the same places. Our own kernels round neither.
#pragma once

#include "kernels/conv.h"
#include "kernels/gpu/cudnn/provider.h"

namespace atrous::kernels::cuda {

// Whether the process's cuDNN can compute it; false too where there is none. A weight gradient without dw is not one.
bool cudnn_supports(Queue&, const ConvForwardArgs&);
bool cudnn_supports(Queue&, const ConvBackwardInputArgs&);
bool cudnn_supports(Queue&, const ConvBackwardWeightArgs&);
// Of what it can: see is_fast.
bool cudnn_is_fast(Queue&, const ConvForwardArgs&);
bool cudnn_is_fast(Queue&, const ConvBackwardInputArgs&);
bool cudnn_is_fast(Queue&, const ConvBackwardWeightArgs&);
// For what it can. A weight gradient leaves dbias to the caller. GpuError where cuDNN fails.
void cudnn_run(Queue&, const ConvForwardArgs&);
void cudnn_run(Queue&, const ConvBackwardInputArgs&);
void cudnn_run(Queue&, const ConvBackwardWeightArgs&);

std::string why_cudnn_is_absent();  // empty: it is there

// As the member of a contract function's family.
template <class Args>
Implementation<Args> by_cudnn() {
    return {.name = "cudnn",
            .provider = "cuDNN",
            .needs = "cuDNN 9.8 or newer; dense tensors, 16-byte aligned",
            .why_absent = why_cudnn_is_absent,
            .supports = cudnn_supports,
            .faster = cudnn_is_fast,
            .run = cudnn_run};
}

// What the arguments ask of cuDNN.
cudnn::ConvProblem cudnn_problem(const ConvForwardArgs&, MathMode = MathMode::exact);
cudnn::ConvProblem cudnn_problem(const ConvBackwardInputArgs&, MathMode = MathMode::exact);
cudnn::ConvProblem cudnn_problem(const ConvBackwardWeightArgs&, MathMode = MathMode::exact);
// Whether a plan is expected to beat our own kernels: found by the heuristics, not among the fallback engines, and on
// tensor cores, or in half precision with channels that ours take to plain arithmetic as well.
bool is_fast(const cudnn::ConvPlan&, const cudnn::ConvProblem&);
// The same by a provider at hand. The plan is null where it can't.
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvForwardArgs&, MathMode = MathMode::exact);
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvBackwardInputArgs&, MathMode = MathMode::exact);
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvBackwardWeightArgs&, MathMode = MathMode::exact);
void cudnn_run(cudnn::Provider&, Queue&, const ConvForwardArgs&);
void cudnn_run(cudnn::Provider&, Queue&, const ConvBackwardInputArgs&);
void cudnn_run(cudnn::Provider&, Queue&, const ConvBackwardWeightArgs&);

}  // namespace atrous::kernels::cuda
