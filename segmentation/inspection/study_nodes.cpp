#include "segmentation/inspection/study_nodes.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "engine/nn/receptive_field.h"
#include "engine/nn/uncounted_parameters.h"
#include "engine/ops/descriptor.h"
#include "segmentation/report/shown_images.h"

namespace atrous::inspection {

namespace {

constexpr int64_t most_filters = 64;

// Parameters by the leaf that an entry's input carries.
using ParametersByLeaf = std::unordered_map<const Leaf*, NamedParameter>;

ParametersByLeaf parameters_of(SegmentationNet& net) {
    ParametersByLeaf all;
    for (const NamedParameter& p : net.parameters())
        if (p.parameter->value.leaf()) all.emplace(p.parameter->value.leaf().get(), p);
    return all;
}

Json attributes_of(const Entry& e) {
    Json all = Json::object();
    for (const auto& [name, value] : e.attributes) std::visit([&, key = name](const auto& v) { all[key] = v; }, value);
    return all;
}

// The taps of a window, [down, across] each; null where the op has none.
Json taps_of(const Entry& e) {
    const Reach axes[] = {reach_of(e, 0), reach_of(e, 1)};
    if (axes[0].taps() == 1 && axes[1].taps() == 1) return {};
    Json taps{
        {"count", Json::array()}, {"dilation", Json::array()}, {"stride", Json::array()}, {"padding", Json::array()}};
    double inside = 1;
    for (const Reach& axis : axes) {
        const int64_t first = axis.inputs_of({0, 0}).first;
        taps["count"].push_back(axis.taps());
        taps["dilation"].push_back(axis.dilation());
        taps["stride"].push_back(axis.inputs_of({1, 1}).first - first);
        taps["padding"].push_back(-first);
        inside *= axis.taps_inside();
    }
    taps["live"] = inside;  // mean over the positions of the output
    return taps;
}

}  // namespace

Json nodes_of(SegmentationNet& net, const std::vector<Entry>& entries, const Value& image) {
    const auto fields = receptive_fields(entries, image.id);
    const auto strides = output_strides(entries, image);
    UncountedParameters parameters(net);
    std::unordered_map<int64_t, int64_t> numbers{{image.id, -1}};
    Json nodes = Json::array();
    for (size_t i = 0; i < entries.size(); ++i) {
        const Entry& e = entries[i];
        const OpDescriptor& op = descriptor_of(e);
        Json inputs = Json::array();
        for (const Value& v : e.inputs)
            if (const auto from = numbers.find(v.id); from != numbers.end()) inputs.push_back(from->second);
        numbers[e.output.id] = int64_t(i);
        const Shape& s = e.output.shape;
        nodes.push_back({{"op", e.op + op.fused(e)},
                         {"module", e.module},
                         {"inputs", inputs},
                         {"shape", {s[1], s[2], s[3]}},
                         {"parameters", parameters.first_used_by(e)},
                         {"multiply_adds", op.multiply_adds(e)},
                         {"bytes", s.count() * int64_t(size_of(e.output.dtype))},
                         {"stride", strides[i]},
                         {"field", {fields[i].height, fields[i].width}},
                         {"whole", fields[i].whole},
                         {"attributes", attributes_of(e)},
                         {"taps", taps_of(e)}});
    }
    return nodes;
}

void add_times(Json& nodes, const std::vector<double>& seconds) {
    for (size_t i = 0; i < seconds.size() && i < nodes.size(); ++i) nodes[i]["seconds"] = seconds[i];
}

void add_maps(Json& nodes, const std::vector<LayerMaps>& maps) {
    for (size_t i = 0; i < maps.size() && i < nodes.size(); ++i) {
        const LayerMaps& m = maps[i];
        Json channels = Json::array();
        for (const ShownChannel& c : m.channels)
            channels.push_back({{"channel", c.channel}, {"low", c.low}, {"high", c.high}, {"strength", c.strength}});
        nodes[i]["maps"] = {{"min", m.min},
                            {"max", m.max},
                            {"mean", m.mean},
                            {"stddev", m.stddev},
                            {"zeros", m.zeros},
                            {"dead", m.dead},
                            {"constant", m.constant},
                            {"histogram", m.histogram},
                            {"channels", channels},
                            {"size", {m.pictures.h, m.pictures.w / int64_t(m.channels.size())}},
                            {"pictures", report::png_uri(m.pictures, {})}};
    }
}

void add_gradients(Json& nodes, const std::vector<Entry>& entries, const StepGradients& gradients) {
    std::unordered_map<const Leaf*, const ParameterGradient*> by_leaf;
    for (const ParameterGradient& g : gradients.parameters) by_leaf.emplace(g.leaf, &g);
    for (size_t i = 0; i < nodes.size() && i < entries.size(); ++i) {
        Json of_node = Json::array();
        for (const Value& v : entries[i].inputs)
            if (const auto g = by_leaf.find(v.leaf.get()); v.leaf && g != by_leaf.end())
                of_node.push_back({{"parameter", g->second->path},
                                   {"gradient", report::number(g->second->norm)},
                                   {"value", report::number(g->second->value_norm)}});
        if (!of_node.empty()) nodes[i]["gradients"] = of_node;
        if (i < gradients.maps.size()) nodes[i]["gradient"] = report::number(gradients.maps[i]);
    }
}

void add_filters(Json& nodes, SegmentationNet& net, const std::vector<Entry>& entries) {
    const int64_t channels = net.in_channels();
    if (channels != 1 && channels != 3) return;
    const ParametersByLeaf parameters = parameters_of(net);
    for (size_t i = 0; i < nodes.size(); ++i)
        for (const Value& v : entries[i].inputs) {
            const auto p = parameters.find(v.leaf.get());
            if (p == parameters.end() || v.shape.rank() != 4) continue;
            if (v.shape[3] != channels) return;
            Json values = Json::array();
            const std::vector<double> all = host_values(p->second.parameter->value);
            const int64_t shown = std::min(v.shape[0], most_filters);
            for (int64_t k = 0; k < shown * v.shape[1] * v.shape[2] * channels; ++k)
                values.push_back(std::round(all[size_t(k)] * 1e4) / 1e4);
            nodes[i]["filters"] = {{"shape", {shown, v.shape[1], v.shape[2], channels}}, {"values", values}};
            return;
        }
}

}  // namespace atrous::inspection
