// Chunks of tiles pass through two phases: inputs and output gradients are transformed, then each of the points adds the
// products [out x tiles] * [tiles x in] to its sums, which are transformed into the weights' gradient at the end.
#include <omp.h>

#include "kernels/cpu/outer_sums.h"
#include "kernels/cpu/winograd.h"
#include "kernels/cpu/winograd_tiles.h"
#include "kernels/cpu/winograd_transforms.h"

namespace atrous::kernels::cpu::winograd {

namespace {

constexpr int64_t sums_size = tile_rows * panel_channels;  // of a register tile: [output channel][input channel]

template <int m>
class Gradient {
 public:
    Gradient(Queue& q, const ConvBackwardWeightArgs& problem);
    void run(Queue& q);

 private:
    static constexpr int side = m + 2, points = side * side;
    struct Chunk {
        int64_t first, count;  // tiles
        float *inputs, *gradients, *sums;
    };
    // Those of a split follow each other.
    Chunk chunk_at(int64_t index, int64_t slot, int64_t split) const {
        return {index * a_chunk_, std::min(a_chunk_, tile_count_ - index * a_chunk_),
                inputs_ + slot * points * input_point_, gradients_ + slot * points * gradient_point_,
                sums_ + split * points * sums_point_};
    }
    void transform_tile(const Chunk&, int64_t tile, float* space) const;
    void add(const Chunk&, int64_t point, int64_t panel) const;
    void compute(const Chunk&, bool shared, float* space) const;
    void store(int64_t output, int64_t panel) const;

    ConvBackwardWeightArgs p_;
    Tiles<m> tiles_;
    int64_t tile_count_, c_, o_, panels_, o_tiles_, gradient_row_;
    int64_t a_chunk_, chunks_, splits_, slots_, input_point_, gradient_point_, sums_point_, space_;
    float *inputs_, *gradients_, *sums_, *spaces_;
};

// Small sums: up to 16 independent parts, one a thread; large ones: one, which the threads share.
template <int m>
Gradient<m>::Gradient(Queue& q, const ConvBackwardWeightArgs& problem)
    : p_(problem), tiles_{problem.dy.h, problem.dy.w, problem.geometry.dilation} {
    tile_count_ = p_.dy.n * tiles_.an_image();
    c_ = p_.x.c;
    o_ = p_.dy.c;
    panels_ = ceil_div(c_, panel_channels);
    o_tiles_ = ceil_div(o_, tile_rows);
    gradient_row_ = row_of(padded(o_));
    sums_point_ = panels_ * o_tiles_ * sums_size;
    const int64_t a_tile = points * (panels_ * panel_channels + padded(o_)) * 4;
    const bool small = points * sums_point_ * 4 <= (1 << 20);
    a_chunk_ = small ? std::clamp<int64_t>((448 << 10) / a_tile, 32, 96) : 96;
    a_chunk_ = std::min(a_chunk_, tile_count_);
    chunks_ = ceil_div(tile_count_, a_chunk_);
    splits_ = small ? std::min<int64_t>(16, chunks_) : 1;
    input_point_ = panels_ * a_chunk_ * panel_channels + 16;
    gradient_point_ = a_chunk_ * gradient_row_ + 16;
    space_ = points * padded(std::max(c_, o_));
    slots_ = std::min<int64_t>(splits_, q.threads());
    inputs_ = q.scratch<float>(slots_ * points * input_point_);
    gradients_ = q.scratch<float>(slots_ * points * gradient_point_);
    sums_ = q.scratch<float>(splits_ * points * sums_point_);
    spaces_ = q.scratch<float>(q.threads() * space_);
}

// Inputs lie in panels: [point][panel][tile][panel_channels]; gradients in rows: [point][tile][output channel].
template <int m>
void Gradient<m>::transform_tile(const Chunk& chunk, int64_t tile, float* space) const {
    const ConvGeometry& g = p_.geometry;
    const auto [n, p, q] = tiles_.at(chunk.first + tile);
    const Window x = window_of<side>(p_.x, n, p - g.padding, q - g.padding, g.dilation, space);
    for (int64_t c = 0; c < c_; c += lanes) {
        float* to = chunk.inputs + (c / panel_channels * a_chunk_ + tile) * panel_channels + c % panel_channels;
        transform<DataTransform<m>>([&](int i, int j) { return load_vector(x.from + i * x.row + j * x.pixel + c); },
                                    [&](int i, int j, V v) { store_vector(to + (i * side + j) * input_point_, v); });
    }
    const Window dy = window_of<m>(p_.dy, n, p, q, g.dilation, space);
    for (int64_t o = 0; o < o_; o += lanes) {
        float* to = chunk.gradients + tile * gradient_row_ + o;
        transform<OutputTransposed<m>>(
            [&](int i, int j) { return load_vector(dy.from + i * dy.row + j * dy.pixel + o); },
            [&](int i, int j, V v) { store_vector(to + (i * side + j) * gradient_point_, v); });
    }
}

template <int m>
void Gradient<m>::add(const Chunk& chunk, int64_t point, int64_t panel) const {
    const float* wide = chunk.inputs + point * input_point_ + panel * a_chunk_ * panel_channels;
    const float* narrow = chunk.gradients + point * gradient_point_;
    float* sums = chunk.sums + point * sums_point_ + panel * o_tiles_ * sums_size;
    for (int64_t o = 0; o < o_; o += tile_rows, narrow += tile_rows, sums += sums_size)
        sums_table<float, 2>[std::min<int64_t>(tile_rows, o_ - o) - 1](&narrow, gradient_row_, &wide, panel_channels, 1,
                                                                       chunk.count, sums);
}

template <int m>
void Gradient<m>::compute(const Chunk& chunk, bool shared, float* space) const {
    each(shared, chunk.count, [&](int64_t tile) { transform_tile(chunk, tile, space); });
    each(shared, points * panels_, [&](int64_t i) { add(chunk, i / panels_, i % panels_); });
}

// Adds the other splits to the first, in order, and puts the sums in their place.
template <int m>
void Gradient<m>::store(int64_t output, int64_t panel) const {
    const float* from =
        sums_ + (panel * o_tiles_ + output / tile_rows) * sums_size + output % tile_rows * panel_channels;
    float* const dw = static_cast<float*>(p_.dw.view.data) + output * 9 * c_;
    for (int64_t v = 0; v < panel_channels; v += lanes) {
        const int64_t c = panel * panel_channels + v, used = std::min(lanes, c_ - c);
        if (used <= 0) return;
        const auto load = [&](int i, int j) {
            const float* at = from + (i * side + j) * sums_point_ + v;
            V sum = load_vector(at);
            for (int64_t split = 1; split < splits_; ++split) sum += load_vector(at + split * points * sums_point_);
            return sum;
        };
        transform<FilterTransposed<m>>(load, [&](int i, int j, V sum) {
            float values[lanes], *to = dw + (i * 3 + j) * c_ + c;
            store_vector(values, sum);
            for (int64_t k = 0; k < used; ++k) to[k] = p_.dw.accumulate ? to[k] + values[k] : values[k];
        });
    }
}

template <int m>
void Gradient<m>::run(Queue& q) {
    if (q.is_dry_run()) return;
#pragma omp parallel num_threads(q.threads())
    {
        const int64_t thread = omp_get_thread_num();
        float* const space = spaces_ + thread * space_;
        each(true, splits_ * points, [&](int64_t i) { std::fill_n(sums_ + i * sums_point_, sums_point_, 0.f); });
        if (splits_ == 1) {
            for (int64_t i = 0; i < chunks_; ++i) compute(chunk_at(i, 0, 0), true, space);
        } else {
#pragma omp for schedule(dynamic)
            for (int64_t split = 0; split < splits_; ++split)
                for (int64_t i = split * chunks_ / splits_; i < (split + 1) * chunks_ / splits_; ++i)
                    compute(chunk_at(i, splits_ == slots_ ? split : thread, split), false, space);
        }
        each(true, o_ * panels_, [&](int64_t i) { store(i / panels_, i % panels_); });
    }
}

}  // namespace

template <int m>
void weight_gradient(Queue& q, const ConvBackwardWeightArgs& problem) {
    Gradient<m>(q, problem).run(q);
}
template void weight_gradient<2>(Queue&, const ConvBackwardWeightArgs&);
template void weight_gradient<4>(Queue&, const ConvBackwardWeightArgs&);

}  // namespace atrous::kernels::cpu::winograd
