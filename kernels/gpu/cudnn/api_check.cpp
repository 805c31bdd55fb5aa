// Compiled, and never run, where cuDNN's headers are: api.h says what they say. Part of no library.
#include <cudnn_graph.h>

#include "kernels/gpu/cudnn/api.h"

namespace atrous::cudnn {

template <class Ours, class Theirs>
constexpr bool same(Ours ours, Theirs theirs) {
    return sizeof(Ours) == sizeof(Theirs) && int(ours) == int(theirs);
}

static_assert(same(Kind::pointwise, CUDNN_BACKEND_POINTWISE_DESCRIPTOR));
static_assert(same(Kind::convolution, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR));
static_assert(same(Kind::engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR));
static_assert(same(Kind::engine_configuration, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR));
static_assert(same(Kind::heuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR));
static_assert(same(Kind::execution_plan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR));
static_assert(same(Kind::knob_choice, CUDNN_BACKEND_KNOB_CHOICE_DESCRIPTOR));
static_assert(same(Kind::convolution_forward, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR));
static_assert(same(Kind::convolution_backward_weight, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR));
static_assert(same(Kind::convolution_backward_input, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR));
static_assert(same(Kind::pointwise_operation, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR));
static_assert(same(Kind::operation_graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR));
static_assert(same(Kind::variant_pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR));
static_assert(same(Kind::tensor, CUDNN_BACKEND_TENSOR_DESCRIPTOR));
static_assert(same(Kind::device_properties, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR));
static_assert(same(Attribute::pointwise_mode, CUDNN_ATTR_POINTWISE_MODE));
static_assert(same(Attribute::pointwise_math_type, CUDNN_ATTR_POINTWISE_MATH_PREC));
static_assert(same(Attribute::convolution_math_type, CUDNN_ATTR_CONVOLUTION_COMP_TYPE));
static_assert(same(Attribute::convolution_mode, CUDNN_ATTR_CONVOLUTION_CONV_MODE));
static_assert(same(Attribute::convolution_dilations, CUDNN_ATTR_CONVOLUTION_DILATIONS));
static_assert(same(Attribute::convolution_strides, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES));
static_assert(same(Attribute::convolution_paddings_after, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS));
static_assert(same(Attribute::convolution_paddings_before, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS));
static_assert(same(Attribute::convolution_spatial_dims, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS));
static_assert(same(Attribute::heuristics_mode, CUDNN_ATTR_ENGINEHEUR_MODE));
static_assert(same(Attribute::heuristics_graph, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH));
static_assert(same(Attribute::heuristics_results, CUDNN_ATTR_ENGINEHEUR_RESULTS));
static_assert(same(Attribute::heuristics_device, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP));
static_assert(same(Attribute::configuration_engine, CUDNN_ATTR_ENGINECFG_ENGINE));
static_assert(same(Attribute::configuration_knobs, CUDNN_ATTR_ENGINECFG_KNOB_CHOICES));
static_assert(same(Attribute::plan_handle, CUDNN_ATTR_EXECUTION_PLAN_HANDLE));
static_assert(same(Attribute::plan_configuration, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG));
static_assert(same(Attribute::plan_workspace, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE));
static_assert(same(Attribute::plan_device, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP));
static_assert(same(Attribute::knob_type, CUDNN_ATTR_KNOB_CHOICE_KNOB_TYPE));
static_assert(same(Attribute::knob_value, CUDNN_ATTR_KNOB_CHOICE_KNOB_VALUE));
static_assert(same(Attribute::forward_alpha, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA));
static_assert(same(Attribute::backward_input_alpha, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA));
static_assert(same(Attribute::backward_weight_alpha, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA));
static_assert(same(Attribute::pointwise_operation_of, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR));
static_assert(same(Attribute::pointwise_operation_x, CUDNN_ATTR_OPERATION_POINTWISE_XDESC));
static_assert(same(Attribute::pointwise_operation_b, CUDNN_ATTR_OPERATION_POINTWISE_BDESC));
static_assert(same(Attribute::pointwise_operation_y, CUDNN_ATTR_OPERATION_POINTWISE_YDESC));
static_assert(same(Attribute::graph_handle, CUDNN_ATTR_OPERATIONGRAPH_HANDLE));
static_assert(same(Attribute::graph_operations, CUDNN_ATTR_OPERATIONGRAPH_OPS));
static_assert(same(Attribute::tensor_alignment, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT));
static_assert(same(Attribute::tensor_data_type, CUDNN_ATTR_TENSOR_DATA_TYPE));
static_assert(same(Attribute::tensor_dimensions, CUDNN_ATTR_TENSOR_DIMENSIONS));
static_assert(same(Attribute::tensor_strides, CUDNN_ATTR_TENSOR_STRIDES));
static_assert(same(Attribute::tensor_id, CUDNN_ATTR_TENSOR_UNIQUE_ID));
static_assert(same(Attribute::tensor_is_virtual, CUDNN_ATTR_TENSOR_IS_VIRTUAL));
static_assert(same(Attribute::pack_ids, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS));
static_assert(same(Attribute::pack_pointers, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS));
static_assert(same(Attribute::pack_workspace, CUDNN_ATTR_VARIANT_PACK_WORKSPACE));
static_assert(same(Attribute::engine_index, CUDNN_ATTR_ENGINE_GLOBAL_INDEX));
static_assert(same(Attribute::engine_numerical_notes, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE));
static_assert(same(Attribute::engine_behavior_notes, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE));
static_assert(same(Attribute::device_id, CUDNN_ATTR_DEVICEPROP_DEVICE_ID));
static_assert(same(Attribute::device_json, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION));
static_assert(same(Type::handle, CUDNN_TYPE_HANDLE));
static_assert(same(Type::data_type, CUDNN_TYPE_DATA_TYPE));
static_assert(same(Type::boolean, CUDNN_TYPE_BOOLEAN));
static_assert(same(Type::int64, CUDNN_TYPE_INT64));
static_assert(same(Type::float64, CUDNN_TYPE_DOUBLE));
static_assert(same(Type::pointer, CUDNN_TYPE_VOID_PTR));
static_assert(same(Type::convolution_mode, CUDNN_TYPE_CONVOLUTION_MODE));
static_assert(same(Type::heuristics_mode, CUDNN_TYPE_HEUR_MODE));
static_assert(same(Type::knob_type, CUDNN_TYPE_KNOB_TYPE));
static_assert(same(Type::numerical_note, CUDNN_TYPE_NUMERICAL_NOTE));
static_assert(same(Type::pointwise_mode, CUDNN_TYPE_POINTWISE_MODE));
static_assert(same(Type::descriptor, CUDNN_TYPE_BACKEND_DESCRIPTOR));
static_assert(same(Type::behavior_note, CUDNN_TYPE_BEHAVIOR_NOTE));
static_assert(same(Type::int32, CUDNN_TYPE_INT32));
static_assert(same(Type::character, CUDNN_TYPE_CHAR));
static_assert(same(DataType::f32, CUDNN_DATA_FLOAT));
static_assert(same(DataType::f16, CUDNN_DATA_HALF));
static_assert(same(DataType::bf16, CUDNN_DATA_BFLOAT16));
static_assert(same(ConvolutionMode::cross_correlation, CUDNN_CROSS_CORRELATION));
static_assert(same(PointwiseMode::add, CUDNN_POINTWISE_ADD));
static_assert(same(HeuristicsMode::a, CUDNN_HEUR_MODE_A));
static_assert(same(HeuristicsMode::b, CUDNN_HEUR_MODE_B));
static_assert(same(HeuristicsMode::fallback, CUDNN_HEUR_MODE_FALLBACK));
static_assert(same(KnobType::cluster_rows, CUDNN_KNOB_TYPE_TILE_CGA_M));
static_assert(same(KnobType::cluster_columns, CUDNN_KNOB_TYPE_TILE_CGA_N));
static_assert(same(NumericalNote::tensor_core, CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
static_assert(same(NumericalNote::down_converts_inputs, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
static_assert(same(NumericalNote::reduced_precision_reduction, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION));
static_assert(same(NumericalNote::fft, CUDNN_NUMERICAL_NOTE_FFT));
static_assert(same(NumericalNote::nondeterministic, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC));
static_assert(same(NumericalNote::winograd, CUDNN_NUMERICAL_NOTE_WINOGRAD));
static_assert(same(NumericalNote::winograd_tile_4, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4));
static_assert(same(NumericalNote::winograd_tile_6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6));
static_assert(same(NumericalNote::winograd_tile_13, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13));
static_assert(same(NumericalNote::strict_nan, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP));
static_assert(same(BehaviorNote::runtime_compilation, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION));

// The operations' attributes follow each other as api.h says.
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 1);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 2);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 3);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 4);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y == CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA + 5);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA + 1);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA + 3);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA + 4);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA + 5);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA ==
              CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA + 1);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA + 3);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA + 4);
static_assert(CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY == CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA + 5);

// Whether a function of theirs can be called through a pointer of ours: as many arguments, each of the same size.
template <class Ours, class Theirs>
inline constexpr bool same_call = false;
template <class R1, class... A1, class R2, class... A2>
inline constexpr bool same_call<R1 (*)(A1...), R2(A2...)> = sizeof...(A1) == sizeof...(A2) &&
                                                            sizeof(R1) == sizeof(R2) &&
                                                            ((sizeof(A1) == sizeof(A2)) && ...);

static_assert(same_call<decltype(Api::create), decltype(cudnnCreate)>);
static_assert(same_call<decltype(Api::destroy), decltype(cudnnDestroy)>);
static_assert(same_call<decltype(Api::set_stream), decltype(cudnnSetStream)>);
static_assert(same_call<decltype(Api::error_string), decltype(cudnnGetErrorString)>);
static_assert(same_call<decltype(Api::create_descriptor), decltype(cudnnBackendCreateDescriptor)>);
static_assert(same_call<decltype(Api::destroy_descriptor), decltype(cudnnBackendDestroyDescriptor)>);
static_assert(same_call<decltype(Api::finalize), decltype(cudnnBackendFinalize)>);
static_assert(same_call<decltype(Api::set_attribute), decltype(cudnnBackendSetAttribute)>);
static_assert(same_call<decltype(Api::get_attribute), decltype(cudnnBackendGetAttribute)>);
static_assert(same_call<decltype(Api::execute), decltype(cudnnBackendExecute)>);
static_assert(CUDNN_STATUS_SUCCESS == 0 && CUDNN_STATUS_NOT_SUPPORTED == 3000);

}  // namespace atrous::cudnn
