// Polygons as pixels. A pixel belongs to a polygon where its centre (x + 1/2, y + 1/2) lies inside by the even-odd rule;
// a centre on the left or upper edge is inside, on the right or lower one outside, so that polygons that share an edge
// share no pixel. What lies outside the image is cut off.
#pragma once

#include <vector>

#include "data/image.h"

namespace atrous::data {

struct Point {
    double x = 0, y = 0;  // in pixels; (0, 0) is the upper left corner of the first
};
using Ring = std::vector<Point>;

// Rings are closed by themselves; rings within others are holes. One channel of 8 bits; coordinates must be finite.
void fill_polygon(const std::vector<Ring>& rings, uint8_t id, Image& labels);

Ring circle(Point centre, double radius);  // 128 corners

}  // namespace atrous::data
