#include "data/synth.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/paths.h"
#include "base/philox.h"
#include "data/parallel.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

constexpr double pi = 3.14159265358979323846;

struct Point {
    double x = 0, y = 0;
};

struct Colour {
    double r = 0, g = 0, b = 0;
    Colour operator*(double f) const { return {r * f, g * f, b * f}; }
    Colour operator+(const Colour& o) const { return {r + o.r, g + o.g, b + o.b}; }
};
Colour mix(const Colour& a, const Colour& b, double t) { return a * (1 - t) + b * t; }

Colour from_hsv(double hue, double saturation, double value) {
    const auto channel = [&](double offset) {
        const double k = std::fmod(offset + hue * 6, 6.0);
        return value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0, 1.0));
    };
    return {255 * channel(5), 255 * channel(3), 255 * channel(1)};
}

// Smooth noise in [0, 1] with features of about `cell` pixels, in three octaves.
class ValueNoise {
 public:
    ValueNoise(uint32_t seed, double cell) : seed_(seed), cell_(cell) {}
    double at(double x, double y) const {
        double sum = 0, weight = 0.5, frequency = 1 / cell_;
        for (uint32_t octave = 0; octave < 3; ++octave, weight /= 2, frequency *= 2)
            sum += weight * octave_at(x * frequency, y * frequency, octave);
        return sum / 0.875;
    }

 private:
    double lattice(int64_t x, int64_t y, uint32_t octave) const {
        uint32_t h = seed_ ^ uint32_t(x) * 0x8da6b343u ^ uint32_t(y) * 0xd8163841u ^ octave * 0xcb1ab31fu;
        h = (h ^ h >> 16) * 0x7feb352du;
        h = (h ^ h >> 15) * 0x846ca68bu;
        return double(h ^ h >> 16) * 0x1p-32;
    }
    double octave_at(double x, double y, uint32_t octave) const {
        const double x0 = std::floor(x), y0 = std::floor(y), fx = x - x0, fy = y - y0;
        const double u = fx * fx * (3 - 2 * fx), v = fy * fy * (3 - 2 * fy);
        const int64_t i = int64_t(x0), j = int64_t(y0);
        const double top = (1 - u) * lattice(i, j, octave) + u * lattice(i + 1, j, octave);
        const double bottom = (1 - u) * lattice(i, j + 1, octave) + u * lattice(i + 1, j + 1, octave);
        return (1 - v) * top + v * bottom;
    }
    uint32_t seed_;
    double cell_;
};

// A disc where radius > 0, else a polygon (even-odd rule).
struct Shape {
    std::vector<Point> points;
    Point centre;
    double radius = 0;
    Colour colour;
    double grain = 0;  // depth of its texture
    int label = 0;
    double left = 0, right = 0, top = 0, bottom = 0;

    void measure() {
        left = centre.x - radius, right = centre.x + radius, top = centre.y - radius, bottom = centre.y + radius;
        if (radius > 0) return;
        left = top = 1e9;
        right = bottom = -1e9;
        for (const Point& p : points) {
            left = std::min(left, p.x), right = std::max(right, p.x);
            top = std::min(top, p.y), bottom = std::max(bottom, p.y);
        }
    }
    bool covers(double x, double y) const {
        if (x < left || x > right || y < top || y > bottom) return false;
        if (radius > 0) return (x - centre.x) * (x - centre.x) + (y - centre.y) * (y - centre.y) <= radius * radius;
        bool inside = false;
        for (size_t i = 0, j = points.size() - 1; i < points.size(); j = i++) {
            const Point &a = points[i], &b = points[j];
            if ((a.y > y) != (b.y > y) && x < (b.x - a.x) * (y - a.y) / (b.y - a.y) + a.x) inside = !inside;
        }
        return inside;
    }
};

class Scene {
 public:
    Scene(Random& random, double width, double height, const SynthOptions& options)
        : random_(random),
          width_(width),
          height_(height),
          size_(std::min(width, height)),
          options_(options),
          ground_(random.next_u32(), size_ * random.uniform(0.08, 0.3)),
          grain_(random.next_u32(), std::max(2.0, size_ * 0.02)) {
        const double hue = random_.uniform();
        low_ = from_hsv(hue, random_.uniform(0.1, 0.5), random_.uniform(0.25, 0.5));
        high_ = from_hsv(std::fmod(hue + random_.uniform(0, 0.3), 1.0), random_.uniform(0.05, 0.4),
                         random_.uniform(0.6, 0.9));
        gradient_ = {random_.uniform(-0.5, 0.5), random_.uniform(-0.5, 0.5)};
        if (options_.distractors) add_distractors(int(2 + random_.below(3)));
        add_objects();
        if (options_.distractors && random_.chance(0.7)) add_line();  // a pole or wire in front
    }

    Colour background(double x, double y) const {
        const double slope = gradient_.x * (x / width_ - 0.5) + gradient_.y * (y / height_ - 0.5);
        const double t = std::clamp(ground_.at(x, y) + slope, 0.0, 1.0);
        return mix(low_, high_, t) * (0.9 + 0.2 * grain_.at(x, y));
    }
    // The index of the topmost shape over a point, or -1.
    int topmost(double x, double y) const {
        for (int i = int(shapes_.size()) - 1; i >= 0; --i)
            if (shapes_[size_t(i)].covers(x, y)) return i;
        return -1;
    }
    bool near(double x, double y) const {
        return std::any_of(shapes_.begin(), shapes_.end(), [&](const Shape& s) {
            return x > s.left - 1 && x < s.right + 1 && y > s.top - 1 && y < s.bottom + 1;
        });
    }
    int label_of(int shape) const { return shape < 0 ? 0 : shapes_[size_t(shape)].label; }
    Colour colour_at(int shape, double x, double y) const {
        if (shape < 0) return background(x, y);
        const Shape& s = shapes_[size_t(shape)];
        const double lit = 1.1 - 0.25 * (y - s.top) / (s.bottom - s.top + 1e-9);  // light falls from above
        return s.colour * (lit * (1 - s.grain + 2 * s.grain * grain_.at(x + 71, y)));
    }

 private:
    void add(Shape shape, const Colour& colour, int label, double grain = 0.06) {
        shape.colour = colour;
        shape.label = label;
        shape.grain = grain;
        shape.measure();
        shapes_.push_back(std::move(shape));
    }
    void add_polygon(std::vector<Point> points, const Colour& colour, int label, double grain = 0.06) {
        Shape shape;
        shape.points = std::move(points);
        add(std::move(shape), colour, label, grain);
    }
    void add_disc(const Point& centre, double radius, const Colour& colour, int label) {
        Shape shape;
        shape.centre = centre;
        shape.radius = radius;
        add(std::move(shape), colour, label);
    }
    Colour vivid() { return from_hsv(random_.uniform(), random_.uniform(0.45, 0.95), random_.uniform(0.45, 0.95)); }
    Colour muted() { return from_hsv(random_.uniform(), random_.uniform(0.0, 0.6), random_.uniform(0.3, 0.9)); }
    int label(int kind) const { return options_.class_per_kind ? kind : 1; }
    Point anywhere(double margin) {
        return {width_ * random_.uniform(margin, 1 - margin), height_ * random_.uniform(margin, 1 - margin)};
    }

    void add_line() {
        const Point a = anywhere(0), b = anywhere(0);
        const double length = std::hypot(b.x - a.x, b.y - a.y) + 1e-9,
                     half = std::max(0.6, size_ * random_.uniform(0.002, 0.006));
        const Point side{-(b.y - a.y) / length * half, (b.x - a.x) / length * half};
        add_polygon({{a.x + side.x, a.y + side.y},
                     {b.x + side.x, b.y + side.y},
                     {b.x - side.x, b.y - side.y},
                     {a.x - side.x, a.y - side.y}},
                    muted(), 0);
    }
    std::vector<Point> rectangle(const Point& centre, double half_w, double half_h) const {
        return {{centre.x - half_w, centre.y - half_h},
                {centre.x + half_w, centre.y - half_h},
                {centre.x + half_w, centre.y + half_h},
                {centre.x - half_w, centre.y + half_h}};
    }
    void add_distractors(int count) {
        for (int i = 0; i < count; ++i) {
            const uint64_t kind = random_.below(3);
            if (kind == 0) {
                add_line();
                continue;
            }
            const Point centre = anywhere(0);
            const double half_w = size_ * random_.uniform(0.04, 0.16), half_h = size_ * random_.uniform(0.04, 0.2);
            const Colour colour = muted();
            if (kind == 1) {
                add_polygon(rectangle(centre, half_w, half_h), colour, 0, 0.12);
            } else {  // a frame: the even-odd rule leaves its inside open
                auto outline = rectangle(centre, half_w, half_h);
                const double width = std::max(1.0, size_ * 0.012);
                auto hole = rectangle(centre, std::max(0.0, half_w - width), std::max(0.0, half_h - width));
                outline.push_back(outline[0]);
                outline.insert(outline.end(), hole.begin(), hole.end());
                outline.push_back(hole[0]);
                add_polygon(std::move(outline), colour, 0);
            }
        }
    }
    void add_objects() {
        std::vector<int> kinds;
        if (options_.cars) kinds.assign(2, 1);  // twice as likely as the others
        if (options_.discs) kinds.push_back(2);
        if (options_.polygons) kinds.push_back(3);
        if (kinds.empty()) return;
        const int count = 1 + int(random_.below(uint64_t(std::max(1, options_.max_objects))));
        for (int i = 0; i < count; ++i) {
            const int kind = kinds[random_.below(kinds.size())];
            if (kind == 1) add_car();
            if (kind == 2) add_disc(anywhere(0.1), size_ * random_.uniform(0.06, 0.16), vivid(), label(2));
            if (kind == 3) add_blob();
        }
    }
    void add_blob() {
        const Point centre = anywhere(0.12);
        const double radius = size_ * random_.uniform(0.08, 0.18), start = random_.uniform(0, 2 * pi);
        const int corners = 5 + int(random_.below(4));
        std::vector<Point> points;
        for (int i = 0; i < corners; ++i) {
            const double angle = start + 2 * pi * (i + random_.uniform(-0.25, 0.25)) / corners,
                         r = radius * random_.uniform(0.6, 1);
            points.push_back({centre.x + r * std::cos(angle), centre.y + r * std::sin(angle)});
        }
        add_polygon(std::move(points), vivid(), label(3));
    }
    // In units of the car's length, y upwards from the axles' height.
    void add_car() {
        const double length = size_ * random_.uniform(0.3, 0.6), tilt = random_.uniform(-0.08, 0.08);
        const double direction = random_.chance(0.5) ? 1 : -1, roof = random_.uniform(0.24, 0.32),
                     tail = random_.uniform(-0.44, -0.3);
        const Point base{width_ * random_.uniform(0.25, 0.75), height_ * random_.uniform(0.35, 0.85)};
        const auto place = [&](Point p) {
            const double x = p.x * direction * length, y = -p.y * length;
            return Point{base.x + x * std::cos(tilt) - y * std::sin(tilt),
                         base.y + x * std::sin(tilt) + y * std::cos(tilt)};
        };
        const auto polygon = [&](std::vector<Point> points, const Colour& colour) {
            for (Point& p : points) p = place(p);
            add_polygon(std::move(points), colour, label(1), 0.04);
        };
        const Colour paint = vivid(), glass = mix({40, 55, 75}, {150, 175, 200}, random_.uniform());
        polygon({{tail + 0.02, 0.13}, {tail + 0.13, roof}, {0.1, roof}, {0.25, 0.13}}, paint * 0.92);
        polygon({{tail + 0.07, 0.14}, {tail + 0.15, roof - 0.025}, {-0.1, roof - 0.025}, {-0.1, 0.14}}, glass);
        polygon({{-0.075, 0.14}, {-0.075, roof - 0.025}, {0.09, roof - 0.025}, {0.205, 0.14}}, glass);
        polygon({{-0.5, -0.02}, {-0.5, 0.11}, {-0.46, 0.15}, {0.26, 0.15}, {0.45, 0.1}, {0.5, 0.05}, {0.5, -0.02}},
                paint);
        polygon({{0.44, 0.04}, {0.44, 0.085}, {0.485, 0.06}, {0.495, 0.04}}, {250, 240, 200});
        for (double x : {-0.31, 0.31}) {
            add_disc(place({x, -0.01}), 0.085 * length, {32, 32, 36}, label(1));
            add_disc(place({x, -0.01}), 0.045 * length, {150, 152, 158}, label(1));
        }
    }

    Random& random_;
    double width_, height_, size_;  // size_: the shorter side, which objects are measured by
    const SynthOptions& options_;
    ValueNoise ground_, grain_;
    Colour low_, high_;
    Point gradient_;
    std::vector<Shape> shapes_;
};

constexpr int subsamples = 4;  // a pixel's colour is the mean of 4x4 points

Colour pixel_colour(const Scene& scene, int64_t x, int64_t y) {
    if (!scene.near(double(x) + 0.5, double(y) + 0.5)) return scene.background(double(x) + 0.5, double(y) + 0.5);
    Colour sum;
    for (int i = 0; i < subsamples * subsamples; ++i) {
        const double px = double(x) + (i % subsamples + 0.5) / subsamples,
                     py = double(y) + (double(i / subsamples) + 0.5) / subsamples;
        sum = sum + scene.colour_at(scene.topmost(px, py), px, py);
    }
    return sum * (1.0 / (subsamples * subsamples));
}

}  // namespace

SynthSample draw_sample(uint64_t seed, uint64_t index, ImageSize size, const SynthOptions& options) {
    const auto [h, w] = size;
    require(std::min(h, w) >= 8 && h <= max_pixels / w, "draw_sample: a size of at least 8 pixels");
    Random random(seed, index, 0x73796e7468);
    const Scene scene(random, double(w), double(h), options);
    SynthSample sample{make_image<uint8_t>(h, w, 3), make_image<uint8_t>(h, w, 1)};
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const int64_t i = y * w + x;
            const Colour colour = pixel_colour(scene, x, y);
            const double noise = options.noise > 0 ? options.noise * random.normal() : 0;
            uint8_t* to = sample.image.u8.data() + 3 * i;
            for (double value : {colour.r, colour.g, colour.b})
                *to++ = uint8_t(std::clamp(value + noise, 0.0, 255.0) + 0.5);
            sample.mask.u8[size_t(i)] = uint8_t(scene.label_of(scene.topmost(double(x) + 0.5, double(y) + 0.5)));
        }
    return sample;
}

void write_dataset(const std::string& dir, int64_t count, ImageSize size, uint64_t seed, double val_fraction,
                   const SynthOptions& options) {
    if (count < 1 || std::min(size.height, size.width) < 8 || !(val_fraction >= 0 && val_fraction < 1))
        throw UsageError(
            fmt::format("{} images of {} pixels with a validation part of {}: at least 1, at least 8, in [0, 1)", count,
                        text_of(size), val_fraction));
    for (const char* part : {"train", "val"})
        for (const char* kind : {"images", "masks"}) make_folders((fs::path(dir) / part / kind).string());
    const int64_t train = count - std::llround(val_fraction * double(count));
    parallel_for(count, 0, [&](int64_t i) {
        SynthSample sample = draw_sample(seed, uint64_t(i), size, options);
        if (!options.class_per_kind)
            for (uint8_t& v : sample.mask.u8) v = v ? 255 : 0;
        const fs::path part = fs::path(dir) / (i < train ? "train" : "val");
        const std::string name = fmt::format("{:05}.png", i);
        save_png((part / "images" / name).string(), sample.image);
        save_png((part / "masks" / name).string(), sample.mask);
    });
}

}  // namespace atrous::data
