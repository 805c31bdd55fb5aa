#include "segmentation/card_classes.h"

#include <fmt/core.h>

#include "base/error.h"
#include "data/palette.h"

namespace atrous {

static std::string default_name(const ModelCard& card, int classes, int id) {
    return classes == 2 && card.label_form() == LabelForm::ids ? (id ? "foreground" : "background")
                                                               : fmt::format("class {}", id);
}

void name_classes(ModelCard& card, const data::Dataset& set, int classes) {
    const bool named = int(set.class_names.size()) == classes, coloured = named && !set.palette.empty();
    card.class_names = named ? set.class_names : std::vector<std::string>{};
    for (int c = int(card.class_names.size()); c < classes; ++c)
        card.class_names.push_back(default_name(card, classes, c));
    const bool bits = card.label_form() == LabelForm::bits;  // no class is the background, which is black
    const data::Palette palette = coloured ? set.palette : bits ? data::voc_palette() : data::mask_palette(classes);
    const auto first = palette.begin() + (bits && !coloured ? 1 : 0);
    card.colours.assign(first, first + classes);
}

void rename_classes(ModelCard& card, const std::vector<std::string>& names, const data::Palette& colours) {
    if (int64_t(names.size()) != card.classes())
        throw UsageError(
            fmt::format("`class-names` gives {} names, but the net has {} classes: give each a name, in the "
                        "order of their ids",
                        names.size(), card.classes()));
    card.class_names = names;
    if (!colours.empty()) card.colours.assign(colours.begin(), colours.end());
}

void compare_class_names(const ModelCard& card, const data::Dataset& set, Messages& messages) {
    const int classes = int(card.classes());
    if (set.class_names.empty()) return;
    if (int(set.class_names.size()) != classes)
        return messages.warning(
            fmt::format("the data set names {} classes, the net has {}: check that the ids mean "
                        "the same",
                        set.class_names.size(), classes));
    for (int c = 0; c < classes && c < int(card.class_names.size()); ++c) {
        const std::string &here = set.class_names[size_t(c)], &there = card.class_names[size_t(c)];
        if (here == there || there == default_name(card, classes, c)) continue;
        return messages.warning(
            fmt::format("class {} is {} in the data set and {} in the checkpoint: check that the "
                        "ids mean the same; `class-names` renames them",
                        c, here, there));
    }
}

}  // namespace atrous
