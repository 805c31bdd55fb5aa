// Changes of an image's geometry that keep its size, all in one resampling: a projection (rotation, shift, shear,
// perspective) and an elastic deformation.
#pragma once

#include <array>
#include <vector>

#include "base/philox.h"
#include "data/example.h"

namespace atrous::data {

// A 3x3 matrix, row by row, of homogeneous positions (x, y, 1) in pixels: x to the right and y downwards from the centre.
using Projection = std::array<double, 9>;
inline constexpr Projection identity_projection{1, 0, 0, 0, 1, 0, 0, 0, 1};
Projection operator*(const Projection& a, const Projection& b);
Projection rotation_of(double degrees);          // shows the image rotated counter-clockwise, as rotate does
Projection shear_of(double degrees);             // rows slide by y tan(degrees)
Projection shift_of(double right, double down);  // in pixels
// Maps the corners of an h x w image to themselves plus these, relative to its sides: top left, top right, bottom right,
// bottom left, each x, y (Heckbert, Fundamentals of texture mapping and image warping, 1989). They stay a convex
// quadrilateral where all are below 1/4.
Projection perspective_of(const std::array<double, 8>& corners, int64_t h, int64_t w);

// Displacements of a coarse grid, between which uniform cubic B-splines interpolate: a smooth random field as in Simard,
// Steinkraus, Platt, Best practices for convolutional neural networks (2003), without a filter over all pixels.
class ElasticGrid {
 public:
    ElasticGrid() = default;  // nothing moves
    // Cells are squares, of which `cells` lie along the shorter side. Each component of a displacement is drawn from
    // [-s, s] with s = strength / 4 of a cell: no displacement is larger, and up to strength 1 the image does not fold.
    ElasticGrid(int64_t h, int64_t w, int64_t cells, double strength, Random& random);
    bool moves() const { return !x_.empty(); }
    // Adds the displacements of row y to the positions of its pixels.
    void displace(int64_t y, std::vector<double>& xs, std::vector<double>& ys) const;

 private:
    double cell_ = 1;
    int64_t columns_ = 0;
    std::vector<double> x_, y_;
    struct Column {
        size_t first;                   // control point
        std::array<double, 4> weights;  // of it and the next
    };
    std::vector<Column> column_of_;  // of a pixel
};

enum class Border { mirror, ignore };

// Output position p shows source position projection(p + elastic(p)): bilinear for the image, nearest for the labels,
// of the same points. What comes from outside of the image is mirrored at its border, or is the fill and ignored; what lies
// beyond the horizon of the projection is the latter always.
struct Warp {
    Projection projection = identity_projection;
    ElasticGrid elastic = {};
    Border border = Border::mirror;
};
void warp(Example& sample, const Warp& how);

}  // namespace atrous::data
