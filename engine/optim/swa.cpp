#include "engine/optim/swa.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace atrous {

int64_t SwaOptions::first_epoch(int64_t epochs) const {
    if (!on()) return epochs;
    if (from >= 1) return int64_t(from) - 1;
    const auto passed = int64_t(std::floor(from * double(epochs) + 1e-9));  // 0.7 of 10 are 7
    return std::min(passed, epochs - 1);
}

double SwaOptions::rate_at(const StepPlace& at, int64_t epochs, const Schedule& schedule,
                           const ScheduleState& state) const {
    const int64_t per_epoch = schedule.length.steps_per_epoch, passed = at.epoch - first_epoch(epochs);
    if (rate <= 0 || per_epoch <= 0 || passed < 0) return schedule.at(at.step, state);
    const int64_t length = anneal_epochs * per_epoch, done = passed * per_epoch + at.in_epoch;
    if (done >= length) return rate;
    const double share = double(done) / double(length);
    const double begin = schedule.at(std::max<int64_t>(at.step - done, 0), state);
    return rate + (begin - rate) * 0.5 * (1 + std::cos(3.141592653589793 * share));
}

void describe(Settings& s, SwaOptions& o) {
    const auto on = [&o] { return o.on(); };
    s.bind(
         "swa-from", o.from,
         "first epoch whose weights at its end enter a mean, which validations, best.safetensors and predictions then "
         "use; below 1: share of the epochs before it, such as 0.75; 0: no mean")
        .min(0);
    s.bind("swa-lr", o.rate, "learning rate of the epochs that enter the mean; 0: that of `schedule`")
        .min(0)
        .only_with("`swa-from`", on);
    s.bind("swa-anneal", o.anneal_epochs, "epochs in which the rate goes to `swa-lr` by half a cosine; 0: at once")
        .min(0)
        .only_with("`swa-lr`", [&o] { return o.on() && o.rate > 0; });
}

void check(const SwaOptions& o, int64_t epochs) {
    if (o.from < 1) return;
    if (o.from != std::floor(o.from) || o.from > double(epochs))
        throw UsageError(
            fmt::format("`swa-from` {}: expected a share of the epochs below 1, or the number of one of {} epochs",
                        o.from, epochs));
}

}  // namespace atrous
