#include "engine/ops/elementwise.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested concat_case(const std::string& label, int64_t n, int64_t h, int64_t w,
                          const std::vector<int64_t>& channels) {
    Request r;
    for (int64_t c : channels) r.shapes.push_back({n, h, w, c});
    Tested c("concat", label, r);
    c.exact = true;
    return c;
}

static Tested with_itself() {
    Tested c = concat_case("with_itself", 2, 3, 4, {8});
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return concat(in[0], in[0]); };
    return c;
}

static const Family family("concat", [] {
    return std::vector<Tested>{concat_case("one_value", 1, 1, 1, {1, 1}),
                               concat_case("single", 1, 4, 3, {5}),
                               concat_case("vectors", 2, 4, 5, {16, 8}),
                               concat_case("odd", 1, 5, 7, {3, 5}),
                               concat_case("unaligned", 1, 7, 3, {8, 3, 16}),
                               concat_case("five", 1, 3, 5, {8, 8, 8, 8, 8}),
                               concat_case("wide", 1, 2, 3, {129, 64}),
                               concat_case("prime", 2, 11, 13, {2, 17}),
                               with_itself()};
});

}  // namespace atrous::cases
