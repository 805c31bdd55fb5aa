#include "data/photometric.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

struct Bounds {
    double low, high;
};

// Integers cannot leave their type, whatever the range.
template <class T>
Bounds bounds_of(const Image& image, const ValueRange& range) {
    const ValueRange given = range.of(image);
    if (!std::is_integral_v<T>) return {given.low, given.high};
    const auto most = double(std::numeric_limits<T>::max());
    const double low = std::clamp(double(given.low), 0.0, most);
    return {low, std::clamp(double(given.high), low, most)};
}

template <class T>
T rounded(float value, const Bounds& bounds) {
    const float half = std::is_integral_v<T> ? 0.5f : 0.f;
    return T(std::clamp(value, float(bounds.low), float(bounds.high)) + half);
}

}  // namespace

ColourMatrix saturation_and_hue(double saturation, double hue) {
    constexpr double red = 0.299, green = 0.587, blue = 0.114, u_scale = 0.492, v_scale = 0.877;
    const double angle = radians_of(360 * hue), c = saturation * std::cos(angle), s = saturation * std::sin(angle);
    ColourMatrix matrix{};
    for (size_t column = 0; column < 3; ++column) {  // what becomes of one colour alone
        const double r = column == 0, g = column == 1, b = column == 2;
        const double luma = red * r + green * g + blue * b, u = u_scale * (b - luma), v = v_scale * (r - luma);
        const double new_r = luma + (c * v + s * u) / v_scale, new_b = luma + (c * u - s * v) / u_scale;
        matrix[column] = new_r;
        matrix[3 + column] = (luma - red * new_r - blue * new_b) / green;
        matrix[6 + column] = new_b;
    }
    return matrix;
}

Image mix_colours(const Image& rgb, const ColourMatrix& matrix, const ValueRange& range) {
    require(rgb.c == 3, "mix_colours: three channels");
    std::array<float, 9> m;
    std::copy(matrix.begin(), matrix.end(), m.begin());
    return dispatch_pixels(rgb, [&](auto zero) {
        using T = decltype(zero);
        const Bounds bounds = bounds_of<T>(rgb, range);
        const auto low = float(bounds.low);
        Image out = rgb;
        T* v = out.pixels<T>().data();
        for (int64_t i = 0; i < out.h * out.w; ++i, v += 3) {
            const float r = float(v[0]) - low, g = float(v[1]) - low, b = float(v[2]) - low;
            for (size_t row = 0; row < 3; ++row)
                v[row] = rounded<T>(low + m[3 * row] * r + m[3 * row + 1] * g + m[3 * row + 2] * b, bounds);
        }
        return out;
    });
}

Image apply_gamma(const Image& image, double exponent, const ValueRange& range) {
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        const Bounds bounds = bounds_of<T>(image, range);
        const double low = bounds.low, width = bounds.high - bounds.low;
        const auto changed = [&](double v) {
            const double share = width > 0 ? std::clamp((v - low) / width, 0.0, 1.0) : 0;
            return rounded<T>(float(low + width * std::pow(share, exponent)), bounds);
        };
        Image out = image;
        if constexpr (std::is_integral_v<T>) {
            std::vector<T> table;
            for (size_t v = 0; v <= std::numeric_limits<T>::max(); ++v) table.push_back(changed(double(v)));
            for (T& v : out.pixels<T>()) v = table[v];
        } else {
            for (T& v : out.pixels<T>()) v = changed(v);
        }
        return out;
    });
}

// ---- blur ----

namespace {

// The right half from the middle on.
std::vector<float> gaussian(double deviation) {
    std::vector<double> half;
    double sum = 0;
    for (int64_t i = 0; i <= int64_t(std::ceil(3 * deviation)); ++i) {
        half.push_back(std::exp(-0.5 * double(i * i) / (deviation * deviation)));
        sum += (i == 0 ? 1 : 2) * half.back();
    }
    std::vector<float> weights;
    for (const double w : half) weights.push_back(float(w / sum));
    return weights;
}

// to[i] = sum over k of weights[|k|] * lines[k][i]; lines[0] is in the middle.
void weigh(const std::vector<float>& weights, const std::vector<const float*>& lines, size_t count, float* to) {
    const size_t reach = weights.size() - 1;
    for (size_t i = 0; i < count; ++i) to[i] = weights[0] * lines[reach][i];
    for (size_t k = 1; k <= reach; ++k) {
        const float *before = lines[reach - k], *behind = lines[reach + k];
        const float weight = weights[k];
        for (size_t i = 0; i < count; ++i) to[i] += weight * (before[i] + behind[i]);
    }
}

// Row y of the image, blurred along it.
template <class T>
void blur_row(const Image& image, int64_t y, const std::vector<float>& weights, std::vector<float>& wide, float* to) {
    const int64_t reach = int64_t(weights.size()) - 1, c = image.c;
    const T* row = image.pixels<T>().data() + y * image.w * c;
    for (int64_t x = -reach; x < image.w + reach; ++x)
        for (int64_t ch = 0; ch < c; ++ch)
            wide[size_t((x + reach) * c + ch)] = float(row[mirrored(x, image.w) * c + ch]);
    std::vector<const float*> lines;
    for (int64_t k = 0; k <= 2 * reach; ++k) lines.push_back(wide.data() + k * c);
    weigh(weights, lines, size_t(image.w * c), to);
}

}  // namespace

Image gaussian_blur(const Image& image, double deviation) {
    const std::vector<float> weights = gaussian(deviation);
    const int64_t reach = int64_t(weights.size()) - 1, values = image.w * image.c;
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        constexpr float half = std::is_integral_v<T> ? 0.5f : 0.f;
        std::vector<float> along(size_t(image.h * values)), wide(size_t((image.w + 2 * reach) * image.c));
        std::vector<float> sum(static_cast<size_t>(values));
        for (int64_t y = 0; y < image.h; ++y) blur_row<T>(image, y, weights, wide, along.data() + y * values);
        Image out = make_image<T>(image.h, image.w, image.c);
        for (int64_t y = 0; y < image.h; ++y) {
            std::vector<const float*> lines;
            for (int64_t k = -reach; k <= reach; ++k) lines.push_back(along.data() + mirrored(y + k, image.h) * values);
            weigh(weights, lines, size_t(values), sum.data());
            T* to = out.pixels<T>().data() + y * values;
            for (int64_t i = 0; i < values; ++i) to[i] = T(sum[size_t(i)] + half);
        }
        return out;
    });
}

// ---- noise ----

namespace {

// Where the distribution function of the normal distribution is `probability`, below 1/2; by bisection.
double normal_quantile(double probability) {
    double low = -8, high = 0;
    for (int step = 0; step < 48; ++step) {
        const double middle = 0.5 * (low + high);
        (0.5 * std::erfc(-middle / std::sqrt(2.0)) < probability ? low : high) = middle;
    }
    return low;
}

constexpr size_t normal_levels = 4096;

const std::vector<float>& normal_table() {
    static const std::vector<float> table = [] {
        std::vector<float> levels(normal_levels);
        for (size_t i = 0; i < normal_levels / 2; ++i) {
            levels[i] = float(normal_quantile((double(i) + 0.5) / double(normal_levels)));
            levels[normal_levels - 1 - i] = -levels[i];
        }
        return levels;
    }();
    return table;
}

}  // namespace

Image add_noise(const Image& image, double deviation, Random& random, const ValueRange& range) {
    const std::vector<float>& normal = normal_table();
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        const Bounds bounds = bounds_of<T>(image, range);
        const auto scale = float(deviation * (bounds.high - bounds.low));
        Image out = image;
        std::vector<T>& values = out.pixels<T>();
        for (size_t i = 0; i < values.size(); i += 2) {  // two values of a number: its upper bits are as random
            const uint32_t drawn = random.next_u32();
            const uint32_t level[] = {drawn >> 20, (drawn >> 4) % uint32_t(normal_levels)};
            for (size_t k = 0; k < std::min<size_t>(2, values.size() - i); ++k)
                values[i + k] = rounded<T>(float(values[i + k]) + scale * normal[level[k]], bounds);
        }
        return out;
    });
}

Image through_jpeg(const Image& image, int quality) {
    return decode_image(encode_jpeg(image, quality), "an image in memory");
}

}  // namespace atrous::data
