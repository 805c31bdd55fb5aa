#include "engine/ops/lovasz.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

const Family family("lovasz", [] {
    std::vector<Tested> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const LovaszOptions& o) {
        for (const bool terms : {false, true}) {
            Tested c("lovasz", (terms ? "terms_" : "") + label,
                     {.shapes = {logits},
                      .numbers = {{"weight", o.weight},
                                  {"classes", double(o.classes)},
                                  {"per_image", o.per_image},
                                  {"ignore_index", double(o.ignore_index)},
                                  {"terms", terms}}});
            c.least_nonzero = 0.1;  // beyond the margin a hinge has no slope
            cases.push_back(std::move(c));
        }
    };
    const Shape binary{2, 5, 7, 1}, odd{3, 5, 4, 5};
    add("hinge", binary, {});
    add("hinge_all_count", binary, {.ignore_index = -1});
    add("hinge_per_image", binary, {.weight = 0.3, .per_image = true});
    add("hinge_tiles", {1, 61, 37, 1}, {});
    add("softmax", odd, {});
    add("softmax_all", odd, {.classes = LovaszClasses::all, .ignore_index = 2});
    add("softmax_per_image", odd, {.per_image = true});
    add("softmax_all_per_image", {2, 7, 3, 24}, {.weight = 2, .classes = LovaszClasses::all, .per_image = true});
    add("softmax_two_classes", {1, 11, 13, 2}, {});
    add("softmax_tiles", {2, 31, 37, 3}, {});
    return cases;
});

}  // namespace

}  // namespace atrous::cases
