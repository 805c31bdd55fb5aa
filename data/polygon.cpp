#include "data/polygon.h"

#include <algorithm>
#include <cmath>

namespace atrous::data {

namespace {

// Where the rings' edges cross the line of centres of a row.
void crossings_at(const std::vector<Ring>& rings, double y, std::vector<double>& xs) {
    xs.clear();
    for (const Ring& ring : rings)
        for (size_t i = 0; i < ring.size(); ++i) {
            const Point &a = ring[i], &b = ring[(i + 1) % ring.size()];
            if ((a.y <= y) != (b.y <= y)) xs.push_back(a.x + (y - a.y) * (b.x - a.x) / (b.y - a.y));
        }
    std::sort(xs.begin(), xs.end());
}

int64_t first_centre(double x, int64_t limit) {  // the first pixel whose centre is not left of x
    return int64_t(std::clamp(std::ceil(x - 0.5), 0.0, double(limit)));
}

}  // namespace

void fill_polygon(const std::vector<Ring>& rings, uint8_t id, Image& labels) {
    double top = double(labels.h), bottom = 0;
    for (const Ring& ring : rings)
        for (const Point& p : ring) top = std::min(top, p.y), bottom = std::max(bottom, p.y);
    std::vector<double> xs;
    for (int64_t y = first_centre(top, labels.h); y < first_centre(bottom, labels.h); ++y) {
        crossings_at(rings, double(y) + 0.5, xs);
        for (size_t i = 0; i + 1 < xs.size(); i += 2) {
            const int64_t first = first_centre(xs[i], labels.w), last = first_centre(xs[i + 1], labels.w);
            std::fill(labels.u8.begin() + y * labels.w + first, labels.u8.begin() + y * labels.w + last, id);
        }
    }
}

Ring circle(Point centre, double radius) {
    Ring ring;
    for (int i = 0; i < 128; ++i) {
        const double angle = 2 * M_PI * i / 128;
        ring.push_back({centre.x + radius * std::cos(angle), centre.y + radius * std::sin(angle)});
    }
    return ring;
}

}  // namespace atrous::data
