#include "segmentation/postprocess.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "engine/ops/elementwise.h"
#include "engine/train/precision_recall.h"

namespace atrous {

data::Image class_ids(const float* logits, int64_t h, int64_t w, int64_t c, double threshold) {
    data::Image ids = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const float* z = logits + p * c;
        ids.u8[size_t(p)] = c == 1 ? uint8_t(z[0] > threshold) : uint8_t(std::max_element(z, z + c) - z);
    }
    return ids;
}

bool is_of_class(uint8_t label, int64_t c, LabelForm form) {
    if (label == data::ignored_class) return false;
    return form == LabelForm::bits ? label >> c & 1 : label == c;
}

data::Image labels_of(const float* logits, int64_t h, int64_t w, int64_t c, const ClassThresholds& thresholds,
                      LabelForm form) {
    if (form == LabelForm::ids) return class_ids(logits, h, w, c, thresholds[0]);
    data::Image labels = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p)
        for (int64_t k = 0; k < c; ++k)
            labels.u8[size_t(p)] = uint8_t(labels.u8[size_t(p)] | (logits[p * c + k] > thresholds[k]) << k);
    return labels;
}

data::Image probability_map(const float* logits, int64_t h, int64_t w, int64_t c, bool softmax) {
    data::Image image = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const float* z = logits + p * c;
        const double best = *std::max_element(z, z + c);
        double others = std::exp(-best);  // of the sigmoid's other class, whose logit is 0
        if (softmax) {
            others = -1;  // the best one itself, of the sum
            for (int64_t k = 0; k < c; ++k) others += std::exp(z[k] - best);
        }
        if (softmax && c == 2) others = std::exp(double(z[0]) - z[1]);
        image.u8[size_t(p)] = uint8_t(std::lround(255 / (1 + others)));
    }
    return image;
}

data::Image sigmoid_maps(const float* logits, int64_t h, int64_t w, int64_t c) {
    data::Image image = data::make_image<uint8_t>(h, w, int(c));
    for (int64_t i = 0; i < h * w * c; ++i)
        image.u8[size_t(i)] = uint8_t(std::lround(255 / (1 + std::exp(-double(logits[i])))));
    return image;
}

std::vector<float> host_logits(const Tensor& logits, int64_t h, int64_t w, int64_t top, int64_t left) {
    std::vector<float> padded = cast(logits, DType::f32).to_host<float>();
    const int64_t c = logits.dim(3);
    if (top == 0 && left == 0 && w == logits.dim(2) && int64_t(padded.size()) == h * w * c) return padded;
    std::vector<float> inside;
    inside.reserve(size_t(h * w * c));
    for (int64_t y = 0; y < h; ++y) {
        const float* row = padded.data() + ((top + y) * logits.dim(2) + left) * c;
        inside.insert(inside.end(), row, row + w * c);
    }
    return inside;
}

}  // namespace atrous
