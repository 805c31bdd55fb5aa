// Every op by name, on tensors and attributes that come from outside: `atrous run-op` is made of it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor.h"

namespace atrous {

enum class OperandKind {
    activation,             // [N][H][W][C]
    conv_weight,            // [O][R][S][I]
    conv_transpose_weight,  // [R][S][O][I]
    depthwise_weight,       // [1][R][S][C]
    vector,                 // [C], accumulator type
    labels,                 // u8 [N][H][W][1]
    counts,                 // i64, any shape
};

struct Operand {
    std::string name;
    OperandKind kind = OperandKind::activation;
    bool required = true;
    bool differentiable = true;
};

struct AttributeDefault {
    std::string name, value;  // as it is written: "padding", "0"
};

// The operands and attributes of one call.
class OpArguments {
 public:
    std::map<std::string, Tensor> tensors;
    std::map<std::string, std::string> attributes;  // every one of the op's

    Tensor tensor(const std::string& name) const;  // undefined where an optional one is absent
    // UsageError naming the attribute where the text is no such value.
    int64_t integer(const std::string& name) const;
    double number(const std::string& name) const;
    bool flag(const std::string& name) const;  // true, false, 1, 0
};

struct CatalogueOp {
    std::string name;
    std::vector<Operand> inputs;
    std::vector<AttributeDefault> attributes;
    // Named results; the first is what gradients start from, where the op has any.
    std::function<std::vector<std::pair<Operand, Tensor>>(const OpArguments&)> call;
};

const std::vector<CatalogueOp>& op_catalogue();

}  // namespace atrous
