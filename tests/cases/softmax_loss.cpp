#include "engine/ops/softmax_loss.h"
#include "tests/cases/case.h"

namespace atrous::cases {

namespace {

Case loss_case(const std::string& label, const Shape& logits, const SoftmaxLossOptions& options, bool weighted) {
    Case c{.label = label, .inputs = {{"logits", logits}}};
    const int64_t classes = std::max<int64_t>(2, logits[3]);
    c.inputs.push_back({.name = "labels",
                        .shape = {logits[0], logits[1], logits[2], 1},
                        .role = Role::labels,
                        .fill = Fill::labels,
                        .differentiable = false,
                        .classes = int(classes)});
    if (weighted)
        c.inputs.push_back({.name = "class weights",
                            .shape = {classes},
                            .role = Role::parameter,
                            .fill = Fill::positive,
                            .differentiable = false});
    c.call = [options](const std::vector<Tensor>& in, const Tensor&) {
        return softmax_loss(in[0], in[1], options, in.size() > 2 ? in[2] : Tensor()).loss;
    };
    c.flops = c.backward_flops = 14 * double(logits.count());
    return c;
}

// All four terms; the loss alone has a gradient.
Case terms_case(const std::string& label, const Shape& logits, const SoftmaxLossOptions& options, bool weighted) {
    Case c = loss_case("terms_" + label, logits, options, weighted);
    c.inputs[0].differentiable = false;
    c.call = [options](const std::vector<Tensor>& in, const Tensor&) {
        return softmax_loss(in[0], in[1], options, in.size() > 2 ? in[2] : Tensor()).terms;
    };
    return c;
}

Case softmax_loss_at(const Request& r) {
    SoftmaxLossOptions o;
    for (const auto& [name, value] : {std::pair{"ce_weight", &o.ce_weight},
                                      {"region_weight", &o.region_weight},
                                      {"gamma", &o.gamma},
                                      {"alpha", &o.alpha},
                                      {"beta", &o.beta},
                                      {"smooth", &o.smooth},
                                      {"exponent", &o.exponent}})
        *value = r.number(name, *value);
    return loss_case("", r.shape(0), o, false);
}

const Family family("softmax_loss", softmax_loss_at, [] {
    std::vector<Case> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const SoftmaxLossOptions& options,
                         bool weighted = false) {
        cases.push_back(loss_case(label, logits, options, weighted));
        cases.push_back(terms_case(label, logits, options, weighted));
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
