#include "segmentation/summary_text.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "models/check.h"

namespace atrous {

std::string grouped(int64_t n) {  // 31,037,633
    const std::string digits = std::to_string(n);
    std::string text;
    for (size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
        text += digits[i];
    }
    return text;
}

std::string scaled(int64_t n) {  // 48.2 G
    const double x = double(n);
    for (const auto& [unit, name] : {std::pair{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
        if (x >= unit) return fmt::format("{:.4g} {}", x / unit, name);
    return std::to_string(n);
}

static std::string field_text(const ReceptiveField& f) {
    if (f.whole) return "all";
    return f.height == f.width ? std::to_string(f.height) : fmt::format("{}x{}", f.height, f.width);
}

std::string layer_table(const Summary& s, int64_t batch) {
    size_t module = 6, op = 2, shape = 15;
    for (const LayerRow& r : s.rows) {
        module = std::max(module, r.module.size());
        op = std::max(op, r.op.size());
        shape = std::max(shape, r.output.text().size());
    }
    const auto line = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d,
                          const std::string& e, const std::string& f, const std::string& g, const std::string& h) {
        const std::string text = fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>12}  {:>13}  {:>11}  {:>9}  {:>6}", a, module,
                                             b, op, c, shape, d, e, f, g, h);
        return text.substr(0, text.find_last_not_of(' ') + 1) + "\n";
    };
    std::string text =
        line("layer", "op", "output NxHxWxC", "parameters", "multiply-adds", "kept", "receptive", "stride") +
        line("", "", "", "", "an image", "in training", "field", "");
    for (const LayerRow& r : s.rows)
        text += line(r.module.empty() ? "-" : r.module, r.op, r.output.text(),
                     r.parameters ? grouped(r.parameters) : "", r.multiply_adds ? scaled(r.multiply_adds / batch) : "",
                     r.kept_bytes ? io::format_bytes(uint64_t(r.kept_bytes)) : "", field_text(r.receptive_field),
                     fmt::format("{:.4g}", r.output_stride));
    return text + line("total", "", "", grouped(s.parameters), scaled(s.multiply_adds / batch),
                       io::format_bytes(uint64_t(s.kept_bytes)), "", "");
}

static nlohmann::json json_of(const LayerRow& r) {
    nlohmann::json shape = nlohmann::json::array();
    for (int i = 0; i < r.output.rank(); ++i) shape.push_back(r.output[i]);
    nlohmann::json field = "all";
    if (!r.receptive_field.whole) field = {r.receptive_field.height, r.receptive_field.width};
    return {{"module", r.module},
            {"op", r.op},
            {"output_nhwc", shape},
            {"dtype", name_of(r.dtype)},
            {"parameters", r.parameters},
            {"multiply_adds", r.multiply_adds},
            {"kept_bytes", r.kept_bytes},
            {"receptive_field", field},
            {"output_stride", r.output_stride}};
}

nlohmann::json json_of(const MemoryPlan& p) {
    return {{"weights_bytes", p.at_peak(BlockUse::weights)},
            {"half_weights_bytes", p.at_peak(BlockUse::half_weights)},
            {"gradients_bytes", p.at_peak(BlockUse::gradients)},
            {"optimizer_bytes", p.at_peak(BlockUse::optimizer)},
            {"batch_bytes", p.at_peak(BlockUse::batch)},
            {"activations_bytes", p.at_peak(BlockUse::activation)},
            {"activation_gradients_bytes", p.at_peak(BlockUse::activation_gradient)},
            {"workspace_bytes", p.at_peak(BlockUse::workspace)},
            {"peak_bytes", p.peak_bytes},
            {"reserved_bytes", p.reserved_bytes}};
}

std::string size_notes(const SegmentationNet& net, const NetConfig& config, ImageSize size) {
    std::string text;
    const int64_t multiple = net.input_multiple();
    const ImageSize raised = raised_to_multiple(size, multiple);
    if (multiple > 1)
        text += fmt::format("the net takes multiples of {} pixels: {}\n", multiple,
                            raised == size ? "these are"
                                           : fmt::format("{} is padded to {}, and the logits are cropped",
                                                         width_by_height(size), width_by_height(raised)));
    for (const DeadTaps& d : mostly_dead_taps(config, size.height, size.width)) text += "warning: " + text_of(d) + "\n";
    return text.empty() ? text : text + "\n";
}

nlohmann::json json_of(const Summary& s) {
    nlohmann::json rows = nlohmann::json::array();
    for (const LayerRow& r : s.rows) rows.push_back(json_of(r));
    return {{"parameters", s.parameters},
            {"trainable_parameters", s.trainable_parameters},
            {"multiply_adds", s.multiply_adds},
            {"kept_bytes", s.kept_bytes},
            {"layers", rows}};
}

}  // namespace atrous
