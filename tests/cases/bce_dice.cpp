#include <fmt/core.h>

#include <iterator>

#include "engine/ops/loss.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

Tested loss_case(const std::string& label, const Shape& logits, const BceDiceOptions& o, bool terms = false) {
    Request request{.shapes = {logits},
                    .numbers = {{"bce_weight", o.bce_weight},
                                {"dice_weight", o.dice_weight},
                                {"smooth", o.smooth},
                                {"smoothing", o.smoothing},
                                {"pos_weight", o.pos_weight},
                                {"normalizer", o.normalizer},
                                {"groups", double(o.groups)},
                                {"ignore_index", double(o.ignore_index)},
                                {"label_form", double(o.labels)},
                                {"gamma", o.gamma},
                                {"alpha", o.alpha},
                                {"beta", o.beta},
                                {"exponent", o.exponent},
                                {"terms", terms}}};
    for (size_t c = 0; c < std::size(o.weights); ++c) request.numbers[fmt::format("weight_{}", c)] = o.weights[c];
    return {"bce_dice", (terms ? "terms_" : "") + label, request};
}

const Family family("bce_dice", [] {
    std::vector<Tested> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const BceDiceOptions& options) {
        cases.push_back(loss_case(label, logits, options));
        cases.push_back(loss_case(label, logits, options, true));
    };
    const Shape binary{2, 5, 7, 1}, multi{3, 5, 4, 5};
    add("one_value", {1, 1, 1, 1}, {.ignore_index = -1});
    add("binary", binary, {});
    add("binary_all_count", binary, {.ignore_index = -1});
    add("binary_sample", binary, {.groups = DiceGroups::sample});
    add("bce_only", binary, {.dice_weight = 0});
    add("dice_only", binary, {.bce_weight = 0});
    add("no_smoothing", binary, {.smooth = 0});
    add("weights", binary, {.bce_weight = 0.3, .dice_weight = 1.7, .smooth = 1e-3});
    add("normalizer", binary, {.normalizer = 100});
    add("smoothing", binary, {.smoothing = 0.2});
    add("pos_weight", multi, {.pos_weight = 5});
    add("pos_weight_below_one", binary, {.smooth = 1e-3, .pos_weight = 0.3});
    add("smoothing_and_pos_weight", {2, 31, 36, 1}, {.smoothing = 0.1, .pos_weight = 3});
    add("smoothing_vectors", {2, 7, 3, 24}, {.dice_weight = 0, .smoothing = 0.1, .pos_weight = 2});
    add("large", {2, 31, 37, 1}, {});
    add("classes_batch", multi, {});
    add("classes_sample", multi, {.groups = DiceGroups::sample});
    add("classes_all", multi, {.groups = DiceGroups::all});
    add("classes_ignore_a_class", multi, {.ignore_index = 2});
    add("classes_vectors", {2, 7, 3, 24}, {.groups = DiceGroups::sample});
    add("classes_two", {1, 11, 13, 2}, {});
    const LabelForm bits = LabelForm::bits;
    add("bits", {3, 5, 4, 5}, {.labels = bits});
    add("bits_one", {2, 5, 7, 1}, {.labels = bits});
    add("bits_vectors", {2, 9, 13, 4}, {.groups = DiceGroups::sample, .labels = bits});
    add("bits_most", {2, 31, 37, 7}, {.groups = DiceGroups::all, .labels = bits});
    add("bits_all_count", multi, {.ignore_index = -1, .labels = bits});
    add("bits_weights", {2, 9, 13, 7},
        {.smoothing = 0.1, .pos_weight = 3, .labels = bits, .weights = {4, 0.5, 3, 0.25, 1.5, 0.75, 2}});
    add("bits_focal", multi, {.dice_weight = 0, .labels = bits, .gamma = 2});
    add("bits_focal_vectors", {2, 9, 13, 4}, {.normalizer = 50, .labels = bits, .gamma = 0.5});
    add("bits_tversky", multi, {.bce_weight = 0, .labels = bits, .alpha = 0.3, .beta = 0.7});
    add("bits_jaccard", multi, {.bce_weight = 0, .smooth = 2, .labels = bits, .alpha = 1, .beta = 1});
    add("bits_focal_tversky", multi,
        {.groups = DiceGroups::sample, .labels = bits, .alpha = 0.3, .beta = 0.7, .exponent = 0.75});
    return cases;
});

}  // namespace

}  // namespace atrous::cases
