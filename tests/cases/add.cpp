#include "engine/ops/elementwise.h"
#include "tests/cases/case.h"

namespace atrous::cases {

static Case add_case(const std::string& label, const Shape& shape) {
    Case c{.label = label, .inputs = {{"a", shape}, {"b", shape}}};
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return add(in[0], in[1]); };
    c.exact = true;
    c.flops = double(shape.count());
    c.backward_reads_inputs = false;
    return c;
}

static Case with_itself() {
    Case c = add_case("with_itself", {2, 5, 3, 8});
    c.inputs.pop_back();
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return add(in[0], in[0]); };
    return c;
}

static Case add_at(const Request& r) { return add_case("", r.shape(0)); }

static const Family family("add", add_at, [] {
    return std::vector<Case>{add_case("one_value", {1, 1, 1, 1}),  add_case("odd", {2, 5, 7, 3}),
                             add_case("prime", {1, 13, 11, 17}),   add_case("vectors", {2, 9, 4, 32}),
                             add_case("many_rows", {3, 67, 1, 8}), with_itself()};
});

}  // namespace atrous::cases
