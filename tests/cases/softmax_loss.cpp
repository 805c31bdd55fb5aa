#include "engine/ops/softmax_loss.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

Tested loss_case(const std::string& label, const Shape& logits, const SoftmaxLossOptions& o, bool weighted,
                 bool terms = false) {
    return {"softmax_loss",
            (terms ? "terms_" : "") + label,
            {.shapes = {logits},
             .numbers = {{"ce_weight", o.ce_weight},
                         {"smoothing", o.smoothing},
                         {"region_weight", o.region_weight},
                         {"gamma", o.gamma},
                         {"alpha", o.alpha},
                         {"beta", o.beta},
                         {"smooth", o.smooth},
                         {"exponent", o.exponent},
                         {"normalizer", o.normalizer},
                         {"groups", double(o.groups)},
                         {"background", o.background},
                         {"ignore_index", double(o.ignore_index)},
                         {"class_weights", weighted},
                         {"terms", terms}}}};
}

const Family family("softmax_loss", [] {
    std::vector<Tested> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const SoftmaxLossOptions& options,
                         bool weighted = false) {
        cases.push_back(loss_case(label, logits, options, weighted));
        cases.push_back(loss_case(label, logits, options, weighted, true));
    };
    const Shape binary{2, 5, 7, 1}, odd{3, 5, 4, 5}, vectors{2, 7, 4, 24};
    const SoftmaxLossOptions both{.region_weight = 0.7}, region{.ce_weight = 0, .region_weight = 1};
    SoftmaxLossOptions tversky = region;
    tversky.alpha = 0.3, tversky.beta = 0.7, tversky.smooth = 1e-3;
    SoftmaxLossOptions focal_tversky = tversky;
    focal_tversky.exponent = 0.75;
    const auto with = [](SoftmaxLossOptions o, auto set) { return set(o), o; };
    add("one_pixel", {1, 1, 1, 3}, {.ignore_index = -1});
    add("ce", odd, {});
    add("ce_weights", odd, {}, true);
    add("ce_all_count", vectors, {.ignore_index = -1});
    add("ce_ignores_a_class", odd, {.ignore_index = 2});
    add("ce_normalizer", odd, {.normalizer = 100}, true);
    add("ce_prime", {1, 13, 11, 17}, {});
    add("ce_smoothing", odd, {.smoothing = 0.1});
    add("ce_smoothing_weights", vectors, {.smoothing = 0.3}, true);
    add("ce_smoothing_binary", binary, {.smoothing = 0.2}, true);
    add("ce_smoothing_and_dice", {1, 9, 7, 21}, {.region_weight = 0.7, .smoothing = 0.1}, true);
    add("ce_smoothing_prime", {1, 31, 37, 11}, {.normalizer = 100, .smoothing = 0.05}, true);
    add("focal", odd, {.gamma = 2});
    add("focal_root_weights", vectors, {.gamma = 0.5}, true);
    add("focal_one", {1, 6, 5, 21}, {.gamma = 1});
    add("dice", odd, region);
    add("dice_sample", odd, with(region, [](auto& o) { o.groups = DiceGroups::sample; }));
    add("dice_all", odd, with(region, [](auto& o) { o.groups = DiceGroups::all; }));
    add("dice_foreground", vectors, with(region, [](auto& o) { o.background = false; }));
    add("dice_foreground_all", odd, with(region, [](auto& o) { o.background = false, o.groups = DiceGroups::all; }));
    add("dice_no_smoothing", odd, with(region, [](auto& o) { o.smooth = 0; }));
    add("ce_and_dice", {1, 9, 7, 21}, both, true);
    add("ce_and_dice_two_classes", {2, 11, 13, 2}, both);
    add("ce_and_dice_large", {2, 31, 37, 11}, both);
    add("tversky", odd, tversky);
    add("tversky_sample", vectors, with(tversky, [](auto& o) { o.groups = DiceGroups::sample; }));
    add("focal_tversky", odd, focal_tversky);
    add("everything", {2, 9, 8, 11}, with(focal_tversky, [](auto& o) { o.ce_weight = 0.4, o.gamma = 2; }), true);
    add("binary", binary, {.ce_weight = 0.5, .region_weight = 0.5}, true);
    add("binary_focal_tversky", {1, 31, 37, 1}, with(focal_tversky, [](auto& o) { o.ce_weight = 1, o.gamma = 2; }));
    add("classes_40", {1, 9, 11, 40}, both);
    add("classes_100", {2, 5, 13, 100}, both, true);
    add("classes_150", {1, 7, 9, 150}, both);
    add("classes_256", {1, 5, 8, 256}, both);
    return cases;
});

}  // namespace

}  // namespace atrous::cases
