// Layers and nets own parameters and buffers under PyTorch's names.
//
// A module is built in two steps: constructors declare names and shapes (cheap; enough to count parameters), then
// materialize() gives the whole tree its memory in flat arenas and its initial values.
//
//   struct Block : Module {
//       Conv2d conv{*this, "conv", {.in_channels = 3, .out_channels = 8}};
//       BatchNorm2d norm{*this, "norm", 8};
//       Block(Module& parent, const std::string& name) : Module(parent, name) {}
//       Tensor forward(const Tensor& x) { return normalized(norm, conv, x, {.relu = true}); }
//   };
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/autograd/tape.h"
#include "engine/tensor.h"

namespace atrous {

// Files hold PyTorch's layouts; this names how a tensor lies in them.
enum class FileLayout {
    same,            // vectors, scalars
    conv,            // ours [O][kh][kw][I], PyTorch's OIHW
    conv_transpose,  // ours [kh][kw][O][I], PyTorch's IOHW
    linear,          // ours [O][kh][kw][I], PyTorch's [O][I*kh*kw]: a layer on a flattened feature map
    depthwise,       // ours [1][kh][kw][C], PyTorch's [C][1][kh][kw]
    scalar,          // ours [1], PyTorch's without dimensions
};

enum class Init {
    kaiming_uniform_pytorch,  // U(-b, b), b = 1/sqrt(fan): torch.nn.Conv2d's default, He et al. 2015 with a = sqrt(5)
    kaiming_uniform,          // U(-b, b), b = sqrt(6/fan): for ReLU
    kaiming_normal,           // N(0, 2/fan): for ReLU
    xavier_uniform,           // U(-b, b), b = sqrt(3/fan), fan the mean of fan-in and fan-out: Glorot & Bengio 2010
    normal_001,               // N(0, 0.01^2)
    bias_uniform_pytorch,     // U(-b, b), b = 1/sqrt(fan) of the weight it goes with
    zeros,
    ones
};

struct Parameter {
    std::string name;  // last part of the path: "weight"
    Shape shape;
    FileLayout layout = FileLayout::same;
    Init init = Init::zeros;
    double fan = 1;                 // what the initialization goes by: fan-in or fan-out, as the layer says
    bool decays = true;             // weight decay applies where a user excludes one-dimensional parameters
    bool computes_in_half = false;  // mixed precision reads a half-precision copy (convolution weights)
    Tensor value = {};              // master copy: f32, or f64
    Tensor half = {};               // the copy the net computes with in mixed precision; shares value's leaf
    bool trainable = true;
    const Tensor& used() const { return half.defined() ? half : value; }
};

struct Buffer {
    std::string name;
    Shape shape;
    DType dtype = DType::f32;  // f32 follows the module's precision; i64 stays
    double initial = 0;
    FileLayout layout = FileLayout::same;
    Tensor value = {};
};

struct NamedParameter {
    std::string path;
    Parameter* parameter;
};
struct NamedBuffer {
    std::string path;
    Buffer* buffer;
};

// The arena holds all parameters of a net. Offsets are multiples of 64 elements, in reverse order of first use.
struct ParameterArena {
    Tensor values, gradients, halves;        // halves only in mixed precision
    std::vector<NamedParameter> parameters;  // in arena order
    std::vector<int64_t> offsets;
};

struct MaterializeOptions {
    Device device;
    DType dtype = DType::f32;    // of master weights: f32 or f64
    DType compute = DType::f32;  // bf16 or f16: convolution weights get half-precision copies
    uint64_t seed = 0;
    bool initialize = true;  // false: parameters stay zero, as a file is to fill them
};

class Module {
 public:
    Module() = default;                               // a net: the root
    Module(Module& parent, const std::string& name);  // a child
    virtual ~Module() = default;
    Module(const Module&) = delete;
    Module& operator=(const Module&) = delete;

    const std::string& name() const { return name_; }
    std::vector<NamedParameter> parameters();  // depth first, in order of declaration, full paths
    std::vector<NamedBuffer> buffers();
    int64_t parameter_count();

    // Must be called on the root. On device meta parameters have shapes and no memory.
    void materialize(const MaterializeOptions& options);
    const MaterializeOptions& materialized() const { return options_; }
    ParameterArena& arena() { return arena_; }
    void zero_gradients();  // the next backward pass overwrites

    void set_training(bool training);  // the whole subtree, frozen parts aside
    bool training() const { return training_; }
    bool in_evaluation() const { return evaluating_; }  // the last set_training() said so; of frozen parts too
    // Must be called before materialize(): the subtree's parameters are not trained, and it stays in evaluation mode.
    void freeze();
    // Batch norms of the subtree use their running statistics and leave them as they are; scale and shift still train.
    void freeze_batch_norm();
    // Of a batch norm the share that a batch's statistics have in the running ones; null: the module is none.
    virtual double* momentum() { return nullptr; }
    std::vector<double*> momenta();             // of the subtree's batch norms whose statistics are not frozen
    std::vector<Buffer*> running_statistics();  // of the same batch norms, without their counts of batches

 protected:
    Parameter& add_parameter(Parameter parameter);
    Buffer& add_buffer(Buffer buffer);

 private:
    template <class F>
    void walk(const std::string& path, const F& visit);

    std::string name_;
    std::vector<Module*> children_;
    std::vector<std::unique_ptr<Parameter>> parameters_;
    std::vector<std::unique_ptr<Buffer>> buffers_;
    bool training_ = true, frozen_ = false, evaluating_ = false;
    MaterializeOptions options_;
    ParameterArena arena_;
};

// A name without parameters of its own, for paths such as "double_conv.0".
class Group : public Module {
 public:
    using Module::Module;
};

}  // namespace atrous
