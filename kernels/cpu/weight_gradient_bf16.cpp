// A chunk of rows at a time is packed in pairs of pixels, with the padding around the image as zeros: column q of the
// gradient beside column q + half a row, whose neighbours under every tap are as far apart.
#include <omp.h>

#include <algorithm>
#include <vector>

#include "kernels/cpu/dnnl.h"
#include "kernels/cpu/outer_sums.h"
#include "kernels/cpu/weight_gradient.h"

namespace atrous::kernels::cpu {

namespace {

// Rows [first, last) of one image's gradient, and those of the image that they meet.
struct Chunk {
    int64_t image, first, last, first_input, last_input;
    int64_t rows() const { return last - first; }
    int64_t input_rows() const { return last_input - first_input; }
};

// One operand, packed as [panel of channels][row of the chunk][column][channel].
struct Side {
    View view;
    int64_t columns, shift, gap;  // packed column j holds pixels j + shift and j + shift + gap, zeros outside the row
    int64_t step;                 // columns between the pixels of neighbouring outputs
    int64_t panel = 0, panels = 0, rows = 0;  // rows: of the largest chunk
    int64_t row_size() const { return columns * panel; }
    int64_t panel_size() const { return rows * row_size(); }
    int64_t size() const { return panels * panel_size(); }
    void set_panel(int64_t channels) {
        panel = channels;
        panels = ceil_div(view.c, channels);
    }
};

void pack_channels(const bf16* first, const bf16* second, int64_t count, Pair* to) {
    const auto pack = [&](int64_t i) { to[i] = Pair(first[i].bits) | Pair(second[i].bits) << 16; };
    int64_t i = 0;
    for (; i + 16 <= count; i += 16)  // a constant count makes vectors
        for (int64_t lane = 0; lane < 16; ++lane) pack(i + lane);
    for (; i < count; ++i) pack(i);
}

void pack_row(const Side& side, int64_t n, int64_t h, const bf16* zeros, Pair* to) {
    const View& v = side.view;
    const bf16* row = v.as<const bf16>() + (n * v.h + h) * v.w * v.pitch;
    const auto pixel = [&](int64_t column) { return column < 0 || column >= v.w ? zeros : row + column * v.pitch; };
    for (int64_t panel = 0; panel < side.panels; ++panel, to += side.panel_size()) {
        const int64_t first = panel * side.panel, used = std::min(side.panel, v.c - first);
        for (int64_t j = 0; j < side.columns; ++j) {
            Pair* pairs = to + j * side.panel;
            pack_channels(pixel(j + side.shift) + first, pixel(j + side.shift + side.gap) + first, used, pairs);
            std::fill(pairs + used, pairs + side.panel, Pair(0));
        }
    }
}

class PairAccumulator {
 public:
    explicit PairAccumulator(const WeightGradient& problem);
    void run(Queue& q);

 private:
    int64_t split_size() const { return tiles() * wide_->panels * p_.r * tap_groups_ * tile_size<Pair>; }
    int64_t tiles() const { return narrow_->panels * tiles_per_panel_; }
    // The sums of a split are [narrow tile][wide panel][r][tap group][narrow channel][wide channel].
    int64_t sums_at(int64_t tile, int64_t panel, int64_t r, int64_t group) const {
        return (((tile * wide_->panels + panel) * p_.r + r) * tap_groups_ + group) * tile_size<Pair>;
    }
    int64_t tile_channels(int64_t tile) const {
        return std::min(tile_, narrow_->panel - tile % tiles_per_panel_ * tile_);
    }
    void choose_chunks();
    int64_t chunks() const { return p_.gradient.n * chunks_of_image_; }
    Chunk chunk_at(int64_t index) const;
    Range columns_used(int64_t group) const;
    void pack(const Chunk&, Pair* packed) const;
    void add_taps(const Chunk&, int64_t r, int64_t group, const Pair* packed, float* sums) const;
    void store_tile(int64_t tile, const float* sums) const;

    WeightGradient p_;
    Side image_, gradient_;
    bool image_wide_;
    const Side *narrow_, *wide_;
    int64_t half_;                    // packed columns of the gradient
    int64_t tiles_per_panel_, tile_;  // of narrow channels
    int64_t taps_ = 1, tap_groups_;   // neighbouring taps of an image of few channels share a tile
    int64_t chunks_of_image_ = 1;
    int64_t splits_ = 1;
    const bf16* zeros_ = nullptr;
};

PairAccumulator::PairAccumulator(const WeightGradient& problem) : p_(problem) {
    const ConvGeometry& geometry = p_.geometry;
    const int64_t stride = geometry.stride;
    half_ = ceil_div(p_.gradient.w, 2);
    gradient_ = {.view = p_.gradient, .columns = half_, .shift = 0, .gap = half_, .step = 1};
    image_ = {.view = p_.image,
              .columns = (half_ - 1) * stride + (p_.s - 1) * geometry.dilation + 1,
              .shift = -geometry.padding,
              .gap = half_ * stride,
              .step = stride};
    constexpr int64_t lanes = Vector<Pair>::lanes;
    const auto padded = [](int64_t c) { return ceil_div(c, lanes) * lanes; };
    const int64_t c = p_.image.c, g = p_.gradient.c;
    image_wide_ = padded(c) * g <= padded(g) * c;  // the side which wastes fewer lanes
    Side &wide = image_wide_ ? image_ : gradient_, &narrow = image_wide_ ? gradient_ : image_;
    wide.set_panel(std::min(panel_width<Pair>, padded(wide.view.c)));
    narrow.set_panel(ceil_div(narrow.view.c, ceil_div(narrow.view.c, 64)));
    narrow_ = &narrow;
    wide_ = &wide;
    tiles_per_panel_ = ceil_div(narrow.panel, tile_rows);
    tile_ = ceil_div(narrow.panel, tiles_per_panel_);
    if (!image_wide_ && geometry.dilation == 1 && tiles() == 1) taps_ = std::clamp<int64_t>(tile_rows / c, 1, p_.s);
    tap_groups_ = ceil_div(p_.s, taps_);
    choose_chunks();
}

// As many rows as stay in a core's cache when packed: the rows of the image above and below a chunk are packed again
// for its neighbours. Up to 32 independent sums, one a thread.
void PairAccumulator::choose_chunks() {
    const ConvGeometry& g = p_.geometry;
    const int64_t height = p_.gradient.h;
    constexpr int64_t chunk_bytes = 256 << 10;
    const int64_t row_bytes =
        (gradient_.panels * gradient_.row_size() + image_.panels * image_.row_size() * g.stride) * sizeof(Pair);
    chunks_of_image_ = ceil_div(height, std::clamp<int64_t>(chunk_bytes / row_bytes, 1, height));
    for (int64_t i = 0; i < chunks_of_image_; ++i) {
        const Chunk chunk = chunk_at(i);
        gradient_.rows = std::max(gradient_.rows, chunk.rows());
        image_.rows = std::max(image_.rows, chunk.input_rows());
    }
    splits_ = std::min<int64_t>(32, chunks());
}

// Not kept as a list: a dry run of large images would spend its time on writing it.
Chunk PairAccumulator::chunk_at(int64_t index) const {
    const ConvGeometry& g = p_.geometry;
    const int64_t height = p_.gradient.h, reach = (p_.r - 1) * g.dilation + 1, i = index % chunks_of_image_;
    const int64_t first = i * height / chunks_of_image_, last = (i + 1) * height / chunks_of_image_;
    const int64_t first_input = std::clamp<int64_t>(first * g.stride - g.padding, 0, p_.image.h);
    const int64_t last_input = std::clamp<int64_t>((last - 1) * g.stride - g.padding + reach, first_input, p_.image.h);
    return {index / chunks_of_image_, first, last, first_input, last_input};
}

// Packed columns in which one of a group's taps meets the image.
Range PairAccumulator::columns_used(int64_t group) const {
    Range used{half_, 0};
    const auto include = [&](int64_t first, int64_t last) {
        if (first < last) used = {std::min(used.first, first), std::max(used.last, last)};
    };
    for (int64_t s = group * taps_; s < std::min(p_.s, (group + 1) * taps_); ++s) {
        const Range pixels = inside(p_.geometry, s, p_.image.w, p_.gradient.w);
        include(pixels.first, std::min(pixels.last, half_));
        include(std::max(pixels.first, half_) - half_, pixels.last - half_);
    }
    return used;
}

void PairAccumulator::pack(const Chunk& c, Pair* packed) const {
    for (int64_t i = 0; i < c.rows(); ++i)
        pack_row(gradient_, c.image, c.first + i, zeros_, packed + i * gradient_.row_size());
    Pair* image = packed + gradient_.size();
    for (int64_t i = 0; i < c.input_rows(); ++i)
        pack_row(image_, c.image, c.first_input + i, zeros_, image + i * image_.row_size());
}

// Adds a chunk's contribution to the sums of a group of taps, for all tiles.
void PairAccumulator::add_taps(const Chunk& c, int64_t r, int64_t group, const Pair* packed, float* sums) const {
    const Range columns = columns_used(group);
    Range rows = inside(p_.geometry, r, p_.image.h, p_.gradient.h);
    rows = {std::max(rows.first, c.first), std::min(rows.last, c.last)};
    if (columns.first >= columns.last || rows.first >= rows.last) return;
    const int64_t first_input = rows.first * p_.geometry.stride + r * p_.geometry.dilation - p_.geometry.padding;
    const Pair* gradient = packed + (rows.first - c.first) * gradient_.row_size() + columns.first * gradient_.panel;
    const Pair* image = packed + gradient_.size() + (first_input - c.first_input) * image_.row_size() +
                        (columns.first * image_.step + group * taps_ * p_.geometry.dilation) * image_.panel;
    const Pair *narrow_first = image_wide_ ? gradient : image, *wide_first = image_wide_ ? image : gradient;
    const auto next_row = [&](const Side& side) {
        return side.row_size() * (&side == &image_ ? p_.geometry.stride : 1);
    };
    const int64_t taps = std::min(taps_, p_.s - group * taps_), count = rows.last - rows.first;
    std::vector<const Pair*> narrow(count), wide(count);
    for (int64_t tile = 0; tile < tiles(); ++tile)
        for (int64_t panel = 0; panel < wide_->panels; ++panel) {
            for (int64_t i = 0; i < count; ++i) {
                narrow[i] = narrow_first + tile / tiles_per_panel_ * narrow_->panel_size() +
                            tile % tiles_per_panel_ * tile_ + i * next_row(*narrow_);
                wide[i] = wide_first + panel * wide_->panel_size() + i * next_row(*wide_);
            }
            const auto& adders = wide_->panel < panel_width<Pair> ? sums_table<Pair, 1> : sums_table<Pair, 2>;
            const auto add = adders[taps * tile_channels(tile) - 1];
            add(narrow.data(), narrow_->step * narrow_->panel, wide.data(), wide_->step * wide_->panel, count,
                columns.last - columns.first, sums + sums_at(tile, panel, r, group));
        }
}

void PairAccumulator::store_tile(int64_t tile, const float* sums) const {
    const int64_t narrow_stride = image_wide_ ? p_.g_stride : p_.c_stride;
    const int64_t wide_stride = image_wide_ ? p_.c_stride : p_.g_stride;
    const int64_t channels = tile_channels(tile);
    const int64_t first = tile / tiles_per_panel_ * narrow_->panel + tile % tiles_per_panel_ * tile_;
    for (int64_t r = 0; r < p_.r; ++r)
        for (int64_t s = 0; s < p_.s; ++s)
            for (int64_t i = 0; i < std::min(channels, narrow_->view.c - first); ++i)
                for (int64_t w = 0; w < wide_->view.c; ++w) {
                    const float sum = sums[sums_at(tile, w / wide_->panel, r, s / taps_) +
                                           (s % taps_ * channels + i) * panel_width<Pair> + w % wide_->panel];
                    float& to = static_cast<float*>(
                        p_.dw)[r * p_.r_stride + s * p_.s_stride + (first + i) * narrow_stride + w * wide_stride];
                    to = p_.accumulate ? to + sum : sum;
                }
}

// Each split packs and sums its own chunks; the others are then added to the first, in order.
void PairAccumulator::run(Queue& q) {
    const int64_t packed_size = gradient_.size() + image_.size();
    const int64_t channels = std::max(p_.image.c, p_.gradient.c);
    bf16* zeros = q.scratch<bf16>(channels);
    Pair* all_packed = q.scratch<Pair>(q.threads() * packed_size);
    float* sums = q.scratch<float>(splits_ * split_size());
    if (q.is_dry_run()) return;
    std::fill_n(zeros, channels, bf16{});
    zeros_ = zeros;
#pragma omp parallel num_threads(q.threads())
    {
        Pair* packed = all_packed + omp_get_thread_num() * packed_size;
#pragma omp for schedule(dynamic)
        for (int64_t split = 0; split < splits_; ++split) {
            float* own = sums + split * split_size();
            std::fill_n(own, split_size(), 0.0f);
            for (int64_t i = split * chunks() / splits_; i < (split + 1) * chunks() / splits_; ++i) {
                const Chunk chunk = chunk_at(i);
                pack(chunk, packed);
                for (int64_t r = 0; r < p_.r; ++r)
                    for (int64_t group = 0; group < tap_groups_; ++group) add_taps(chunk, r, group, packed, own);
            }
        }
        const int64_t size = split_size() / tiles();
#pragma omp for schedule(static)
        for (int64_t tile = 0; tile < tiles(); ++tile) {
            float* to = sums + tile * size;
            for (int64_t split = 1; split < splits_; ++split)
                for (int64_t i = 0; i < size; ++i) to[i] += to[split * split_size() + i];
            store_tile(tile, sums);
        }
    }
}

}  // namespace

void weight_gradient_of_pairs(Queue& q, const WeightGradient& p) { PairAccumulator(p).run(q); }

bool pairs_are_faster(const WeightGradient& p) {
    if (!multiplies_pairs || has_amx()) return false;
    const int64_t c = p.image.c, g = p.gradient.c, taps = p.r * p.s;
    const bool sums_stay_in_cache = c * g * taps <= 128 << 10, wide = std::max(c, g) > Vector<Pair>::lanes;
    const bool large = p.image.count() + p.gradient.count() >= 1 << 20;
    return taps > 1 && wide && large && sums_stay_in_cache;
}

}  // namespace atrous::kernels::cpu
