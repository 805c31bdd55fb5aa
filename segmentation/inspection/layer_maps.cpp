#include "segmentation/inspection/layer_maps.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/transform.h"

namespace atrous::inspection {

std::vector<double> host_values(const Tensor& t) {
    if (t.dtype() == DType::f64) return t.dense().to_host<double>();
    Tensor narrow = t.dense();
    if (t.dtype() != DType::f32) {
        narrow = Tensor::empty(t.shape(), DType::f32, t.device());
        narrow.copy_from(t);
    }
    const std::vector<float> values = narrow.to_host<float>();
    return {values.begin(), values.end()};
}

namespace {

struct ChannelFigures {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    double absolute = 0;
};

std::vector<ChannelFigures> figures_of(const std::vector<double>& values, size_t channels, LayerMaps& maps) {
    std::vector<ChannelFigures> figures(channels);
    double sum = 0, squares = 0;
    int64_t zeros = 0;
    for (size_t i = 0; i < values.size(); ++i) {
        const double v = values[i];
        ChannelFigures& f = figures[i % channels];
        f.low = std::min(f.low, v);
        f.high = std::max(f.high, v);
        f.absolute += std::abs(v);
        sum += v;
        squares += v * v;
        zeros += v == 0;
    }
    const double count = double(values.size());
    maps.mean = sum / count;
    maps.stddev = std::sqrt(std::max(0., squares / count - maps.mean * maps.mean));
    maps.zeros = double(zeros) / count;
    maps.min = figures[0].low, maps.max = figures[0].high;
    for (const ChannelFigures& f : figures) {
        maps.min = std::min(maps.min, f.low);
        maps.max = std::max(maps.max, f.high);
        if (f.low == f.high) ++(f.low == 0 ? maps.dead : maps.constant);
    }
    return figures;
}

void count_values(const std::vector<double>& values, LayerMaps& maps) {
    maps.histogram.assign(size_t(histogram_bins), 0);
    const double range = maps.max - maps.min, scale = range > 0 ? double(histogram_bins) / range : 0;
    for (const double v : values)
        ++maps.histogram[size_t(std::min<int64_t>(int64_t((v - maps.min) * scale), histogram_bins - 1))];
}

void draw(const std::vector<double>& values, const Shape& shape, int64_t longest_side, LayerMaps& maps) {
    const int64_t h = shape[1], w = shape[2], c = shape[3], shown = int64_t(maps.channels.size());
    const auto [small_h, small_w] = picture_size(h, w, longest_side);
    maps.pictures = data::make_image<uint8_t>(small_h, small_w * shown, 1);
    for (int64_t y = 0; y < small_h; ++y)
        for (int64_t k = 0; k < shown; ++k) {
            const ShownChannel& channel = maps.channels[size_t(k)];
            const double range = channel.high - channel.low, scale = range > 0 ? 255 / range : 0;
            const int64_t row = (2 * y + 1) * h / (2 * small_h);
            for (int64_t x = 0; x < small_w; ++x) {
                const int64_t column = (2 * x + 1) * w / (2 * small_w);
                const double v = values[size_t((row * w + column) * c + channel.channel)];
                maps.pictures.u8[size_t((y * shown + k) * small_w + x)] =
                    uint8_t(std::lround((v - channel.low) * scale));
            }
        }
}

}  // namespace

LayerMaps maps_of(const Tensor& map, int64_t channels, int64_t longest_side) {
    std::vector<double> values = host_values(map);
    for (double& v : values)
        if (!std::isfinite(v)) v = 0;
    LayerMaps maps;
    const size_t all = size_t(map.dim(3)), shown = std::min(all, size_t(channels));
    const double pixels = double(values.size() / all);
    const std::vector<ChannelFigures> figures = figures_of(values, all, maps);
    count_values(values, maps);
    std::vector<int64_t> order(all);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t a, int64_t b) { return figures[size_t(a)].absolute > figures[size_t(b)].absolute; });
    for (size_t k = 0; k < shown; ++k) {
        const ChannelFigures& f = figures[size_t(order[k])];
        maps.channels.push_back({order[k], f.low, f.high, f.absolute / pixels});
    }
    draw(values, map.shape(), longest_side, maps);
    return maps;
}

}  // namespace atrous::inspection
