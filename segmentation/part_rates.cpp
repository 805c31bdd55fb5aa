#include "segmentation/part_rates.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/suggest.h"
#include "base/text.h"
#include "kernels/optim.h"

namespace atrous {

static constexpr size_t max_parts = kernels::optim_max_groups / 2 - 1;  // with and without decay, and all the rest

static void add_once(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
}

// Every part of the net by its path: "inc", "inc.double_conv", …, the parameters themselves too.
static std::vector<std::string> parts_of(SegmentationNet& net) {
    std::vector<std::string> parts;
    for (const NamedParameter& p : net.parameters()) {
        for (size_t dot = p.path.find('.'); dot != std::string::npos; dot = p.path.find('.', dot + 1))
            add_once(parts, p.path.substr(0, dot));
        add_once(parts, p.path);
    }
    return parts;
}

static double factor_of(const std::string& word, const std::string& number) {
    char* end = nullptr;
    const double factor = std::strtod(number.c_str(), &end);
    if (number.empty() || *end != 0 || !std::isfinite(factor) || factor <= 0)
        throw UsageError(
            fmt::format("`lr-scale` {}: expected PART=FACTOR with a factor above 0, such as encoder=0.1; "
                        "`freeze-encoder` has the encoder stay as it is",
                        io::in_quotes(word)));
    return factor;
}

static std::pair<std::string, double> rate_of(const std::string& word, SegmentationNet& net) {
    const size_t equals = std::min(word.rfind('='), word.size());
    const std::string part = word.substr(0, equals);
    const double factor = factor_of(word, word.substr(std::min(equals + 1, word.size())));
    const std::vector<std::string> parts = parts_of(net);
    if (std::find(parts.begin(), parts.end(), part) == parts.end()) {
        std::vector<std::string> first;
        for (const std::string& path : parts) add_once(first, path.substr(0, path.find('.')));
        throw UsageError(
            fmt::format("`lr-scale`: this net has no part {}{}; it consists of {} (`atrous summary` shows "
                        "what these do)",
                        io::in_quotes(part), did_you_mean(part, parts), enumeration(first)));
    }
    const auto parameters = net.parameters();
    const bool whole =
        std::any_of(parameters.begin(), parameters.end(), [&](const NamedParameter& p) { return p.path == part; });
    return {whole ? part : part + ".", factor};
}

std::vector<std::pair<std::string, double>> part_rates(const Experiment& e, SegmentationNet& net) {
    std::vector<std::pair<std::string, double>> rates;
    for (const std::string& word : e.lr_scales) rates.push_back(rate_of(word, net));
    if (e.encoder_lr != 1) {
        if (!net.encoder()) throw UsageError("`encoder-lr`: this model has no encoder; see unet `encoder`, fcn, …");
        rates.push_back({net.encoder()->name() + ".", e.encoder_lr});
    }
    if (e.aux_lr != 1) rates.push_back({"aux_classifier.", e.aux_lr});
    if (rates.size() > max_parts)
        throw UsageError(
            fmt::format("`lr-scale`, `encoder-lr` and `aux-lr` name {} parts; at most {} may have learning "
                        "rates of their own",
                        rates.size(), max_parts));
    return rates;
}

}  // namespace atrous
