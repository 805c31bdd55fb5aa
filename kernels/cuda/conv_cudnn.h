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

// The plans to choose from by tuning.
std::vector<std::string> cudnn_ways(Queue&, const ConvForwardArgs&);
std::vector<std::string> cudnn_ways(Queue&, const ConvBackwardInputArgs&);
std::vector<std::string> cudnn_ways(Queue&, const ConvBackwardWeightArgs&);
bool cudnn_has_way(Queue&, const ConvForwardArgs&, const std::string& way);
bool cudnn_has_way(Queue&, const ConvBackwardInputArgs&, const std::string& way);
bool cudnn_has_way(Queue&, const ConvBackwardWeightArgs&, const std::string& way);

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
            .run = cudnn_run,
            .ways = cudnn_ways,
            .has_way = cudnn_has_way};
}

// What the arguments ask of cuDNN.
cudnn::ConvProblem cudnn_problem(const ConvForwardArgs&, MathMode = MathMode::exact);
cudnn::ConvProblem cudnn_problem(const ConvBackwardInputArgs&, MathMode = MathMode::exact);
cudnn::ConvProblem cudnn_problem(const ConvBackwardWeightArgs&, MathMode = MathMode::exact);
// Whether a plan is expected to beat our own kernels: found by the heuristics, not among the fallback engines, and on
// tensor cores, or where ours is plain arithmetic too.
bool is_fast(const cudnn::ConvPlan&, bool ours_is_plain);
// Whether of our own kernels only "simt" computes this, in half precision. In fp32 ours come first until it was measured.
bool ours_is_plain(Queue&, const ConvForwardArgs&);
bool ours_is_plain(Queue&, const ConvBackwardInputArgs&);
bool ours_is_plain(Queue&, const ConvBackwardWeightArgs&);
// The same by a provider at hand. The plan is null where it can't; `way`: the name of another than the first.
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvForwardArgs&, MathMode = MathMode::exact,
                                  const std::string& way = "");
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvBackwardInputArgs&, MathMode = MathMode::exact,
                                  const std::string& way = "");
const cudnn::ConvPlan* cudnn_plan(cudnn::Provider&, const ConvBackwardWeightArgs&, MathMode = MathMode::exact,
                                  const std::string& way = "");
// The names of the plans that a tuner chooses from; none where the tensors do not suit.
std::vector<std::string> cudnn_ways(cudnn::Provider&, const ConvForwardArgs&, MathMode);
std::vector<std::string> cudnn_ways(cudnn::Provider&, const ConvBackwardInputArgs&, MathMode);
std::vector<std::string> cudnn_ways(cudnn::Provider&, const ConvBackwardWeightArgs&, MathMode);
void cudnn_run(cudnn::Provider&, Queue&, const ConvForwardArgs&);
void cudnn_run(cudnn::Provider&, Queue&, const ConvBackwardInputArgs&);
void cudnn_run(cudnn::Provider&, Queue&, const ConvBackwardWeightArgs&);

}  // namespace atrous::kernels::cuda
