// A metric of logits and labels: the Brier score of a net with one logit, the mean square of probability minus truth.
#include <cmath>

#include "engine/ops/elementwise.h"
#include "engine/train/metric.h"
#include "tests/extending/rules.h"

namespace atrous::extending {

static double brier_of(const Tensor& logits, const Tensor& labels) {
    if (logits.dim(3) != 1) return undefined_score;
    const std::vector<float> z = cast(logits, DType::f32).to_host<float>();
    const std::vector<uint8_t> truth = labels.to_host<uint8_t>();
    double sum = 0;
    int64_t counted = 0;
    for (size_t i = 0; i < z.size(); ++i) {
        if (truth[i] == 255) continue;
        const double error = 1 / (1 + std::exp(-double(z[i]))) - double(truth[i] != 0);
        sum += error * error;
        ++counted;
    }
    return counted ? sum / double(counted) : undefined_score;
}

void add_brier() {
    add_metric({.key = "brier", .title = "Brier", .monitor = "brier", .higher_is_better = false, .of_image = brier_of});
}

}  // namespace atrous::extending
