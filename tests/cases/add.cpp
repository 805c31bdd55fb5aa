#include "engine/ops/elementwise.h"
#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested add_case(const std::string& label, const Shape& shape) {
    Tested c("add", label, {.shapes = {shape}});
    c.exact = true;
    return c;
}

static Tested with_itself() {
    Tested c = add_case("with_itself", {2, 5, 3, 8});
    c.inputs.pop_back();
    c.call = [](const std::vector<Tensor>& in, const Tensor&) { return add(in[0], in[0]); };
    return c;
}

static const Family family("add", [] {
    return std::vector<Tested>{add_case("one_value", {1, 1, 1, 1}),  add_case("odd", {2, 5, 7, 3}),
                               add_case("prime", {1, 13, 11, 17}),   add_case("vectors", {2, 9, 4, 32}),
                               add_case("many_rows", {3, 67, 1, 8}), with_itself()};
});

}  // namespace atrous::cases
