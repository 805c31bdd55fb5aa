#include "engine/ops/catalogue.h"

#include <algorithm>
#include <charconv>

#include "engine/ops/activation.h"
#include "engine/ops/conv.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/global_pool.h"
#include "engine/ops/loss.h"
#include "engine/ops/metrics.h"
#include "engine/ops/norm.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"
#include "engine/ops/softmax_loss.h"
#include "engine/ops/window.h"

namespace atrous {

Tensor OpArguments::tensor(const std::string& name) const {
    const auto at = tensors.find(name);
    return at == tensors.end() ? Tensor() : at->second;
}

template <class T>
static T parsed(const OpArguments& a, const std::string& name, const char* expected) {
    const std::string& text = a.attributes.at(name);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw UsageError("attribute " + name + "=" + text + ": expected " + expected);
    return value;
}

int64_t OpArguments::integer(const std::string& name) const { return parsed<int64_t>(*this, name, "a whole number"); }
double OpArguments::number(const std::string& name) const { return parsed<double>(*this, name, "a number"); }

bool OpArguments::flag(const std::string& name) const {
    const std::string& text = attributes.at(name);
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    throw UsageError("attribute " + name + "=" + text + ": expected true or false");
}

namespace {

using Results = std::vector<std::pair<Operand, Tensor>>;
using Kind = OperandKind;

Results only(const Tensor& y, Kind kind = Kind::activation) { return {{{"y", kind}, y}}; }

int64_t at_least(const OpArguments& a, const char* name, int64_t least) {
    const int64_t value = a.integer(name);
    if (value < least || value > 65536)
        throw UsageError("attribute " + std::string(name) + "=" + std::to_string(value) + ": expected " +
                         std::to_string(least) + " to 65536");
    return value;
}
int small(const OpArguments& a, const char* name, int64_t least) { return int(at_least(a, name, least)); }

CatalogueOp unary(const char* name, Tensor (*f)(const Tensor&)) {
    return {name, {{"x"}}, {}, [f](const OpArguments& a) { return only(f(a.tensor("x"))); }};
}

Results call_batch_norm(const OpArguments& a) {
    const BatchNormParameters p{
        a.tensor("weight"), a.tensor("bias"), a.tensor("running_mean"), a.tensor("running_var"), {}};
    const BatchNormOptions options{.momentum = a.number("momentum"),
                                   .epsilon = a.number("epsilon"),
                                   .training = a.flag("training"),
                                   .relu = a.flag("relu")};
    const Tensor y = batch_norm(a.tensor("x"), p, options, a.tensor("residual"));
    return {
        {{"y"}, y}, {{"running_mean", Kind::vector}, p.running_mean}, {{"running_var", Kind::vector}, p.running_var}};
}

DiceGroups dice_groups(const OpArguments& a) {
    const std::string& groups = a.attributes.at("groups");
    if (groups != "batch" && groups != "sample" && groups != "all")
        throw UsageError("attribute groups=" + groups + ": expected batch, sample or all");
    return groups == "sample" ? DiceGroups::sample : groups == "all" ? DiceGroups::all : DiceGroups::batch;
}

Results call_softmax_loss(const OpArguments& a) {
    SoftmaxLossOptions o;
    o.ce_weight = a.number("ce_weight");
    o.region_weight = a.number("region_weight");
    o.gamma = a.number("gamma");
    o.alpha = a.number("alpha");
    o.beta = a.number("beta");
    o.smooth = a.number("smooth");
    o.exponent = a.number("exponent");
    o.background = a.flag("background");
    o.ignore_index = small(a, "ignore_index", -1);
    o.groups = dice_groups(a);
    const LossValue value = softmax_loss(a.tensor("logits"), a.tensor("labels"), o, a.tensor("class_weights"));
    return {{{"loss", Kind::vector}, value.loss}, {{"terms", Kind::vector}, value.terms}};
}

Results call_dropout(const OpArguments& a) {
    const StepRandomness random(uint64_t(at_least(a, "seed", 0)), at_least(a, "step", 0));
    return only(dropout(a.tensor("x"), a.number("p"), true));
}

Results call_bce_dice(const OpArguments& a) {
    BceDiceOptions o;
    o.bce_weight = a.number("bce_weight");
    o.dice_weight = a.number("dice_weight");
    o.smooth = a.number("smooth");
    o.ignore_index = small(a, "ignore_index", -1);
    o.groups = dice_groups(a);
    const LossValue value = bce_dice(a.tensor("logits"), a.tensor("labels"), o);
    return {{{"loss", Kind::vector}, value.loss}, {{"terms", Kind::vector}, value.terms}};
}

Results call_confusion(const OpArguments& a) {
    const Tensor logits = a.tensor("logits");
    const int64_t classes = std::max<int64_t>(2, logits.dim(3));
    Tensor counts = Tensor::empty({classes * classes}, DType::i64, logits.device());
    const std::vector<int64_t> zeros(static_cast<size_t>(counts.count()));
    counts.copy_from_host(zeros.data(), counts.bytes());
    count_confusion(logits, a.tensor("labels"), counts, a.number("threshold"), small(a, "ignore_index", -1));
    return only(counts, Kind::counts);
}

Results call_cast(const OpArguments& a) {
    for (const DType t : {DType::f32, DType::bf16, DType::f16, DType::f64})
        if (a.attributes.at("dtype") == name_of(t)) return only(cast(a.tensor("x"), t));
    throw UsageError("attribute dtype=" + a.attributes.at("dtype") + ": expected f32, bf16, f16 or f64");
}

Results call_concat(const OpArguments& a) {
    std::vector<Tensor> parts;
    for (const char* name : {"a", "b", "c", "d"})
        if (a.tensor(name).defined()) parts.push_back(a.tensor(name));
    return only(concat(parts));
}

ConvGeometry geometry_of(const OpArguments& a) {
    return {.stride = small(a, "stride", 1), .padding = small(a, "padding", 0), .dilation = small(a, "dilation", 1)};
}

Results call_conv2d(const OpArguments& a) {
    return only(conv2d(a.tensor("x"), a.tensor("weight"), a.tensor("bias"), geometry_of(a)));
}

std::vector<CatalogueOp> make_catalogue() {
    const Operand bias{"bias", Kind::vector, false}, labels{"labels", Kind::labels, true, false};
    const Operand mean{"running_mean", Kind::vector, true, false}, var{"running_var", Kind::vector, true, false};
    return {
        {"add", {{"a"}, {"b"}}, {}, [](const OpArguments& a) { return only(add(a.tensor("a"), a.tensor("b"))); }},
        {"batch_norm",
         {{"x"}, {"weight", Kind::vector}, {"bias", Kind::vector}, mean, var, {"residual", Kind::activation, false}},
         {{"training", "true"}, {"momentum", "0.1"}, {"epsilon", "1e-5"}, {"relu", "false"}},
         call_batch_norm},
        {"bce_dice",
         {{"logits"}, labels},
         {{"bce_weight", "1"}, {"dice_weight", "1"}, {"smooth", "1"}, {"groups", "batch"}, {"ignore_index", "255"}},
         call_bce_dice},
        {"bilinear",
         {{"x"}},
         {{"height", ""}, {"width", ""}, {"align_corners", "false"}},
         [](const OpArguments& a) {
             return only(
                 bilinear(a.tensor("x"), at_least(a, "height", 1), at_least(a, "width", 1), a.flag("align_corners")));
         }},
        {"cast", {{"x"}}, {{"dtype", ""}}, call_cast},
        {"concat", {{"a"}, {"b"}, {"c", Kind::activation, false}, {"d", Kind::activation, false}}, {}, call_concat},
        {"confusion",
         {{"logits", Kind::activation, true, false}, labels},
         {{"threshold", "0"}, {"ignore_index", "255"}},
         call_confusion},
        {"conv2d",
         {{"x"}, {"weight", Kind::conv_weight}, bias},
         {{"stride", "1"}, {"padding", "0"}, {"dilation", "1"}},
         call_conv2d},
        {"conv_transpose2x2",
         {{"x"}, {"weight", Kind::conv_transpose_weight}, bias},
         {},
         [](const OpArguments& a) {
             return only(conv_transpose2x2(a.tensor("x"), a.tensor("weight"), a.tensor("bias")));
         }},
        {"depthwise_conv2d",
         {{"x"}, {"weight", Kind::depthwise_weight}, bias},
         {{"stride", "1"}, {"padding", "0"}, {"dilation", "1"}},
         [](const OpArguments& a) {
             return only(depthwise_conv2d(a.tensor("x"), a.tensor("weight"), a.tensor("bias"), geometry_of(a)));
         }},
        {"dropout", {{"x"}}, {{"p", "0.5"}, {"seed", "0"}, {"step", "0"}}, call_dropout},
        unary("global_average_pool", global_average_pool),
        {"max_pool",
         {{"x"}},
         {{"kernel", "2"}, {"stride", "2"}, {"padding", "0"}},
         [](const OpArguments& a) {
             return only(
                 max_pool(a.tensor("x"), {small(a, "kernel", 1), small(a, "stride", 1), small(a, "padding", 0)}));
         }},
        {"nearest",
         {{"x"}},
         {{"height", ""}, {"width", ""}},
         [](const OpArguments& a) {
             return only(nearest(a.tensor("x"), at_least(a, "height", 1), at_least(a, "width", 1)));
         }},
        unary("relu", [](const Tensor& x) { return relu(x); }),
        unary("sigmoid", sigmoid),
        {"softmax_loss",
         {{"logits"}, labels, {"class_weights", Kind::vector, false, false}},
         {{"ce_weight", "1"},
          {"region_weight", "0"},
          {"gamma", "0"},
          {"alpha", "0.5"},
          {"beta", "0.5"},
          {"smooth", "1"},
          {"exponent", "1"},
          {"groups", "batch"},
          {"background", "true"},
          {"ignore_index", "255"}},
         call_softmax_loss},
        {"window",
         {{"x"}},
         {{"top", "0"}, {"left", "0"}, {"height", ""}, {"width", ""}},
         [](const OpArguments& a) {
             return only(window(a.tensor("x"), {at_least(a, "top", -65536), at_least(a, "left", -65536),
                                                at_least(a, "height", 1), at_least(a, "width", 1)}));
         }},
    };
}

}  // namespace

const std::vector<CatalogueOp>& op_catalogue() {
    static const std::vector<CatalogueOp> ops = make_catalogue();
    return ops;
}

}  // namespace atrous
