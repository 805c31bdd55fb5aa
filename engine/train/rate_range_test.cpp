#include "engine/train/rate_range_test.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <deque>

namespace atrous {

void describe(Settings& s, RangeTestOptions& o) {
    s.bind("steps", o.steps, "steps of the test").min(20).max(1000000);
    s.bind("lowest-lr", o.lowest, "rate of the first step").above(0);
    s.bind("highest-lr", o.highest, "rate of the last step").above(0);
    s.bind("divergence", o.divergence, "multiple of the lowest average loss at which the test ends").above(1);
}

void check(const RangeTestOptions& o) {
    if (o.lowest >= o.highest)
        throw UsageError(
            fmt::format("`lowest-lr` {} and `highest-lr` {}: expected the lower rate first", o.lowest, o.highest));
}

double decay_of_average(const RangeTestOptions& o) { return 1 - 1 / std::max(double(o.steps) / 20, 3.); }

double rate_of(const RangeTestOptions& o, int64_t step) {
    return o.lowest * std::pow(o.highest / o.lowest, double(step - 1) / double(o.steps - 1));
}

// Steps to either side of a loss that it is smoothed over: a batch alone says little, and a tenth of the rates by their
// logarithms is what a suggestion may be off by.
static size_t smoothed_over(const RangeTest& test) { return size_t(std::max<int64_t>(test.steps / 10, 2)); }
static constexpr size_t reach = 3;  // steps to either side that a slope is measured over

// By the sums of the losses so far, and of each times its place: a million steps take a moment. They have more digits than a
// double, for of large sums small differences are taken.
void smooth(RangeTest& test) {
    const size_t n = test.points.size();
    std::vector<long double> sums(n + 1), placed(n + 1);
    for (size_t k = 0; k < n; ++k) {
        sums[k + 1] = sums[k] + test.points[k].loss;
        placed[k + 1] = placed[k] + static_cast<long double>(k) * test.points[k].loss;
    }
    for (size_t i = 0; i < n; ++i) {
        const size_t m = std::min({smoothed_over(test), i, n - 1 - i}), begin = i - m, end = i + m + 1;
        const long double at = static_cast<long double>(i), peak = static_cast<long double>(m + 1);  // the weight of i
        const long double rising = (peak - at) * (sums[i + 1] - sums[begin]) + placed[i + 1] - placed[begin];
        const long double falling = (peak + at) * (sums[end] - sums[i + 1]) - (placed[end] - placed[i + 1]);
        test.points[i].smoothed = double((rising + falling) / (peak * peak));
    }
}

// Behind the last point that is looked at. Of a test that ran to its end the losses there are means of few: where they stay
// about the same, the lowest would be among them, and so would be the steepest. Where it diverged, they rise.
static size_t end_of_search(const RangeTest& test) {
    const size_t left_out = test.diverged ? reach : std::max(reach, smoothed_over(test));
    return test.points.size() - std::min(left_out, test.points.size());
}

std::optional<size_t> RangeTest::steepest() const {
    std::optional<size_t> best;
    double steepest = 0;
    for (size_t i = smoothed_over(*this) + reach; i + reach < end_of_search(*this); ++i) {
        const RangeTestPoint &before = points[i - reach], &after = points[i + reach];
        const double slope = (after.smoothed - before.smoothed) / std::log(after.rate / before.rate);
        if (slope < steepest) steepest = slope, best = i;
    }
    return best;
}

std::optional<size_t> RangeTest::lowest() const {
    const size_t first = smoothed_over(*this), end = end_of_search(*this);
    if (end <= first) return std::nullopt;
    const auto less = [](const RangeTestPoint& a, const RangeTestPoint& b) { return a.smoothed < b.smoothed; };
    return size_t(std::min_element(points.begin() + long(first), points.begin() + long(end), less) - points.begin());
}

namespace {

// Takes losses in their order.
class RangeTester {
 public:
    RangeTester(const RangeTestOptions& range, bool scales_loss)
        : range_(range), scales_loss_(scales_loss), decay_(decay_of_average(range)) {
        test_.steps = range.steps;
    }
    // Takes the figures of the next step, of these images. False where the test is over.
    bool add(const StepLogEntry& e, const std::string& images) {
        const int64_t step = ++test_.taken;
        if (e.labels.count > 0)
            throw DataError(fmt::format(
                "step {}: labels that are no class, {} of them, the first {}; give the net more classes, or the masks "
                "other ids",
                step, e.labels.count, e.labels.label));
        // A step whose gradients overflow by the loss scale alone is passed over by the optimizer.
        if (!std::isfinite(e.loss) || (e.nonfinite && !scales_loss_)) return end();
        if (e.counted == 0) {
            test_.warnings.push_back(
                fmt::format("step {}: no pixel counts, every label is ignored (images: {})", step, images));
            return step < range_.steps;
        }
        average_ = decay_ * average_ + (1 - decay_) * e.loss;
        test_.points.push_back({step, rate_of(range_, step), e.loss, e.loss});
        const double average = average_ / (1 - std::pow(decay_, double(test_.points.size())));
        if (test_.points.size() > 10 && diverges(average)) return end();
        return step < range_.steps;
    }
    void interrupt() { test_.interrupted = true; }
    RangeTest finished() {
        smooth(test_);
        return std::move(test_);
    }

 private:
    bool end() { return test_.diverged = true, false; }
    bool diverges(double average) {
        if (average > 0) lowest_ = std::min(lowest_, average);  // of 0 there are no multiples
        return average > range_.divergence * lowest_;
    }

    const RangeTestOptions& range_;
    const bool scales_loss_;
    const double decay_;
    RangeTest test_;
    double average_ = 0, lowest_ = INFINITY;
};

// The batches of the next step; of the next epoch where one has ended.
struct Windows {
    BatchSource& source;
    std::vector<HostBatch> batches;
    std::deque<std::string> names = {};  // of the images of each step whose loss was not read yet
    int64_t epoch = 0;
    int64_t next() {
        for (int64_t count = 0;; source.start_epoch(++epoch)) {
            while (count < int64_t(batches.size()) && source.next(batches[size_t(count)])) ++count;
            if (count == 0) continue;
            std::string& images = names.emplace_back();
            for (int64_t i = 0; i < count; ++i)
                for (const auto& name : batches[size_t(i)].names) images += (images.empty() ? "" : ", ") + name;
            return count;
        }
    }
};

}  // namespace

RangeTest test_rates(SegmentationNet& net, Optimizer& optimizer, BatchSource& training, const TrainerOptions& options,
                     const RangeTestOptions& range, const std::function<bool(int64_t steps_done)>& go_on) {
    const Device device = net.materialized().device;
    const auto loss = options.loss(device, options.compute);
    const int64_t read_every = read_interval(options.read_every, device);
    const bool scales_loss = optimizer.options().dynamic_loss_scale;
    TrainingStep step(net, optimizer, *loss,
                      {.compute = options.compute,
                       .aux_weight = options.aux_weight,
                       .scale_loss = scales_loss,
                       .graphs = options.graphs,
                       .log_capacity = read_every});
    RangeTester tester(range, scales_loss);
    Windows windows{training, std::vector<HostBatch>(static_cast<size_t>(options.accumulate))};
    net.set_training(true);
    training.start_epoch(0);
    const auto read = [&] {
        for (const StepLogEntry& entry : step.read()) {
            if (!tester.add(entry, windows.names.front())) return false;
            windows.names.pop_front();
        }
        return true;
    };
    for (int64_t done = 0; done < range.steps; ++done) {
        if (!go_on(done)) {
            tester.interrupt();
            break;
        }
        const int64_t count = windows.next();
        step.run(windows.batches.data(), count, rate_of(range, done + 1));
        if (step.unread() == read_every && !read()) return tester.finished();
    }
    read();
    return tester.finished();
}

}  // namespace atrous
