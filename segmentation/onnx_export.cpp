#include "segmentation/onnx_export.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/io/onnx_fold.h"
#include "engine/nn/onnx_net.h"
#include "models/catalogue.h"
#include "segmentation/card_classes.h"

namespace atrous {
namespace {

bool is_stored_in_bytes(const ModelCard& card) { return !card.normalization.range.given(); }

DType real_of(const OnnxOptions& o) { return o.half ? DType::f16 : DType::f32; }

std::string cast_to(OnnxGraph& g, const std::string& value, OnnxType type) {
    return g.node("Cast", {value}, {{"to", int64_t(type)}});
}

// value op numbers, of which there is one a channel; the value itself where they change nothing.
std::string by_channel(OnnxGraph& g, const char* op, const std::string& value, const std::vector<float>& numbers,
                       float neutral) {
    if (std::all_of(numbers.begin(), numbers.end(), [&](float n) { return n == neutral; })) return value;
    return g.node(op, {value, g.constant(numbers, {1, int64_t(numbers.size()), 1, 1})});
}

// In the order of data::normalized_levels, so that every rounding is the same.
std::string normalized(OnnxGraph& g, const ModelCard& card, const std::string& stored) {
    const auto channels = size_t(card.net.in_channels);
    const auto each = [&](const auto& of) {
        std::vector<float> numbers;
        for (size_t c = 0; c < channels; ++c) numbers.push_back(of(c % 3));
        return numbers;
    };
    const auto& how = card.normalization;
    const bool given = how.range.given();
    const float low = given ? how.range.low : 0, high = given ? how.range.high : 255;
    std::string x = given ? stored : cast_to(g, stored, OnnxType::f32);
    x = by_channel(g, "Sub", x, each([&](size_t) { return low; }), 0);
    x = by_channel(g, "Div", x, each([&](size_t) { return high - low; }), 1);
    x = by_channel(g, "Sub", x, each([&](size_t c) { return how.mean[c]; }), 0);
    return by_channel(g, "Div", x, each([&](size_t c) { return how.stddev[c]; }), 1);
}

std::string class_ids(OnnxGraph& g, const ModelCard& card, const std::string& logits, double threshold) {
    const std::string ids = card.net.out_channels > 1
                                ? g.node("ArgMax", {logits}, {{"axis", int64_t(1)}, {"keepdims", int64_t(0)}})
                                : g.node("Squeeze", {g.node("Greater", {logits, g.constant({float(threshold)}, {1})}),
                                                     g.constant(std::vector<int64_t>{1})});
    return cast_to(g, ids, OnnxType::u8);
}

OnnxGraph graph_of(const NetTrace& trace, const ModelCard& card, const OnnxOptions& o) {
    OnnxGraph g(trace.sides, trace.multiple, real_of(o));
    for (const auto& [value, name] : trace.tensors) g.add_parameter(value, name);
    const bool bytes = o.normalization && is_stored_in_bytes(card);
    const auto shape = [&](const Value& map, const std::string& name, bool with_channels = true) {
        return port_shape(trace, map, name, with_channels);
    };
    std::string x = g.add_input("image", bytes ? OnnxType::u8 : OnnxType::f32, shape(trace.image, "image"));
    if (o.normalization) x = normalized(g, card, x);
    if (o.half) x = cast_to(g, x, OnnxType::f16);
    write_net(g, trace, x);
    const auto real = [&](const Value& map) { return o.half ? cast_to(g, g.name(map), OnnxType::f32) : g.name(map); };
    const std::string logits = real(trace.out);
    if (o.class_ids)
        g.add_output(class_ids(g, card, logits, o.logit_threshold), "class_ids", OnnxType::u8,
                     shape(trace.out, "class_ids", false));
    else
        g.add_output(logits, "logits", OnnxType::f32, shape(trace.out, "logits"));
    if (trace.aux.id)
        g.add_output(real(trace.aux), "auxiliary_logits", OnnxType::f32, shape(trace.aux, "auxiliary_logits"));
    return g;
}

std::string json_text(const nlohmann::json& value) {
    return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string numbers_text(const std::array<float, 3>& numbers, int64_t channels) {
    std::vector<float> all;
    for (int64_t c = 0; c < channels; ++c) all.push_back(numbers[size_t(c % 3)]);
    return fmt::format("{}", all);
}

std::vector<std::pair<std::string, std::string>> metadata_of(ModelCard card, const OnnxOptions& o, int64_t multiple) {
    const bool loss_is_known = !card.class_names.empty();  // else they are weights that are no checkpoint
    if (!loss_is_known) name_classes(card, {}, int(card.classes()));
    std::vector<std::string> colours;
    for (const uint32_t colour : card.colours) colours.push_back(fmt::format("#{:06x}", colour));
    const auto& how = card.normalization;
    std::vector<std::pair<std::string, std::string>> all{
        {"model", card.net.model},
        {"channels", std::to_string(card.net.in_channels)},
        {"classes", json_text(card.class_names)},
        {"colours", json_text(colours)},
        {"size", width_by_height({card.height, card.width})},
        {"resize", data::word_of(card.resize)},
        {"multiple", std::to_string(multiple)},
        {"value_range", how.range.given() ? data::text_of(how.range) : "auto"},
        {"mean", numbers_text(how.mean, card.net.in_channels)},
        {"std", numbers_text(how.stddev, card.net.in_channels)},
        {"input", !o.normalization           ? "normalized"
                  : is_stored_in_bytes(card) ? "bytes"
                                             : "stored"},
        {"output", o.class_ids ? "class ids" : "logits"}};
    if (loss_is_known || card.net.out_channels == 1)
        all.emplace_back("activation", is_softmax(card) ? "softmax" : "sigmoid");
    if (!card.net.encoder.empty()) all.emplace_back("encoder", card.net.encoder);
    if (!card.bands.empty()) all.emplace_back("bands", json_text(card.bands));
    if (o.class_ids && card.net.out_channels == 1)
        all.emplace_back("threshold", fmt::format("{:.6g}", 1 / (1 + std::exp(-o.logit_threshold))));
    for (auto& [key, value] : all) key = "atrous." + key;
    return all;
}

OnnxExport model_at(const std::vector<ImageSides>& sizes, const LoadedNet& loaded, const OnnxOptions& o) {
    const auto net = make_net(loaded.card.net);
    const NetTrace trace = trace_for_onnx(*net, sizes, o.auxiliary);
    if (o.auxiliary && !trace.aux.id)
        throw UsageError(
            fmt::format("`auxiliary`: this {} has no auxiliary head; leave it out", loaded.card.net.model));
    if (o.class_ids && loaded.card.label_form() == LabelForm::bits)
        throw UsageError(
            "`argmax`: the classes of this net overlap, and a pixel may be of several; leave it out, and compare the "
            "sigmoid of each logit with a threshold");
    const OnnxGraph graph = graph_of(trace, loaded.card, o);
    io::OnnxModel model{.name = loaded.card.net.model,
                        .opset = o.opset,
                        .nodes = graph.nodes(),
                        .inputs = graph.inputs(),
                        .outputs = graph.outputs(),
                        .initializers = io::onnx_initializers(graph, *loaded.net),
                        .metadata = metadata_of(loaded.card, o, trace.multiple)};
    const int folded = o.fold_batch_norm ? io::fold_batch_norm(model) : 0;
    if (o.fold_batch_norm && !folded)
        throw UsageError(fmt::format(
            "`fold-batch-norm`: this {} has no batch norm that alone reads a convolution's output; leave it out",
            loaded.card.net.model));
    if (o.half) io::halve(model.initializers, folded ? "leave out `half` or `fold-batch-norm`" : "leave out `half`");
    return {std::move(model), "", folded};
}

}  // namespace

OnnxExport onnx_of(const LoadedNet& loaded, const OnnxOptions& o) {
    if (!o.size.none()) return model_at({{o.size.height, o.size.width}}, loaded, o);
    try {
        return model_at(telling_sizes(loaded.net->input_multiple()), loaded, o);
    } catch (const OnnxSizeError& e) {
        OnnxExport made = model_at({{loaded.card.height, loaded.card.width}}, loaded, o);
        made.fixed_because = e.what();
        return made;
    }
}

}  // namespace atrous
