#include "segmentation/report/image_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "base/philox.h"
#include "engine/train/metric.h"

namespace atrous::report {

ImageScore image_score(std::string name, double loss, int64_t classes, const int64_t* counts, LabelForm form) {
    ImageScore image{std::move(name), loss, {}, {}, {}};
    for (int64_t i = 0; i < ConfusionMatrix::cells(classes, form); ++i)
        if (counts[i] > 0) image.counts.emplace_back(uint32_t(i), counts[i]);
    const ConfusionMatrix matrix(classes, counts, form);
    for (const auto& metric : Metric::catalogue().all()) {
        if (metric->of_counts && !metric->detail) image.values.push_back(metric->of_counts(matrix));
        if (metric->of_image_counts) image.by_image.push_back(metric->of_image_counts(matrix));
    }
    return image;
}

std::vector<size_t> by_loss(const std::vector<ImageScore>& images) {
    std::vector<size_t> order(images.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        const double first = images[a].loss, second = images[b].loss;
        return !std::isnan(first) && (std::isnan(second) || first > second);
    });
    return order;
}

static void add_to(std::vector<int64_t>& sums, const ImageScore& image) {
    for (const auto& [at, pixels] : image.counts) sums[at] += pixels;
}

int64_t bootstrap_sets(const std::vector<ImageScore>& images, int64_t classes) {
    int64_t entries = classes * classes;
    for (const ImageScore& image : images) entries += int64_t(image.counts.size());
    constexpr int64_t affordable = 50'000'000;  // about a tenth of a second
    const int64_t sets = std::min<int64_t>(affordable / entries, 1000);
    return sets < 100 ? 0 : sets;
}

// Linear between the two values next to the place, as numpy's quantile.
static double quantile(const std::vector<double>& sorted, double share) {
    const double place = share * double(sorted.size() - 1);
    const auto below = size_t(place);
    const double above = sorted[std::min(below + 1, sorted.size() - 1)];
    return sorted[below] + (place - double(below)) * (above - sorted[below]);
}

static Interval interval_of(std::vector<double> values) {
    const size_t all = values.size();
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (values.empty() || values.size() < all / 2) return {undefined_score, undefined_score};
    std::sort(values.begin(), values.end());
    return {quantile(values, .025), quantile(values, .975)};
}

// Sums whose mean is a score of a set.
struct Mean {
    double sum = 0;
    int64_t count = 0;
    void add(double value) {
        if (!std::isfinite(value)) return;
        sum += value;
        ++count;
    }
    double value() const { return count > 0 ? sum / double(count) : undefined_score; }
};

// Of the values that each image has by itself: the loss, then the metrics that are means over images.
static std::vector<std::string> keys_by_image() {
    std::vector<std::string> keys{"loss"};
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_image_counts) keys.push_back(metric->key);
    return keys;
}

std::vector<NamedInterval> bootstrap_intervals(const std::vector<ImageScore>& images, int64_t classes, int64_t sets,
                                               LabelForm form) {
    if (images.size() < 2 || sets == 0) return {};
    const std::vector<std::string> keys = keys_by_image();
    std::map<std::string, std::vector<double>> values;
    for (int64_t set = 0; set < sets; ++set) {
        Random random(uint64_t(set), name_hash("bootstrap"));
        std::vector<int64_t> sums(size_t(ConfusionMatrix::cells(classes, form)));
        std::vector<Mean> means(keys.size());
        for (size_t i = 0; i < images.size(); ++i) {
            const auto drawn = size_t(uint64_t(random.next_u32()) * images.size() >> 32);
            add_to(sums, images[drawn]);
            means[0].add(images[drawn].loss);
            for (size_t k = 1; k < keys.size(); ++k) means[k].add(images[drawn].by_image[k - 1]);
        }
        for (size_t k = 0; k < keys.size(); ++k) values[keys[k]].push_back(means[k].value());
        const ConfusionMatrix counts(classes, sums.data(), form);
        for (const auto& metric : Metric::catalogue().all())
            if (metric->of_counts && !metric->detail) values[metric->key].push_back(metric->of_counts(counts));
    }
    std::vector<NamedInterval> intervals;
    for (auto& [key, of_sets] : values) intervals.push_back({key, interval_of(std::move(of_sets))});
    return intervals;
}

}  // namespace atrous::report
