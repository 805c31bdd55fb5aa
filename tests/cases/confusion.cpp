#include "engine/ops/metrics.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case confusion_case(const std::string& label, const Shape& logits, double threshold = 0, int ignore_index = 255,
                           int classes = 0) {
    const int64_t predicted = std::max<int64_t>(2, logits[3]);
    Case c{.label = label, .inputs = {{.name = "logits", .shape = logits, .differentiable = false}}};
    c.inputs.push_back({.name = "labels",
                        .shape = {logits[0], logits[1], logits[2], 1},
                        .role = Role::labels,
                        .fill = Fill::labels,
                        .differentiable = false,
                        .classes = classes ? classes : int(predicted)});
    c.inputs.push_back({.name = "counts",
                        .shape = {predicted * predicted},
                        .role = Role::counts,
                        .differentiable = false,
                        .written = true});
    c.call = [=](const std::vector<Tensor>& in, const Tensor&) {
        Tensor counts = in[2];
        count_confusion(in[0], in[1], counts, threshold, ignore_index);
        return counts;
    };
    c.exact = true;  // small integers tie: the first maximum is predicted
    return c;
}

static Case confusion_at(const Request& r) { return confusion_case("", r.shape(0), r.number("threshold", 0)); }

static const Family family("confusion", confusion_at, [] {
    return std::vector<Case>{confusion_case("one_pixel", {1, 1, 1, 1}),
                             confusion_case("binary", {2, 5, 7, 1}),
                             confusion_case("binary_threshold", {2, 9, 7, 1}, 0.5),
                             confusion_case("binary_nothing_ignored", {1, 9, 7, 1}, 0, -1),
                             confusion_case("binary_labels_above_one", {1, 9, 7, 1}, 0, 255, 4),
                             confusion_case("two_logits", {2, 11, 3, 2}),
                             confusion_case("classes", {2, 13, 11, 5}),
                             confusion_case("classes_ignore_one", {1, 13, 11, 5}, 0, 3),
                             confusion_case("labels_out_of_range", {1, 13, 11, 5}, 0, 255, 9),
                             confusion_case("many_classes", {1, 17, 23, 21}),
                             confusion_case("many_pixels", {2, 67, 41, 3})};
});

}  // namespace atrous::cases
