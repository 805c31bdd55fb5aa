#include "engine/ops/boundary.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

const Family family("boundary", [] {
    std::vector<Tested> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const BoundaryOptions& o, int classes = 0) {
        for (const bool terms : {false, true}) {
            Tested c("boundary", (terms ? "terms_" : "") + label,
                     {.shapes = {logits},
                      .numbers = {{"weight", o.weight},
                                  {"background", o.background},
                                  {"ignore_index", double(o.ignore_index)},
                                  {"terms", terms}}});
            if (classes) c.inputs[1].classes = classes;
            cases.push_back(std::move(c));
        }
    };
    const Shape binary{2, 5, 7, 1}, odd{3, 5, 4, 5};
    add("binary", binary, {});
    add("binary_all_count", binary, {.weight = 0.3, .ignore_index = -1});
    add("binary_blocks", {1, 3, 301, 1}, {});
    add("binary_high", {1, 301, 3, 1}, {});
    add("two_classes", {1, 11, 13, 2}, {});
    add("softmax", odd, {});
    add("softmax_background", odd, {.weight = 2, .background = true});
    add("softmax_ignores_a_class", odd, {.background = true, .ignore_index = 2});
    add("softmax_absent_classes", {2, 7, 3, 24}, {}, 9);
    add("softmax_blocks", {2, 31, 37, 3}, {.background = true});
    return cases;
});

}  // namespace

}  // namespace atrous::cases
