// How cuDNN would compute a convolution: operation graph, heuristics, finalized plans. Tensors are dense and NHWC,
// weights [O][R][S][I], sums in float. A plan is made for a GPU that is here, or for one that a description stands for,
// so that what cuDNN would do on any GPU is known on a machine without one.
#pragma once

#include <compare>
#include <memory>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "kernels/gpu/cudnn/object.h"

namespace atrous::cudnn {

enum class Pass : uint8_t { forward, input_gradient, weight_gradient };

// One of
//   forward          y  = convolution(x, w) [+ bias]       bias: [O], of the tensors' type
//   input_gradient   dx = gradient(dy, w) [+ dx]
//   weight_gradient  dw = gradient(x, dy) [+ dw]           dw: of the tensors' type; cuDNN has no other for half types
// with x [n][h][w][c] and w [o][r][s][c].
struct ConvProblem {
    Pass pass = Pass::forward;
    DType dtype = DType::bf16;  // bf16, f16 or f32
    bool tf32 = false;          // f32: products may be of 10-bit mantissas, as tensor cores take them
    bool bias = false;          // forward
    bool accumulate = false;    // gradients: added to what is there
    int64_t n = 0, h = 0, w = 0, c = 0, o = 0, r = 1, s = 1;
    int64_t stride = 1, padding = 0, dilation = 1;
    auto operator<=>(const ConvProblem&) const = default;

    int64_t output_height() const { return (h + 2 * padding - dilation * (r - 1) - 1) / stride + 1; }
    int64_t output_width() const { return (w + 2 * padding - dilation * (s - 1) - 1) / stride + 1; }
};

// Which plans are taken. Reduced-precision sums never are; f32 with rounded inputs only where the problem allows TF32.
struct PlanRules {
    bool nondeterministic = false;  // also those that may give other bits the next time
    bool runtime_compiled = false;  // also those that are compiled when they are made: seconds a shape
    // 256 MiB hold the copy that pads 3 channels or 1 to 8 at every size used here (64 to 70 MiB), and refuse the
    // copies of all of x in fp32 (2 GiB at 16x512x512x64). Own kernels keep partial sums of up to 192 MB.
    int64_t workspace_bytes = int64_t(256) << 20;
};

// The GPU that plans are made for: one of both.
struct Target {
    Handle handle = nullptr;             // of a device that is here
    const Object* properties = nullptr;  // described
};
// A description as device_json() wrote it, or one made by hand.
Object described_device(const Api&, const std::string& json);
// What describes a device that is here.
std::string device_json(const Api&, int device);

// The operation graph of a problem and all it is made of.
class ConvGraph {
 public:
    enum Id : int64_t { x = 1, w = 2, y = 3, bias = 4, sum = 5 };  // y: also dy; sum: y without its bias, never stored
    ConvGraph(const Api&, const Target&, const ConvProblem&);
    const Object& graph() const { return graph_; }

 private:
    const Object& add(Object object);
    std::vector<std::unique_ptr<Object>> parts_;
    Object graph_;
};

struct ConvPlan {
    std::shared_ptr<const ConvGraph> graph;
    Object configuration, plan;
    int64_t engine = 0;  // cuDNN's number; the same number means another engine for another kind of graph
    int64_t workspace_bytes = 0;
    std::vector<std::pair<KnobType, int64_t>> knobs;
    std::vector<NumericalNote> notes;
    HeuristicsMode found_by = HeuristicsMode::a;

    bool has(NumericalNote note) const;
    // Whether it is one of Hopper's engines, which alone have thread-block clusters to choose.
    bool uses_clusters() const;
    std::string name() const;  // "62:2=4,13=0": engine and knobs, which mean the same with the same version
    std::string text() const;  // "engine 62, workspace 131, knobs 2=4 13=0, notes tensor_core"
};

struct ConvPlans {
    std::vector<ConvPlan> list;  // in the order of cuDNN's heuristics
    std::string why_not;         // where the list is empty, in one line
};
// The first `most` plans that the rules allow: of heuristics mode A, else of B, else of the fallback engines. Throws
// nothing: what cuDNN refuses is said in why_not.
ConvPlans plan_convolution(const Api&, const Target&, const ConvProblem&, const PlanRules& = {}, size_t most = 10);

}  // namespace atrous::cudnn
