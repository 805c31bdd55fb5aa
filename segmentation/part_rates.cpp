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

using PartRate = std::pair<std::string, double>;

static bool lies_in(const NamedParameter& p, const PartRate& part) { return p.path.starts_with(part.first); }

static std::string part_of(const PartRate& rate) {
    return io::in_quotes(rate.first.ends_with('.') ? rate.first.substr(0, rate.first.size() - 1) : rate.first);
}

static void add_encoder(std::vector<PartRate>& rates, double factor, SegmentationNet& net) {
    if (!net.encoder()) throw UsageError("`encoder-lr`: this model has no encoder; see unet `encoder`, fcn, …");
    rates.push_back({net.encoder()->name() + ".", factor});
}

static void add_auxiliary(std::vector<PartRate>& rates, double factor, SegmentationNet& net) {
    const PartRate rate{"aux_classifier.", factor};
    const auto parameters = net.parameters();
    if (std::none_of(parameters.begin(), parameters.end(), [&](const auto& p) { return lies_in(p, rate); }))
        throw UsageError(
            "`aux-lr`: this net has no auxiliary head (aux_classifier); fcn and deeplabv3 have one with `aux-weight` "
            "above 0");
    rates.push_back(rate);
}

// Part by part what the optimizer makes of them, for which the first that a parameter lies in counts.
static void check_each_trains(const std::vector<PartRate>& rates, SegmentationNet& net) {
    std::vector<int64_t> trained(rates.size(), 0), taken(rates.size(), 0);  // taken: by a part within
    for (const NamedParameter& p : net.parameters()) {
        if (!p.parameter->trainable) continue;
        bool first = true;
        for (size_t i = 0; i < rates.size(); ++i)
            if (lies_in(p, rates[i])) {
                ++(first ? trained : taken)[i];
                first = false;
            }
    }
    for (size_t i = 0; i < rates.size(); ++i)
        if (trained[i] == 0 && taken[i] == 0)
            throw UsageError(fmt::format(
                "a learning rate for {}, of which nothing trains (`freeze-encoder`); leave out one of the two",
                part_of(rates[i])));
        else if (trained[i] == 0)
            throw UsageError(
                fmt::format("a learning rate for {}, all of which has rates by the names of its parts; leave it out",
                            part_of(rates[i])));
}

std::vector<PartRate> part_rates(const Experiment& e, SegmentationNet& net) {
    std::vector<PartRate> rates;
    for (const std::string& word : e.lr_scales) rates.push_back(rate_of(word, net));
    if (e.encoder_lr != 1) add_encoder(rates, e.encoder_lr, net);
    if (e.aux_lr != 1) add_auxiliary(rates, e.aux_lr, net);
    if (rates.size() > max_parts)
        throw UsageError(
            fmt::format("`lr-scale`, `encoder-lr` and `aux-lr` name {} parts; at most {} may have learning "
                        "rates of their own",
                        rates.size(), max_parts));
    std::stable_sort(rates.begin(), rates.end(),
                     [](const PartRate& a, const PartRate& b) { return a.first.size() > b.first.size(); });
    for (size_t i = 0; i < rates.size(); ++i)
        for (size_t j = 0; j < i; ++j)
            if (rates[i].first == rates[j].first)
                throw UsageError(
                    fmt::format("`lr-scale`, `encoder-lr` and `aux-lr` name {} twice; give it one learning rate",
                                part_of(rates[i])));
    check_each_trains(rates, net);
    return rates;
}

}  // namespace atrous
