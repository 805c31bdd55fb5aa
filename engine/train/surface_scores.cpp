#include "engine/train/surface_scores.h"

#include <algorithm>
#include <cmath>

#include "kernels/distance_transform.h"

namespace atrous {

namespace {

constexpr uint8_t ignored = 255;

struct Box {
    int64_t top = INT64_MAX, left = INT64_MAX, bottom = -1, right = -1;  // the last ones included
    bool empty() const { return bottom < 0; }
    int64_t height() const { return bottom - top + 1; }
    int64_t width() const { return right - left + 1; }
    void take(int64_t y, int64_t x) {
        top = std::min(top, y), bottom = std::max(bottom, y);
        left = std::min(left, x), right = std::max(right, x);
    }
};

// Two maps of class ids [h][w].
struct Maps {
    const uint8_t *truth, *predicted;
    int64_t h, w;

    // The places of each class, in truth and prediction together. Neither's boundary pixels lie outside.
    std::vector<Box> boxes() const {
        std::vector<Box> all(256);
        for (int64_t y = 0; y < h; ++y)
            for (int64_t x = 0; x < w; ++x) {
                const int64_t p = y * w + x;
                if (truth[p] == ignored) continue;
                all[truth[p]].take(y, x);
                if (predicted[p] != truth[p]) all[predicted[p]].take(y, x);
            }
        return all;
    }
    bool is(const uint8_t* map, int64_t y, int64_t x, int c) const {
        const int64_t p = y * w + x;
        return map[p] == c && truth[p] != ignored;
    }
    bool is_boundary(const uint8_t* map, int64_t y, int64_t x, int c) const {
        if (!is(map, y, x, c)) return false;
        if (y == 0 || x == 0 || y == h - 1 || x == w - 1) return true;
        return !is(map, y - 1, x, c) || !is(map, y + 1, x, c) || !is(map, y, x - 1, c) || !is(map, y, x + 1, c);
    }
    std::vector<uint8_t> boundary(const uint8_t* map, const Box& box, int c) const {
        std::vector<uint8_t> set(size_t(box.height() * box.width()));
        for (int64_t y = 0; y < box.height(); ++y)
            for (int64_t x = 0; x < box.width(); ++x)
                set[size_t(y * box.width() + x)] = is_boundary(map, box.top + y, box.left + x, c);
        return set;
    }
};

// From each pixel of `from` to the nearest of `to`, both with one at least.
std::vector<double> distances(const std::vector<uint8_t>& from, const std::vector<uint8_t>& to, const Box& box) {
    const std::vector<int64_t> squares = squared_distances(to, box.height(), box.width());
    std::vector<double> all;
    for (size_t p = 0; p < from.size(); ++p)
        if (from[p]) all.push_back(std::sqrt(double(squares[p])));
    return all;
}

// Linear between the two values next to the place, as numpy's percentile.
double percentile(std::vector<double>& values, double share) {
    const double place = share * double(values.size() - 1);
    const auto below = size_t(place);
    std::nth_element(values.begin(), values.begin() + int64_t(below), values.end());
    if (below + 1 == values.size()) return values[below];
    const double above = *std::min_element(values.begin() + int64_t(below) + 1, values.end());
    return values[below] + (place - double(below)) * (above - values[below]);
}

double share_within(const std::vector<double>& distances, double tolerance) {
    const auto within =
        std::count_if(distances.begin(), distances.end(), [tolerance](double d) { return d <= tolerance; });
    return double(within) / double(distances.size());
}

bool has(const std::vector<uint8_t>& set) { return std::find(set.begin(), set.end(), 1) != set.end(); }

SurfaceScore score_in(const Maps& maps, const Box& box, int c, double tolerance) {
    if (box.empty()) return {};
    const std::vector<uint8_t> truth = maps.boundary(maps.truth, box, c);
    const std::vector<uint8_t> predicted = maps.boundary(maps.predicted, box, c);
    if (!has(truth) || !has(predicted)) return {.boundary_f1 = 0};
    std::vector<double> to_truth = distances(predicted, truth, box), to_predicted = distances(truth, predicted, box);
    double sum = 0;
    for (const auto* all : {&to_truth, &to_predicted})
        for (const double d : *all) sum += d;
    const double precision = share_within(to_truth, tolerance), recall = share_within(to_predicted, tolerance);
    return {.hd95 = std::max(percentile(to_truth, 0.95), percentile(to_predicted, 0.95)),
            .mean_distance = sum / double(to_truth.size() + to_predicted.size()),
            .boundary_f1 = precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0};
}

void add_to(SurfaceScores::Mean& mean, double value) {
    if (std::isnan(value)) return;
    mean.sum += value;
    ++mean.images;
}

}  // namespace

SurfaceScore surface_score(const uint8_t* truth, const uint8_t* predicted, int64_t h, int64_t w, int c,
                           double tolerance) {
    const Maps maps{truth, predicted, h, w};
    return score_in(maps, maps.boxes()[size_t(c)], c, tolerance);
}

void SurfaceScores::add(const uint8_t* truth, const uint8_t* predicted, int64_t h, int64_t w) {
    const Maps maps{truth, predicted, h, w};
    const double tolerance = tolerance_ > 0 ? tolerance_ : usual_tolerance * std::hypot(double(h), double(w));
    const std::vector<Box> boxes = maps.boxes();
    for (size_t c = 0; c < classes_.size(); ++c) {
        const SurfaceScore score = score_in(maps, boxes[c], int(c), tolerance);
        add_to(classes_[c].hd95, score.hd95);
        add_to(classes_[c].mean_distance, score.mean_distance);
        add_to(classes_[c].boundary_f1, score.boundary_f1);
    }
}

SurfaceScore SurfaceScores::of_class(size_t c) const {
    const OfClass& k = classes_.at(c);
    return {k.hd95.value(), k.mean_distance.value(), k.boundary_f1.value()};
}

SurfaceScore SurfaceScores::whole() const {
    if (classes_.size() == 2) return of_class(1);
    Mean hd95, mean_distance, boundary_f1;
    for (size_t c = 0; c < classes_.size(); ++c) {
        const SurfaceScore score = of_class(c);
        add_to(hd95, score.hd95);
        add_to(mean_distance, score.mean_distance);
        add_to(boundary_f1, score.boundary_f1);
    }
    return {hd95.value(), mean_distance.value(), boundary_f1.value()};
}

}  // namespace atrous
