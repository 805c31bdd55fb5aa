#include "engine/ops/reach.h"

namespace atrous {

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
static int64_t ceil_of(int64_t a, int64_t b) { return -floor_div(-a, b); }

// Both neighbours of the position numerator / denominator, or the one that it meets.
static Reach::Range around(int64_t first, int64_t last, int64_t denominator) {
    return {floor_div(first, denominator), ceil_of(last, denominator)};
}

Reach Reach::shifted(int64_t shift) {
    Reach r(Kind::shifted);
    r.shift_ = shift;
    return r;
}

Reach Reach::window(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    Reach r(Kind::window);
    r.kernel_ = kernel;
    r.stride_ = stride;
    r.padding_ = padding;
    r.dilation_ = dilation;
    return r;
}

Reach Reach::transposed(int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    Reach r = window(kernel, stride, padding, dilation);
    r.kind_ = Kind::transposed;
    return r;
}

Reach Reach::between(int64_t in, int64_t out) const {
    Reach r = in == out && (resizes() || is_all()) ? same() : *this;
    r.in_ = in;
    r.out_ = out;
    return r;
}

bool Reach::resizes() const { return kind_ == Kind::corners || kind_ == Kind::centres || kind_ == Kind::nearest; }

bool Reach::depends_on_size() const {
    if (kind_ == Kind::centres || kind_ == Kind::nearest) return out_ % in_ != 0 && in_ % out_ != 0;
    return kind_ == Kind::all || kind_ == Kind::corners;
}

Reach::Range Reach::inputs_of(Range o) const {
    switch (kind_) {
        case Kind::window:
            return {o.first * stride_ - padding_, o.last * stride_ - padding_ + (kernel_ - 1) * dilation_};
        case Kind::transposed:
            return {ceil_of(o.first + padding_ - (kernel_ - 1) * dilation_, stride_),
                    floor_div(o.last + padding_, stride_)};
        case Kind::shifted:
            return {o.first + shift_, o.last + shift_};
        case Kind::corners:
            return out_ > 1 ? around(o.first * (in_ - 1), o.last * (in_ - 1), out_ - 1) : Range{0, 0};
        case Kind::centres:
            return around((2 * o.first + 1) * in_ - out_, (2 * o.last + 1) * in_ - out_, 2 * out_);
        case Kind::nearest:
            return {floor_div(o.first * in_, out_), floor_div(o.last * in_, out_)};
        case Kind::all:
            return {0, in_ - 1};
        case Kind::same:
            break;
    }
    return o;
}

double Reach::stride_from(double input_stride) const {
    if (kind_ == Kind::window) return input_stride * double(stride_);
    if (kind_ == Kind::transposed) return input_stride / double(stride_);
    return input_stride;
}

double Reach::taps_inside() const {
    if (kind_ != Kind::window) return 1;
    int64_t inside = 0;
    for (int64_t o = 0; o < out_; ++o)
        for (int64_t k = 0; k < kernel_; ++k) {
            const int64_t at = o * stride_ - padding_ + k * dilation_;
            inside += at >= 0 && at < in_;
        }
    return double(inside) / double(out_);
}

}  // namespace atrous
