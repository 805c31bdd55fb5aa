// The boundary loss. A thread computes the distances of a class in an image, by a transform in linear time, into the
// slopes' memory; then rows of pixels are summed, each into its own place.
#include "kernels/boundary.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/dispatch.h"
#include "base/variant.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax.h"
#include "kernels/distance_transform.h"

namespace atrous::kernels::cpu {

namespace {

// What a thread has to compute the distances of one class with: 9 bytes a pixel.
struct Room {
    uint8_t* set;
    int32_t *squares, *columns;

    Room(Queue& q, int64_t h, int64_t w)
        : set(q.scratch<uint8_t>(size_t(h * w))),
          squares(q.scratch<int32_t>(size_t(h * w))),
          columns(q.scratch<int32_t>(size_t(distance_buffer(h, w)))) {}
};

// Of the image that has these labels, of channel c. Pixels that do not count get a value that nobody reads.
template <class A>
void write_distances(const BoundaryForwardArgs& a, const uint8_t* labels, int64_t c, const Room& room, A* distances) {
    const View& z = a.logits;
    const int64_t pixels = z.h * z.w;
    const int wanted = z.c == 1 ? 1 : int(c);
    const auto id = [&](int64_t i) { return class_of(labels[i], z.c, a.options.ignore_index); };
    int64_t inside = 0, outside = 0;
    for (int64_t i = 0; i < pixels; ++i) {
        inside += id(i) == wanted;
        outside += id(i) >= 0 && id(i) != wanted;
    }
    if (inside == 0 || outside == 0) {
        std::fill_n(distances, pixels, A(0));
        return;
    }
    for (int64_t i = 0; i < pixels; ++i) room.set[i] = id(i) == wanted;
    squared_distances(room.set, z.h, z.w, room.squares, room.columns);
    for (int64_t i = 0; i < pixels; ++i) distances[i] = A(std::sqrt(double(room.squares[i])));
    for (int64_t i = 0; i < pixels; ++i) room.set[i] = id(i) >= 0 && id(i) != wanted;
    squared_distances(room.set, z.h, z.w, room.squares, room.columns);
    for (int64_t i = 0; i < pixels; ++i)
        if (id(i) == wanted) distances[i] = A(1 - std::sqrt(double(room.squares[i])));
}

// Turns distances into slopes. Returns the share of the loss.
template <class T, class A>
double finish_pixel(const BoundaryForwardArgs& a, const BoundaryClasses& classes, int64_t pixel, double share, A* p) {
    const View& z = a.logits;
    A* const slopes = static_cast<A*>(a.slopes) + pixel;
    if (class_of(a.labels[pixel], z.c, a.options.ignore_index) < 0) {
        for (int64_t c = 0; c < z.c; ++c) slopes[c * z.pixels()] = 0;
        return 0;
    }
    const T* const logits = z.as<const T>() + pixel * z.pitch;
    probabilities(logits, z.c, p);
    double sum = 0;
    for (int64_t c = 0; c < classes.first; ++c) slopes[c * z.pixels()] = 0;
    for (int64_t c = classes.first; c < z.c; ++c) {
        A& slope = slopes[c * z.pixels()];
        slope = A(share * double(slope));
        sum += double(p[c]) * double(slope);
    }
    if (z.c == 1) {
        const double e = std::exp(-std::fabs(double(load(logits[0]))));
        slopes[0] = A(double(slopes[0]) * e / ((1 + e) * (1 + e)));
    }
    return sum;
}

template <class T>
void forward(Queue& q, const BoundaryForwardArgs& a) {
    using A = accumulator_t<T>;
    const View& z = a.logits;
    const BoundaryClasses classes(z, a.options);
    const int64_t image_pixels = z.h * z.w, maps = z.n * classes.count, rows = z.n * z.h;
    std::vector<Room> rooms;
    for (int64_t i = 0; i < std::min<int64_t>(q.threads(), maps); ++i) rooms.emplace_back(q, z.h, z.w);
    A* const p = q.scratch<A>(size_t(q.threads() * z.c));
    double* const losses = q.scratch<double>(size_t(rows));
    if (q.is_dry_run()) return;
    parallel_ranges(q, maps, z.count(), [&](int64_t begin, int64_t end, int thread) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t n = i / classes.count, c = classes.first + i % classes.count;
            write_distances(a, a.labels + n * image_pixels, c, rooms[size_t(thread)],
                            static_cast<A*>(a.slopes) + c * z.pixels() + n * image_pixels);
        }
    });
    const int64_t counted = std::count_if(a.labels, a.labels + z.pixels(), [&](uint8_t label) {
        return class_of(label, z.c, a.options.ignore_index) >= 0;
    });
    const double share = 1 / (double(counted) * double(classes.count));
    parallel_ranges(q, rows, z.count(), [&](int64_t begin, int64_t end, int thread) {
        for (int64_t row = begin; row < end; ++row) {
            losses[row] = 0;
            for (int64_t x = 0; x < z.w; ++x)
                losses[row] += finish_pixel<T>(a, classes, row * z.w + x, share, p + thread * z.c);
        }
    });
    double loss = 0;
    for (int64_t row = 0; row < rows; ++row) loss += losses[row];
    A* const out = static_cast<A*>(a.loss);
    out[0] = A(a.options.weight * loss), out[1] = A(loss), out[2] = A(counted);
}

}  // namespace

void boundary_forward(Queue& q, const BoundaryForwardArgs& a) {
    check(a);
    ran("boundary_forward/omp");
    dispatch_cpu("boundary_forward", a.logits.dtype, [&](auto zero) { forward<decltype(zero)>(q, a); });
}

}  // namespace atrous::kernels::cpu
