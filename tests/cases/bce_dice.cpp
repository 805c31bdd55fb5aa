#include "engine/ops/loss.h"
#include "tests/cases/case.h"

namespace atrous::cases {

namespace {

Case loss_case(const std::string& label, const Shape& logits, const BceDiceOptions& options) {
    Case c{.label = label, .inputs = {{"logits", logits}}};
    c.inputs.push_back({.name = "labels",
                        .shape = {logits[0], logits[1], logits[2], 1},
                        .role = Role::labels,
                        .fill = Fill::labels,
                        .differentiable = false,
                        .classes = int(std::max<int64_t>(2, logits[3]))});
    c.call = [options](const std::vector<Tensor>& in, const Tensor&) { return bce_dice(in[0], in[1], options).loss; };
    c.flops = c.backward_flops = 12 * double(logits.count());
    return c;
}

// All four terms; the loss alone has a gradient.
Case terms_case(const std::string& label, const Shape& logits, const BceDiceOptions& options) {
    Case c = loss_case("terms_" + label, logits, options);
    c.inputs[0].differentiable = false;
    c.call = [options](const std::vector<Tensor>& in, const Tensor&) { return bce_dice(in[0], in[1], options).terms; };
    return c;
}

Case bce_dice_at(const Request& r) {
    BceDiceOptions o;
    o.bce_weight = r.number("bce_weight", o.bce_weight);
    o.dice_weight = r.number("dice_weight", o.dice_weight);
    o.smooth = r.number("smooth", o.smooth);
    return loss_case("", r.shape(0), o);
}

const Family family("bce_dice", bce_dice_at, [] {
    std::vector<Case> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const BceDiceOptions& options) {
        cases.push_back(loss_case(label, logits, options));
        cases.push_back(terms_case(label, logits, options));
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
    add("large", {2, 31, 37, 1}, {});
    add("classes_batch", multi, {});
    add("classes_sample", multi, {.groups = DiceGroups::sample});
    add("classes_all", multi, {.groups = DiceGroups::all});
    add("classes_ignore_a_class", multi, {.ignore_index = 2});
    add("classes_vectors", {2, 7, 3, 24}, {.groups = DiceGroups::sample});
    add("classes_two", {1, 11, 13, 2}, {});
    return cases;
});

}  // namespace

}  // namespace atrous::cases
