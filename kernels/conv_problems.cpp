// The problems of convolution in words, and on memory of a tuner's (kernels/tunable.h). Tuners time GPUs alone, where
// same_everywhere means nothing.
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"

namespace atrous::kernels {

static std::string type_text(DType dtype, MathMode math) {
    return dtype == DType::f32 && math == MathMode::tf32 ? "tf32" : name_of(dtype);
}

static std::string text_of(const ConvGeometry& g) {
    return " stride " + std::to_string(g.stride) + " padding " + std::to_string(g.padding) + " dilation " +
           std::to_string(g.dilation);
}

static const char* added(bool accumulate) { return accumulate ? " added" : ""; }

std::string problem_text(const ConvForwardArgs& a, MathMode math) {
    return type_text(a.x.dtype, math) + " x " + text_of(a.x) + " w " + text_of(a.w) + " y " + text_of(a.y) +
           text_of(a.geometry) + (a.bias ? " bias" : "");
}
std::string problem_text(const ConvBackwardInputArgs& a, MathMode math) {
    return type_text(a.dy.dtype, math) + " dy " + text_of(a.dy) + " w " + text_of(a.w) + " dx " + text_of(a.dx.view) +
           text_of(a.geometry) + added(a.dx.accumulate);
}
std::string problem_text(const ConvBackwardWeightArgs& a, MathMode math) {
    return type_text(a.x.dtype, math) + " x " + text_of(a.x) + " dy " + text_of(a.dy) + " dw " + text_of(a.dw.view) +
           text_of(a.geometry) + added(a.dw.accumulate);
}
std::string problem_text(const ConvTransposeForwardArgs& a, MathMode math) {
    return type_text(a.x.dtype, math) + " x " + text_of(a.x) + " w " + text_of(a.w) + " y " + text_of(a.y) +
           (a.bias ? " bias" : "");
}
std::string problem_text(const ConvTransposeBackwardInputArgs& a, MathMode math) {
    return type_text(a.dy.dtype, math) + " dy " + text_of(a.dy) + " w " + text_of(a.w) + " dx " + text_of(a.dx.view) +
           added(a.dx.accumulate);
}
std::string problem_text(const ConvTransposeBackwardWeightArgs& a, MathMode math) {
    return type_text(a.x.dtype, math) + " x " + text_of(a.x) + " dy " + text_of(a.dy) + " dw " + text_of(a.dw.view) +
           added(a.dw.accumulate);
}

static void place_bias(const void*& bias, const View& y, const OperandMemory& memory) {
    void* vector = const_cast<void*>(bias);
    place(vector, y.c, accumulator_of(y.dtype), memory);
    bias = vector;
}

void place_problem(ConvForwardArgs& a, const OperandMemory& memory) {
    place(a.x, memory), place(a.w, memory), place(a.y, memory);
    place_bias(a.bias, a.y, memory);
    a.moments = {};  // they are the choice's consequence, not its reason
}
void place_problem(ConvBackwardInputArgs& a, const OperandMemory& memory) {
    place(a.dy, memory), place(a.w, memory), place(a.dx.view, memory);
}
void place_problem(ConvBackwardWeightArgs& a, const OperandMemory& memory) {
    place(a.x, memory), place(a.dy, memory), place(a.dw.view, memory);
    place(a.dbias.data, a.dy.c, accumulator_of(a.dy.dtype), memory);
}
void place_problem(ConvTransposeForwardArgs& a, const OperandMemory& memory) {
    place(a.x, memory), place(a.w, memory), place(a.y, memory);
    place_bias(a.bias, a.y, memory);
}
void place_problem(ConvTransposeBackwardInputArgs& a, const OperandMemory& memory) {
    place(a.dy, memory), place(a.w, memory), place(a.dx.view, memory);
}
void place_problem(ConvTransposeBackwardWeightArgs& a, const OperandMemory& memory) {
    place(a.x, memory), place(a.dy, memory), place(a.dw.view, memory);
    place(a.dbias.data, a.dy.c, accumulator_of(a.dy.dtype), memory);
}

}  // namespace atrous::kernels
