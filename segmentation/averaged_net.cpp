#include "segmentation/averaged_net.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/resize.h"

namespace atrous {

bool TestTimeAugmentation::scaled() const {
    return std::any_of(scales.begin(), scales.end(), [](double s) { return s != 1; });
}

int64_t TestTimeAugmentation::passes() const {
    return (flips == "none" ? 1 : flips == "flips" ? 4 : 2) * std::max<int64_t>(int64_t(scales.size()), 1);
}

void describe(Settings& s, TestTimeAugmentation& a) {
    s.bind("tta", a.flips,
           "average the probabilities of the image and its mirror images: none, horizontal, vertical, or flips, all "
           "four; alone: flips")
        .one_of({"none", "horizontal", "vertical", "flips"})
        .alone("flips");
    s.bind("tta-scales", a.scales, "average over these scales of what the net sees too, such as 0.75 1 1.25")
        .min(0.25)
        .max(4);
}

namespace {

struct Flip {
    bool down, across;
};

std::vector<Flip> flips_of(const std::string& word) {
    std::vector<Flip> all{{false, false}};
    if (word != "none" && word != "vertical") all.push_back({false, true});
    if (word == "vertical" || word == "flips") all.push_back({true, false});
    if (word == "flips") all.push_back({true, true});
    return all;
}

// A batch in host memory.
struct HostTensor {
    Shape shape;
    std::vector<float> values;
};

HostTensor host_of(const Tensor& t) { return {t.shape(), cast(t, DType::f32).to_host<float>()}; }

Tensor on_device(const HostTensor& t, Device device, DType dtype) {
    Tensor out = Tensor::empty(t.shape, DType::f32, device);
    out.copy_from_host(t.values.data(), out.bytes());
    return cast(out, dtype);
}

HostTensor flipped(const HostTensor& t, Flip flip) {
    if (!flip.down && !flip.across) return t;
    const int64_t n = t.shape[0], h = t.shape[1], w = t.shape[2], c = t.shape[3];
    HostTensor out{t.shape, std::vector<float>(t.values.size())};
    for (int64_t row = 0; row < n * h; ++row) {
        const int64_t y = row % h, from_row = flip.down ? row - y + h - 1 - y : row;
        for (int64_t x = 0; x < w; ++x)
            std::copy_n(t.values.data() + (from_row * w + (flip.across ? w - 1 - x : x)) * c, c,
                        out.values.data() + (row * w + x) * c);
    }
    return out;
}

// Sums of p, and where channels are by themselves of 1 - p, which near 1 has digits of its own. A logit that is NaN or Inf
// makes them NaN.
class Probabilities {
 public:
    Probabilities(int64_t pixels, int64_t channels, bool softmax)
        : channels_(channels), softmax_(softmax), yes_(size_t(pixels * channels)), no_(softmax ? 0 : yes_.size()) {}

    void add(const std::vector<float>& logits) {
        for (size_t i = 0; i < yes_.size(); i += size_t(channels_)) {
            if (softmax_) {
                add_softmax(logits.data() + i, yes_.data() + i);
                continue;
            }
            for (size_t k = i; k < i + size_t(channels_); ++k) {
                const double z = std::isfinite(logits[k]) ? double(logits[k]) : NAN;
                yes_[k] += 1 / (1 + std::exp(-z));
                no_[k] += 1 / (1 + std::exp(z));
            }
        }
    }
    // `count` predictions were added.
    std::vector<float> logits(int64_t count) const {
        constexpr double least = 1e-300;  // a probability that is no number any more; NaN stays
        const auto log_of = [](double sum) { return std::log(sum < least ? least : sum); };
        std::vector<float> out;
        for (size_t i = 0; i < yes_.size(); ++i)
            out.push_back(float(softmax_ ? log_of(yes_[i] / double(count)) : log_of(yes_[i]) - log_of(no_[i])));
        return out;
    }

 private:
    void add_softmax(const float* z, double* to) const {
        const bool finite = std::all_of(z, z + channels_, [](float v) { return std::isfinite(v); });
        const double best = finite ? double(*std::max_element(z, z + channels_)) : NAN;
        double sum = 0;
        for (int64_t k = 0; k < channels_; ++k) sum += std::exp(double(z[k]) - best);
        for (int64_t k = 0; k < channels_; ++k) to[k] += std::exp(double(z[k]) - best) / sum;
    }

    const int64_t channels_;
    const bool softmax_;
    std::vector<double> yes_, no_;
};

int64_t scaled_side(int64_t side, double scale, int64_t multiple) {
    return std::max<int64_t>(std::llround(double(side) * scale / double(multiple)), 1) * multiple;
}

}  // namespace

AveragedNet::AveragedNet(std::vector<std::unique_ptr<SegmentationNet>> nets, TestTimeAugmentation augmentation,
                         bool softmax)
    : nets_(std::move(nets)), augmentation_(std::move(augmentation)), softmax_(softmax) {
    require(!nets_.empty(), "AveragedNet: at least one net");
    materialize(nets_[0]->materialized());  // no parameters: where the nets are
    set_training(false);
}

int64_t AveragedNet::input_multiple() const {
    int64_t multiple = 1;
    for (const auto& net : nets_) multiple = std::lcm(multiple, net->input_multiple());
    return multiple;
}

NetOutputs AveragedNet::compute(const Tensor& x, bool) {
    const int64_t count = int64_t(nets_.size()) * augmentation_.passes();
    if (count == 1 && !augmentation_.scaled()) return {nets_[0]->forward(x), {}};
    const int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), multiple = input_multiple();
    const std::vector<double> scales = augmentation_.scales.empty() ? std::vector{1.0} : augmentation_.scales;
    Probabilities sums(n * h * w, out_channels(), softmax_);
    for (const double scale : scales) {
        const int64_t sh = scaled_side(h, scale, multiple), sw = scaled_side(w, scale, multiple);
        const bool same = sh == h && sw == w;
        const HostTensor given = host_of(same ? x : bilinear(x, sh, sw, false));
        for (const Flip flip : flips_of(augmentation_.flips)) {
            const Tensor seen = on_device(flipped(given, flip), x.device(), x.dtype());
            for (const auto& net : nets_) {
                const HostTensor back = flipped(host_of(net->forward(seen)), flip);
                sums.add(same ? back.values
                              : host_of(bilinear(on_device(back, x.device(), DType::f32), h, w, false)).values);
            }
        }
    }
    return {on_device({{n, h, w, out_channels()}, sums.logits(count)}, x.device(), DType::f32), {}};
}

}  // namespace atrous
