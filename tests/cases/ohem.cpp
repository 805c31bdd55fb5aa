#include "engine/ops/ohem.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

namespace {

const Family family("ohem", [] {
    std::vector<Tested> cases;
    const auto add = [&](const std::string& label, const Shape& logits, const OhemOptions& o, bool weighted = false) {
        for (const bool terms : {false, true}) {
            Tested c("ohem", (terms ? "terms_" : "") + label,
                     {.shapes = {logits},
                      .numbers = {{"weight", o.weight},
                                  {"thresh", o.thresh},
                                  {"keep", o.keep},
                                  {"ignore_index", double(o.ignore_index)},
                                  {"class_weights", weighted},
                                  {"terms", terms}}});
            c.least_nonzero = 0.1;  // easy pixels have no gradient
            cases.push_back(std::move(c));
        }
    };
    const auto options = [](double thresh, double keep, int ignore_index = 255, double weight = 1) {
        OhemOptions o;
        o.thresh = thresh, o.keep = keep, o.ignore_index = ignore_index, o.weight = weight;
        return o;
    };
    const Shape binary{2, 5, 7, 1}, odd{3, 5, 4, 5};
    add("one_pixel", {1, 1, 1, 1}, options(0, 0.01, -1));
    add("binary_by_threshold", binary, options(0.4, 0.01));
    add("binary_by_share", binary, options(0.1, 0.5, -1));
    add("binary_weights", binary, options(0.5, 0.1), true);
    add("binary_tiles", {1, 61, 37, 1}, options(0.1, 0.3));
    add("by_threshold", odd, options(0.15, 0.05));
    add("by_share", odd, options(0, 0.35, 2, 0.3));
    add("weights", odd, options(0.15, 0.3), true);
    add("everything", {2, 7, 3, 24}, options(1, 1));
    add("tiles", {2, 31, 37, 3}, options(0.2, 0.25));
    return cases;
});

}  // namespace

}  // namespace atrous::cases
