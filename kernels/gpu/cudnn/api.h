// The part of cuDNN's backend interface (version 9) that is used here, in names of our own, so that none of its headers
// is needed to compile. The values are cuDNN's: api_check.cpp holds them against cudnn_graph.h where that is installed.
// Source: NVIDIA cuDNN, Graph API reference, "Backend descriptor types".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "kernels/gpu/libraries.h"

namespace atrous::cudnn {

using Status = int;  // 0: success; 3000 to 3999: what was asked for is not supported
using Handle = void*;
using Descriptor = void*;

enum class Kind : int {
    pointwise = 0,
    convolution = 1,
    engine = 2,
    engine_configuration = 3,
    heuristics = 4,
    execution_plan = 5,
    knob_choice = 7,
    convolution_forward = 10,
    convolution_backward_weight = 11,
    convolution_backward_input = 12,
    pointwise_operation = 13,
    operation_graph = 15,
    variant_pack = 16,
    tensor = 17,
    device_properties = 38,
};

enum class Attribute : int {
    pointwise_mode = 0,
    pointwise_math_type = 1,
    convolution_math_type = 100,
    convolution_mode = 101,
    convolution_dilations = 102,
    convolution_strides = 103,
    convolution_paddings_after = 104,
    convolution_paddings_before = 105,
    convolution_spatial_dims = 106,
    heuristics_mode = 200,
    heuristics_graph = 201,
    heuristics_results = 202,
    heuristics_device = 204,
    configuration_engine = 300,
    configuration_knobs = 302,
    plan_handle = 400,
    plan_configuration = 401,
    plan_workspace = 402,
    plan_device = 407,
    knob_type = 600,
    knob_value = 601,
    // Six in a row of each operation: alpha, beta, convolution, then w, x, y or their gradients.
    forward_alpha = 700,
    backward_input_alpha = 706,
    backward_weight_alpha = 712,
    pointwise_operation_of = 750,
    pointwise_operation_x = 751,
    pointwise_operation_b = 752,
    pointwise_operation_y = 753,
    graph_handle = 800,
    graph_operations = 801,
    tensor_alignment = 900,
    tensor_data_type = 901,
    tensor_dimensions = 902,
    tensor_strides = 903,
    tensor_id = 906,
    tensor_is_virtual = 907,
    pack_ids = 1000,
    pack_pointers = 1001,
    pack_workspace = 1003,
    engine_index = 1301,
    engine_numerical_notes = 1303,
    engine_behavior_notes = 1305,
    device_id = 2700,
    device_json = 2702,
};

enum class Type : int {
    handle = 0,
    data_type = 1,
    boolean = 2,
    int64 = 3,
    float64 = 5,
    pointer = 6,
    convolution_mode = 7,
    heuristics_mode = 8,
    knob_type = 9,
    numerical_note = 11,
    pointwise_mode = 14,
    descriptor = 15,
    behavior_note = 19,
    int32 = 23,
    character = 24,
};

enum class DataType : int { f32 = 0, f16 = 2, bf16 = 9 };
enum class ConvolutionMode : int { cross_correlation = 1 };
enum class PointwiseMode : int { add = 0 };
enum class HeuristicsMode : int { b = 1, fallback = 2, a = 3 };
enum class KnobType : int { cluster_rows = 27, cluster_columns = 28 };
enum class NumericalNote : int {
    tensor_core = 0,
    down_converts_inputs = 1,
    reduced_precision_reduction = 2,
    fft = 3,
    nondeterministic = 4,
    winograd = 5,
    winograd_tile_4 = 6,
    winograd_tile_6 = 7,
    winograd_tile_13 = 8,
    strict_nan = 9,
};
enum class BehaviorNote : int { runtime_compilation = 0 };

// The functions, as one table, so that tests can put others in their place.
struct Api {
    std::string version = "?", path;
    Status (*create)(Handle*) = nullptr;
    Status (*destroy)(Handle) = nullptr;
    Status (*set_stream)(Handle, void* stream) = nullptr;
    const char* (*error_string)(Status) = nullptr;
    void (*last_error_string)(char* message, size_t size) = nullptr;
    Status (*create_descriptor)(Kind, Descriptor*) = nullptr;
    Status (*destroy_descriptor)(Descriptor) = nullptr;
    Status (*finalize)(Descriptor) = nullptr;
    Status (*set_attribute)(Descriptor, Attribute, Type, int64_t count, const void* values) = nullptr;
    Status (*get_attribute)(Descriptor, Attribute, Type, int64_t most, int64_t* count, void* values) = nullptr;
    Status (*execute)(Handle, Descriptor plan, Descriptor variant_pack) = nullptr;
    gpu::OpenLibrary library = {};  // what the functions are in; empty in tests
};

// Below this version nothing is used: since 9.8 plans can be made from a description of a GPU, which is how they are
// tested here.
inline constexpr size_t oldest_version = 90800;

struct OpenedApi {
    std::shared_ptr<const Api> api;  // null: absent
    std::string why_not;             // one line
};
// Opens the library and looks its functions up. It does not ask for a GPU.
OpenedApi open_api(const gpu::LibraryName& name = gpu::cudnn);

// A call that failed, in one line: library, version, call, status, cuDNN's own words.
struct Failure : GpuError {
    Failure(const Api&, const std::string& call, Status);
    Status status;
};
void check(const Api&, const char* call, Status);

}  // namespace atrous::cudnn
