#include "benchmarks/cases/case.h"
#include "engine/ops/resize.h"

namespace atrous::cases {

static Case bilinear_at(const Request& r) {
    const Shape &x = r.shape(0), y = r.resized();
    Case c{.inputs = {{"x", x}}};
    c.call = [y, aligned = r.number("align_corners", 0) != 0](const std::vector<Tensor>& in, const Tensor& to) {
        return bilinear(in[0], y[1], y[2], aligned, to);
    };
    c.flops = c.backward_flops = 7.0 * double(y.count());
    c.backward_reads_inputs = false;
    return c;
}

static const Measured measured("bilinear", bilinear_at);

}  // namespace atrous::cases
