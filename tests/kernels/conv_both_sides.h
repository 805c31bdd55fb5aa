// One convolution on both sides: the reference's on the host, and what the GPU's family takes for it. Inputs are small
// integers, so that sums are exact in float in any order and results must be equal bit for bit; half-precision results
// are the exact sum rounded once. Outputs start as NaN; what lies between a slice's pixels and around every buffer must not
// change.
#pragma once

#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "tests/kernels/cuda_fixture.h"

namespace atrous::kernels {

using test::Names;
using test::Tensor;

struct ConvCase {
    int64_t n, h, w, i, o, r, s;
    ConvGeometry g;
    bool accumulate = false, bias = true;
    int64_t gap = 0, shift = 0;  // extra pitch and misalignment of activations, in elements
    std::string text() const {
        const int64_t all[] = {n, h, w, i, o, r, s, g.stride, g.padding, g.dilation, accumulate, bias, gap, shift};
        std::string t = "n h w i o r s stride padding dilation accumulate bias gap shift:";
        for (int64_t v : all) t += " " + std::to_string(v);
        return t;
    }
};

enum class Direction { forward, backward_input, backward_weight };

// One contract function on both sides. `transposed`: the 2x2 transposed convolution; r, s and geometry are then fixed.
class BothSides {
 public:
    BothSides(const ConvCase& c, DType t, bool transposed, Direction direction, MathMode math = MathMode::exact,
              const KernelChoice& kernels = {KernelChoice::Rule::own})
        : c_(c),
          transposed_(transposed),
          direction_(direction),
          random_(1, uint64_t(c.h), uint64_t(c.i), uint64_t(c.o)),
          gpu_(math, kernels),
          x_(c.n, c.h, c.w, c.i, t, {c.gap, c.shift}),
          w_(weights(direction == Direction::backward_weight ? DType::f32 : t)),
          y_(c.n, transposed ? 2 * c.h : c.g.output_size(c.h, c.r), transposed ? 2 * c.w : c.g.output_size(c.w, c.s),
             c.o, t, {c.gap, c.shift}),
          bias_(1, 1, 1, c.o, DType::f32) {
        bias_.integers(random_, 9);
    }

    Names go() {
        SCOPED_TRACE(c_.text());
        if (direction_ == Direction::forward) return forward();
        return direction_ == Direction::backward_input ? backward_input() : backward_weight();
    }

    double nonzero_share() const {
        const Tensor& written = direction_ == Direction::forward          ? y_
                                : direction_ == Direction::backward_input ? x_
                                                                          : w_;
        const auto zeros = std::count(written.host.begin(), written.host.end(), 0.0f);
        return 1.0 - double(zeros) / double(written.host.size());
    }

 private:
    Tensor weights(DType t) const {
        return transposed_ ? Tensor(2, 2, c_.o, c_.i, t) : Tensor(c_.o, c_.r, c_.s, c_.i, t);
    }
    gpu::StreamView stream() { return gpu_.stream.view(); }

    Names forward() {
        x_.integers(random_, 3), w_.integers(random_, 2);
        void* const bias = c_.bias ? bias_.host.data() : nullptr;
        void* const device_bias = c_.bias ? bias_.device(stream()).data : nullptr;
        const View x = x_.device(stream()), w = w_.device(stream()), y = y_.device(stream());
        const Names names =
            transposed_
                ? gpu_.both(reference::conv_transpose_forward, {x_.reference(), w_.reference(), bias, y_.reference()},
                            cuda::conv_transpose_forward, {x, w, device_bias, y})
                : gpu_.both(reference::conv_forward, {x_.reference(), w_.reference(), bias, y_.reference(), c_.g},
                            cuda::conv_forward, {x, w, device_bias, y, c_.g});
        y_.expect(stream(), "y");
        return names;
    }
    Names backward_input() {
        y_.integers(random_, 3), w_.integers(random_, 2);
        if (c_.accumulate) x_.integers(random_, 9);
        const View dy = y_.device(stream()), w = w_.device(stream());
        const GradTarget host{x_.reference(), c_.accumulate}, dx{x_.device(stream()), c_.accumulate};
        const Names names =
            transposed_ ? gpu_.both(reference::conv_transpose_backward_input, {y_.reference(), w_.reference(), host},
                                    cuda::conv_transpose_backward_input, {dy, w, dx})
                        : gpu_.both(reference::conv_backward_input, {y_.reference(), w_.reference(), host, c_.g},
                                    cuda::conv_backward_input, {dy, w, dx, c_.g});
        x_.expect(stream(), "dx");
        return names;
    }
    Names backward_weight() {
        y_.integers(random_, 3), x_.integers(random_, 3);
        if (c_.accumulate)
            w_.integers(random_, 9);
        else
            std::fill(bias_.host.begin(), bias_.host.end(), std::numeric_limits<float>::quiet_NaN());
        const View x = x_.device(stream()), dy = y_.device(stream());
        const GradTarget host{w_.reference(), c_.accumulate}, dw{w_.device(stream()), c_.accumulate};
        const VectorGradTarget host_bias{c_.bias ? bias_.host.data() : nullptr, c_.accumulate};
        const VectorGradTarget dbias{c_.bias ? bias_.device(stream()).data : nullptr, c_.accumulate};
        const Names names = transposed_ ? gpu_.both(reference::conv_transpose_backward_weight,
                                                    {x_.reference(), y_.reference(), host, host_bias},
                                                    cuda::conv_transpose_backward_weight, {x, dy, dw, dbias})
                                        : gpu_.both(reference::conv_backward_weight,
                                                    {x_.reference(), y_.reference(), host, host_bias, c_.g},
                                                    cuda::conv_backward_weight, {x, dy, dw, dbias, c_.g});
        w_.expect(stream(), "dw");
        if (c_.bias) bias_.expect(stream(), "dbias");
        return names;
    }

    ConvCase c_;
    bool transposed_;
    Direction direction_;
    Random random_;
    test::Gpu gpu_;
    Tensor x_, w_, y_, bias_;
};

}  // namespace atrous::kernels
