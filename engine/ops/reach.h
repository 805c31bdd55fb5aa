// A reach says how the positions of an op's output lie on those of its input, along one axis.
#pragma once

#include <cstdint>

namespace atrous {

// Output position o depends on these input positions, as if the input had no borders:
//   same        o
//   shifted     o + shift
//   window      o * stride - padding + k * dilation for every tap k = 0 … kernel-1
//   transposed  i where o = i * stride - padding + k * dilation for some tap k
//   corners     both neighbours of o * (in - 1) / (out - 1): a resize that keeps the outermost centres
//   centres     both neighbours of (o + 1/2) * in / out - 1/2
//   nearest     floor(o * in / out)
//   all         0 … in-1
class Reach {
 public:
    struct Range {
        int64_t first, last;
    };

    static Reach same() { return {}; }
    static Reach shifted(int64_t shift);
    static Reach window(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation = 1);
    static Reach transposed(int64_t kernel, int64_t stride, int64_t padding = 0, int64_t dilation = 1);
    static Reach corners() { return Reach(Kind::corners); }
    static Reach centres() { return Reach(Kind::centres); }
    static Reach nearest() { return Reach(Kind::nearest); }
    static Reach all() { return Reach(Kind::all); }

    // Returns the reach between sizes: a resize, or a mean over all, from a size to itself is `same`.
    Reach between(int64_t in, int64_t out) const;

    // The functions below are of a reach between sizes.
    Range inputs_of(Range outputs) const;
    double stride_from(double input_stride) const;  // of the output; nothing is known of it where all() or resizes()
    bool is_all() const { return kind_ == Kind::all; }
    bool resizes() const;
    // Whether an output position's neighbours in the input change with the sizes: they do where all are averaged, where
    // a resize keeps the outermost centres, and where it is by no whole factor.
    bool depends_on_size() const;
    int64_t in() const { return in_; }
    int64_t out() const { return out_; }

    // A window has taps, the distance between them, and the number of them that lie in the input, as the mean over
    // output positions. Any other reach has 1 of each.
    int64_t taps() const { return kind_ == Kind::window ? kernel_ : 1; }
    int64_t dilation() const { return kind_ == Kind::window ? dilation_ : 1; }
    double taps_inside() const;

 private:
    enum class Kind { same, shifted, window, transposed, corners, centres, nearest, all };
    Reach(Kind kind = Kind::same) : kind_(kind) {}

    Kind kind_;
    int64_t in_ = 1, out_ = 1, kernel_ = 1, stride_ = 1, padding_ = 0, dilation_ = 1, shift_ = 0;
};

}  // namespace atrous
