#include "engine/ops/elementwise.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case concat_case(const std::string& label, int64_t n, int64_t h, int64_t w,
                        const std::vector<int64_t>& channels) {
    Case c{.label = label};
    for (size_t i = 0; i < channels.size(); ++i)
        c.inputs.push_back({"part" + std::to_string(i), {n, h, w, channels[i]}});
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return concat(in); };
    c.exact = true;
    c.backward_reads_inputs = false;
    return c;
}

static Case with_itself() {
    Case c = concat_case("with_itself", 2, 3, 4, {8});
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return concat(in[0], in[0]); };
    return c;
}

static Case concat_at(const Request& r) {
    const Shape& first = r.shape(0);
    std::vector<int64_t> channels;
    for (size_t i = 0; i < r.shapes.size(); ++i) channels.push_back(r.shape(i)[3]);
    return concat_case("", first[0], first[1], first[2], channels);
}

static const Family family("concat", concat_at, [] {
    return std::vector<Case>{concat_case("one_value", 1, 1, 1, {1, 1}),
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
