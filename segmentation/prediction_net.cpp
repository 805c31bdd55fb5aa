#include "segmentation/prediction_net.h"

#include <fmt/core.h>

#include "engine/nn/summary.h"
#include "segmentation/thrifty_net.h"

namespace atrous {

void describe(Settings& s, PredictionOptions& o) {
    describe(s, o.windows);
    describe(s, o.augmentation);
    s.bind("average-with", o.average_with,
           "further checkpoints or run folders, whose probabilities are averaged with those of the first");
}

namespace {

std::string joined(const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : " ") + name;
    return text.empty() ? "none" : text;
}

std::string text_of(const data::Normalization& n) {
    return fmt::format("mean {} {} {}, deviation {} {} {}, `value-range` {}", n.mean[0], n.mean[1], n.mean[2],
                       n.stddev[0], n.stddev[1], n.stddev[2], data::text_of(n.range));
}

// What must be the same, in words.
std::vector<std::pair<const char*, std::string>> terms_of(const ModelCard& card) {
    return {{"classes", fmt::format("{}", card.classes())},
            {"channels of logits", fmt::format("{}{}", card.net.out_channels, is_softmax(card) ? "" : ", sigmoid")},
            {"labels", card.label_form() == LabelForm::bits ? "a bit a class (`multi-label`)"
                                                            : "classes that exclude each other"},
            {"class names", joined(card.class_names)},
            {"channels of images", fmt::format("{}", card.net.in_channels)},
            {"size", fmt::format("{}x{}", card.width, card.height)},
            {"images", "seen by `resize` " + data::word_of(card.resize)},
            {"normalization", text_of(card.normalization)}};
}

void check_agreement(const ModelCard& first, const std::string& path, const ModelCard& other,
                     const std::string& other_path) {
    const auto here = terms_of(first), there = terms_of(other);
    for (size_t i = 0; i < here.size(); ++i)
        if (here[i].second != there[i].second)
            throw UsageError(
                fmt::format("`average-with` {}: its {} are {}, those of {} are {}; only checkpoints of one "
                            "task are averaged",
                            other_path, here[i].first, there[i].second, path, here[i].second));
}

// The scale at which windows are seen is the first one's. Images as they are have none.
void warn_of_scale(const ModelCard& first, const std::string& path, const ModelCard& other,
                   const std::string& other_path, Messages& messages) {
    const SourceSizes &here = first.sources, &there = other.sources;
    if (first.resize == data::ResizeMode::none ||
        (here.max_height == there.max_height && here.max_width == there.max_width))
        return;
    const auto largest = [](const SourceSizes& sizes) {
        return sizes.known() ? fmt::format("{}x{}", sizes.max_width, sizes.max_height) : "not recorded";
    };
    messages.warning(
        fmt::format("`average-with` {}: the largest images of its training are {}, those of {} {}; by windows it sees "
                    "the scale of the latter",
                    other_path, largest(there), path, largest(here)));
}

}  // namespace

LoadedNet prediction_net(const std::string& path, const PredictionOptions& options, const LoadCheckpoint& load,
                         Messages& messages) {
    if (options.windows.windows == "exact" && options.augmentation.scaled())
        throw UsageError(
            "`windows` exact and `tta-scales`: where an image is resized window by window, the result is not the whole "
            "image's; leave one of them out");
    Halo halo;
    std::vector<std::unique_ptr<SegmentationNet>> nets;
    const auto add = [&](LoadedNet& loaded, const std::string& of) {
        if (loaded.averaged) messages.text(fmt::format("{}: {}\n", of, text_of(*loaded.averaged)));
        if (loaded.averaged && !warning_of(*loaded.averaged).empty())
            messages.warning(fmt::format("{}: {}", of, warning_of(*loaded.averaged)));
        const Halo own = halo_of(*make_net(loaded.card.net));
        halo = joined(halo, own);
        nets.push_back(std::make_unique<ThriftyNet>(
            std::move(loaded.net), own, [&](const std::string& what) { messages.warning(what); },
            options.windows.windows == "exact"));
    };
    LoadedNet first = load(path, "");
    add(first, path);
    for (const std::string& more : options.average_with) {
        LoadedNet loaded = load(more, first.precision);
        check_agreement(first.card, path, loaded.card, more);
        warn_of_scale(first.card, path, loaded.card, more, messages);
        add(loaded, more);
    }
    first.halo = halo;
    first.net = std::make_unique<AveragedNet>(std::move(nets), options.augmentation, is_softmax(first.card));
    return first;
}

}  // namespace atrous
