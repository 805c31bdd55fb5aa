#include "segmentation/rate_finder.h"

#include <fmt/core.h>

#include <algorithm>

#include "segmentation/training_parts.h"

namespace atrous {

RangeTest find_rate(const TrainingSetup& setup, const RangeTestOptions& range, Messages& messages,
                    const std::function<bool(int64_t steps_done)>& go_on) {
    const auto net = setup.make();
    const auto source = training_source(setup, net->input_multiple());
    fill_net(*net, setup, true, messages);
    const auto optimizer = make_optimizer(setup, *net);
    RangeTest test =
        test_rates(*net, *optimizer, *source, trainer_options(setup, source->batches_per_epoch()), range, go_on);
    for (const std::string& warning : test.warnings) messages.warning(warning);
    return test;
}

// A bar is longer the higher the loss, from the lowest smoothed one to that of the beginning or, where that is more, of
// what came before the rise at the end.
static std::string curve_of(const RangeTest& test) {
    constexpr size_t rows = 16, longest = 40;
    const std::vector<RangeTestPoint>& points = test.points;
    double low = points[0].smoothed, high = low;
    const size_t lowest = test.lowest().value_or(points.size() - 1);
    for (size_t i = 0; i < points.size(); ++i) {
        low = std::min(low, points[i].smoothed);
        if (i <= lowest) high = std::max(high, points[i].smoothed);
    }
    std::string text = fmt::format("  {:>5} {:>9} {:>10} {:>10}\n", "step", "lr", "loss", "smoothed");
    for (size_t row = 0, shown = std::min(rows, points.size()); row < shown; ++row) {
        const RangeTestPoint& p = points[shown > 1 ? row * (points.size() - 1) / (shown - 1) : 0];
        const double share = high > low ? std::clamp((p.smoothed - low) / (high - low), 0., 1.) : 0;
        text += fmt::format("  {:>5} {:>9.2e} {:>10.4g} {:>10.4g}  {}\n", p.step, p.rate, p.loss, p.smoothed,
                            std::string(1 + size_t(share * double(longest - 1)), '#'));
    }
    return text;
}

static std::string end_of(const RangeTest& test) {
    if (!test.diverged) return "";
    return fmt::format("ended after step {} of {}: the loss diverged\n", test.points.back().step, test.steps);
}

std::string text_of(const RangeTest& test) {
    if (test.points.empty() && !test.diverged)
        return "no suggestion: no pixel counts in any step; look at the masks, or take more `steps`\n";
    if (test.points.empty())
        return "no suggestion: the first step gave NaN or Inf; check the images, or begin with a lower `lowest-lr`\n";
    std::string text = curve_of(test) + end_of(test);
    const auto steepest = test.steepest(), lowest = test.lowest();
    if (!steepest || !lowest)
        return text + (test.points.size() < 20
                           ? "no suggestion: too few steps came before the end; begin with a lower `lowest-lr`\n"
                           : "no suggestion: the loss never falls; take more `steps`, or look at data and loss\n");
    const RangeTestPoint &steep = test.points[*steepest], &low = test.points[*lowest];
    return text + fmt::format(
                      "suggestion: `lr` {:.1e}, where the loss falls most steeply; a tenth of the rate with the "
                      "lowest loss is {:.1e}\n",
                      steep.rate, low.rate / 10);
}

std::string csv_of(const RangeTest& test) {
    std::string csv = "step,lr,loss,smoothed\n";
    for (const RangeTestPoint& p : test.points)
        csv += fmt::format("{},{:.6g},{:.6g},{:.6g}\n", p.step, p.rate, p.loss, p.smoothed);
    return csv;
}

}  // namespace atrous
