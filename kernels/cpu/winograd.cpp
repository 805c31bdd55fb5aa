// Blocks of tiles pass through three phases: their inputs are transformed, each of the points multiplies them by the
// transformed weights ([tiles x in] * [in x out]), and the products are transformed into the output.
#include "kernels/cpu/winograd.h"

#include <omp.h>

#include <array>
#include <utility>

#include "kernels/cpu/winograd_tiles.h"
#include "kernels/cpu/winograd_transforms.h"

namespace atrous::kernels::cpu::winograd {

namespace {

// `count` rows of A ([row][k]) times a panel of B ([k][panel_channels]), of `depth` terms.
template <int count>
void multiply(const float* a, int64_t a_row, const float* panel, int64_t depth, float* c, int64_t c_row) {
    V sums[count][2] = {};
    for (int64_t k = 0; k < depth; ++k, panel += panel_channels) {
        const V b0 = load_vector(panel), b1 = load_vector(panel + lanes);
#pragma GCC unroll 16
        for (int i = 0; i < count; ++i) {
            const float x = a[i * a_row + k];
            sums[i][0] += x * b0;
            sums[i][1] += x * b1;
        }
    }
    for (int i = 0; i < count; ++i) {
        store_vector(c + i * c_row, sums[i][0]);
        store_vector(c + i * c_row + lanes, sums[i][1]);
    }
}
using Multiply = void (*)(const float*, int64_t, const float*, int64_t, float*, int64_t);
template <int... counts>
constexpr std::array<Multiply, tile_rows> multiply_by_count(std::integer_sequence<int, counts...>) {
    return {multiply<counts + 1>...};
}
constexpr auto multiply_rows = multiply_by_count(std::make_integer_sequence<int, tile_rows>());

template <int m>
class Convolver {
 public:
    Convolver(Queue& q, const Convolution& problem);
    void run(Queue& q);

 private:
    static constexpr int side = m + 2, points = side * side;
    struct Block {
        int64_t first, count;  // tiles
        float *inputs, *products;
    };
    Block block_at(int64_t index, int64_t slot) const {
        return {index * a_block_, std::min(a_block_, tile_count_ - index * a_block_),
                inputs_ + slot * points * input_point_, products_ + slot * points * product_point_};
    }
    void transform_weights(int64_t panel, int64_t first_channel) const;
    void transform_input(const Block&, int64_t tile, float* space) const;
    void multiply_panel(const Block&, int64_t point, int64_t panel) const;
    void transform_output(const Block&, int64_t tile) const;
    void compute(const Block&, bool shared, float* space) const;

    Convolution p_;
    Tiles<m> tiles_;
    int64_t tile_count_, c_, o_, panels_, input_row_, product_row_;
    int64_t a_block_, blocks_, input_point_, product_point_, space_;
    bool shared_;
    float *weights_, *inputs_, *products_, *spaces_;
};

// Small weights stay in the caches while every thread computes blocks of its own, as many tiles as its second cache
// holds. Large ones are read once for many tiles, which all threads compute together.
template <int m>
Convolver<m>::Convolver(Queue& q, const Convolution& problem)
    : p_(problem), tiles_{problem.y.h, problem.y.w, problem.dilation} {
    tile_count_ = p_.y.n * tiles_.an_image();
    c_ = p_.x.c;
    o_ = p_.y.c;
    panels_ = ceil_div(o_, panel_channels);
    input_row_ = row_of(c_);
    product_row_ = row_of(panels_ * panel_channels);
    const int64_t a_tile = points * (padded(c_) + panels_ * panel_channels) * 4;
    const int64_t in_cache = std::clamp<int64_t>((448 << 10) / a_tile, 24, 96);
    shared_ = points * c_ * o_ * 4 > (4 << 20) || tile_count_ < 2 * in_cache * q.threads();
    const int64_t wanted = shared_ ? std::clamp<int64_t>((16 << 20) / a_tile, 48, 384) : in_cache;
    a_block_ = std::min(ceil_div(wanted, tile_rows) * tile_rows, tile_count_);
    blocks_ = ceil_div(tile_count_, a_block_);
    input_point_ = a_block_ * input_row_ + 16;
    product_point_ = a_block_ * product_row_ + 16;
    space_ = points * padded(c_);
    const int64_t slots = shared_ ? 1 : q.threads();
    weights_ = q.scratch<float>(points * panels_ * c_ * panel_channels);
    inputs_ = q.scratch<float>(slots * points * input_point_);
    products_ = q.scratch<float>(slots * points * product_point_);
    spaces_ = q.scratch<float>(q.threads() * space_);
}

// Of `lanes` input channels by a panel of output channels: [point][panel][c][panel_channels].
template <int m>
void Convolver<m>::transform_weights(int64_t panel, int64_t first_channel) const {
    const int64_t outputs = std::min(panel_channels, o_ - panel * panel_channels);
    const int64_t last_channel = std::min(first_channel + lanes, c_);
    float taps[9][lanes][panel_channels];
    const float* from = p_.w + panel * panel_channels * p_.w_o;
    for (int t = 0; t < 9; ++t) {
        for (int64_t c = first_channel; c < last_channel; ++c)
            std::fill_n(taps[t][c - first_channel] + outputs, panel_channels - outputs, 0.f);
        const float* tap = from + t * p_.w_t;
        if (p_.w_o == 1) {
            for (int64_t c = first_channel; c < last_channel; ++c)
                std::copy_n(tap + c * p_.w_c, outputs, taps[t][c - first_channel]);
        } else {
            for (int64_t o = 0; o < outputs; ++o)
                for (int64_t c = first_channel; c < last_channel; ++c)
                    taps[t][c - first_channel][o] = tap[o * p_.w_o + c * p_.w_c];
        }
    }
    const int64_t point = panels_ * c_ * panel_channels;
    for (int64_t c = first_channel; c < last_channel; ++c)
        for (int64_t v = 0; v < panel_channels; v += lanes) {
            float* to = weights_ + (panel * c_ + c) * panel_channels + v;
            transform<FilterTransform<m>>(
                [&](int i, int j) { return load_vector(&taps[i * 3 + j][c - first_channel][v]); },
                [&](int i, int j, V x) { store_vector(to + (i * side + j) * point, x); });
        }
}

template <int m>
void Convolver<m>::transform_input(const Block& block, int64_t tile, float* space) const {
    const auto [n, p, q] = tiles_.at(block.first + tile);
    const Window w = window_of<side>(p_.x, n, p - p_.padding, q - p_.padding, p_.dilation, space);
    float* to = block.inputs + tile * input_row_;
    for (int64_t c = 0; c < c_; c += lanes)
        transform<DataTransform<m>>(
            [&](int i, int j) { return load_vector(w.from + i * w.row + j * w.pixel + c); },
            [&](int i, int j, V x) { store_vector(to + (i * side + j) * input_point_ + c, x); });
}

template <int m>
void Convolver<m>::multiply_panel(const Block& block, int64_t point, int64_t panel) const {
    const float* weights = weights_ + (point * panels_ + panel) * c_ * panel_channels;
    const float* a = block.inputs + point * input_point_;
    float* c = block.products + point * product_point_ + panel * panel_channels;
    for (int64_t tile = 0; tile < block.count; tile += tile_rows)
        multiply_rows[std::min<int64_t>(tile_rows, block.count - tile) - 1](a + tile * input_row_, input_row_, weights,
                                                                            c_, c + tile * product_row_, product_row_);
}

template <int m>
void Convolver<m>::transform_output(const Block& block, int64_t tile) const {
    const View& y = p_.y;
    const auto [n, p, q] = tiles_.at(block.first + tile);
    const float* from = block.products + tile * product_row_;
    const auto pixels = [&](int64_t first, int64_t size) {
        return first < size ? std::min<int64_t>(m, (size - 1 - first) / p_.dilation + 1) : 0;
    };
    const int64_t rows = pixels(p, y.h), columns = pixels(q, y.w);
    if (rows == 0 || columns == 0) return;
    float* const first = y.as<float>() + ((n * y.h + p) * y.w + q) * o_;
    const int64_t row = p_.dilation * y.w * o_, pixel = p_.dilation * o_;
    for (int64_t o = 0; o < o_; o += lanes) {
        const int64_t used = std::min(lanes, o_ - o);
        float edge[lanes] = {};
        if (p_.bias) std::copy_n(p_.bias + o, used, edge);
        const V bias = load_vector(edge);
        const auto store = [&](int i, int j, V sum) {
            if (i >= rows || j >= columns) return;
            float* const at = first + i * row + j * pixel + o;
            float* const to = used == lanes ? at : edge;
            sum += bias;
            if (p_.accumulate && to == edge) std::copy_n(at, used, edge);
            store_vector(to, p_.accumulate ? load_vector(to) + sum : sum);
            if (to == edge) std::copy_n(edge, used, at);
        };
        transform<OutputTransform<m>>(
            [&](int i, int j) { return load_vector(from + (i * side + j) * product_point_ + o); }, store);
    }
}

template <int m>
void Convolver<m>::compute(const Block& block, bool shared, float* space) const {
    each(shared, block.count, [&](int64_t tile) { transform_input(block, tile, space); });
    each(shared, points * panels_, [&](int64_t i) { multiply_panel(block, i / panels_, i % panels_); });
    each(shared, block.count, [&](int64_t tile) { transform_output(block, tile); });
}

template <int m>
void Convolver<m>::run(Queue& q) {
    if (q.is_dry_run()) return;
    const int64_t channel_groups = ceil_div(c_, lanes);
#pragma omp parallel num_threads(q.threads())
    {
        const int64_t thread = omp_get_thread_num();
        float* const space = spaces_ + thread * space_;
        each(true, panels_ * channel_groups,
             [&](int64_t i) { transform_weights(i / channel_groups, i % channel_groups * lanes); });
        if (shared_) {
            for (int64_t b = 0; b < blocks_; ++b) compute(block_at(b, 0), true, space);
        } else {
#pragma omp for schedule(dynamic)
            for (int64_t b = 0; b < blocks_; ++b) compute(block_at(b, thread), false, space);
        }
    }
}

}  // namespace

template <int m>
void convolve(Queue& q, const Convolution& problem) {
    Convolver<m>(q, problem).run(q);
}
template void convolve<2>(Queue&, const Convolution&);
template void convolve<4>(Queue&, const Convolution&);

}  // namespace atrous::kernels::cpu::winograd
