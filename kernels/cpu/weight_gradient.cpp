// One side lends vectors of channels ("wide"), the other scalars ("narrow"): a register tile accumulates
// tile_rows narrow channels x two vectors of wide channels of one tap over a block of output rows. Where an image has
// few channels, those of neighbouring taps, which are neighbours in memory too, share a tile.
#include "kernels/cpu/weight_gradient.h"

#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "kernels/cpu/outer_sums.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/simd.h"

namespace atrous::kernels::cpu {

namespace {

template <class T>
class Accumulator {
 public:
    Accumulator(Queue& q, const WeightGradient& problem);
    void run(Queue& q);

 private:
    struct Block {  // rows of the gradient, counted over all images
        int64_t first_row, last_row;
    };
    // An item is a narrow tile of a group of taps of one kernel row: [r][tap group][narrow tile]. Its sums are
    // [wide panel][narrow channel][wide channel].
    struct Item {
        int64_t r, s, taps, first, count;
    };
    Item item_at(int64_t index) const {
        const int64_t first = index % narrow_tiles_ * narrow_tile_, group = index / narrow_tiles_;
        const int64_t s = group % tap_groups_ * taps_, taps = std::min(taps_, p_.s - s);
        return {group / tap_groups_, s, taps, first,
                taps > 1 ? taps * narrow_ : std::min(narrow_tile_, narrow_ - first)};
    }
    int64_t items() const { return p_.r * tap_groups_ * narrow_tiles_; }
    int64_t item_size() const { return wide_panels_ * tile_size<T>; }
    int64_t partial_count() const { return items() * item_size(); }
    // Rows of a tensor, the very last one in a copy that vectors may overrun.
    const T* row(const View& v, const T* last_row, int64_t n, int64_t h) const {
        const bool last = n == v.n - 1 && h == v.h - 1;
        return last ? last_row : v.as<T>() + (n * v.h + h) * v.w * v.pitch;
    }
    const T* copy_last_row(Queue& q, const View& v) const;
    void choose_blocks();
    int64_t packed_at(int64_t row, int64_t panel) const {  // of a block's gradient rows
        return (panel * block_rows_ + row) * p_.gradient.w * panel_width<T>;
    }
    void pack_row(const Block&, int64_t row, T* packed) const;
    void add_item(const Block&, const Item&, T* sums) const;
    void add_columns(const Block&, const Item&, Range columns, T* sums) const;
    void store_item(T* partials, int64_t index) const;

    WeightGradient p_;
    bool image_wide_;
    int64_t narrow_, wide_, narrow_tiles_, narrow_tile_, wide_panels_;
    int64_t taps_ = 1, tap_groups_;
    const T *last_image_row_, *last_gradient_row_;
    // Not kept as a list: a dry run of large images would spend its time on writing it.
    Block block_at(int64_t index) const { return {index * rows_ / blocks_, (index + 1) * rows_ / blocks_}; }
    static constexpr int64_t max_rows = 256;  // of a block
    int64_t rows_ = 0, blocks_ = 0, splits_ = 1, block_rows_ = 1;
    T* packed_ = nullptr;  // a block's gradient by panels, where many tiles read it; else absent
};

template <class T>
Accumulator<T>::Accumulator(Queue& q, const WeightGradient& problem) : p_(problem) {
    const auto padded = [](int64_t c) { return ceil_div(c, Vector<T>::lanes) * Vector<T>::lanes; };
    const int64_t c = p_.image.c, g = p_.gradient.c;
    image_wide_ = padded(c) * g < padded(g) * c;  // the side which wastes fewer lanes
    narrow_ = image_wide_ ? g : c;
    wide_ = image_wide_ ? c : g;
    narrow_tiles_ = ceil_div(narrow_, tile_rows);
    narrow_tile_ = ceil_div(narrow_, narrow_tiles_);
    wide_panels_ = ceil_div(wide_, panel_width<T>);
    if (!image_wide_ && p_.geometry.dilation == 1 && p_.image.dense())
        taps_ = std::clamp<int64_t>(tile_rows / c, 1, p_.s);
    tap_groups_ = ceil_div(p_.s, taps_);
    last_image_row_ = copy_last_row(q, p_.image);
    last_gradient_row_ = copy_last_row(q, p_.gradient);
    choose_blocks();
    if (!image_wide_ && splits_ == 1 && wide_panels_ > 1)
        packed_ = q.scratch<T>(block_rows_ * p_.gradient.w * wide_panels_ * panel_width<T>);
}

template <class T>
const T* Accumulator<T>::copy_last_row(Queue& q, const View& v) const {
    const int64_t used = (v.w - 1) * v.pitch + v.c;
    T* copy = q.scratch<T>(used + panel_width<T>);
    if (q.is_dry_run()) return copy;
    std::memcpy(copy, v.as<T>() + (v.n * v.h - 1) * v.w * v.pitch, used * sizeof(T));
    std::fill_n(copy + used, panel_width<T>, T(0));
    return copy;
}

// A block's rows are at least 256 pixels, to pay for passing over the partial sums, and few, to stay in the caches.
// Small gradients: up to 32 independent partial sums, one a thread; large ones: one, whose tiles the threads share.
template <class T>
void Accumulator<T>::choose_blocks() {
    const bool small = partial_count() * sizeof(T) <= (512 << 10);
    const View &x = p_.image, &g = p_.gradient;
    const int64_t row_bytes = (g.w * g.c + p_.geometry.stride * x.w * x.c) * sizeof(T);
    const int64_t a_block = std::clamp<int64_t>((64 << 10) / row_bytes, ceil_div(256, g.w), max_rows);
    rows_ = g.n * g.h;
    blocks_ = ceil_div(rows_, a_block);
    block_rows_ = ceil_div(rows_, blocks_);
    splits_ = small ? std::min<int64_t>(32, blocks_) : 1;
}

// Channels of distant pixels that lie a power of two apart would evict each other from the caches.
template <class T>
void Accumulator<T>::pack_row(const Block& block, int64_t row, T* packed) const {
    const View& g = p_.gradient;
    for (int64_t panel = 0; panel < wide_panels_; ++panel) {
        const T* from = g.as<const T>() + row * g.w * g.pitch + panel * panel_width<T>;
        T* to = packed + packed_at(row - block.first_row, panel);
        const int64_t used = std::min(panel_width<T>, wide_ - panel * panel_width<T>);
        for (int64_t q = 0; q < g.w; ++q) {
            std::copy_n(from + q * g.pitch, used, to + q * panel_width<T>);
            std::fill(to + q * panel_width<T> + used, to + (q + 1) * panel_width<T>, T(0));
        }
    }
}

// Adds one block's contribution to an item: the columns where all its taps meet the image, then each tap's others.
template <class T>
void Accumulator<T>::add_item(const Block& block, const Item& item, T* sums) const {
    const auto columns_of = [&](int64_t s) { return inside(p_.geometry, s, p_.image.w, p_.gradient.w); };
    Range all = columns_of(item.s);
    for (int64_t t = 1; t < item.taps; ++t) {
        const Range range = columns_of(item.s + t);
        all = {std::max(all.first, range.first), std::min(all.last, range.last)};
    }
    const bool common = all.first < all.last;
    if (common) add_columns(block, item, all, sums);
    if (item.taps == 1) return;
    for (int64_t t = 0; t < item.taps; ++t) {
        const Range range = columns_of(item.s + t);
        const Item tap{item.r, item.s + t, 1, 0, narrow_};
        T* to = sums + t * narrow_ * panel_width<T>;
        add_columns(block, tap, {range.first, common ? all.first : range.last}, to);
        if (common) add_columns(block, tap, {all.last, range.last}, to);
    }
}

template <class T>
void Accumulator<T>::add_columns(const Block& block, const Item& item, Range columns, T* sums) const {
    if (columns.first >= columns.last) return;
    const View &x = p_.image, &g = p_.gradient;
    const int64_t x_step = p_.geometry.stride * x.pitch;
    const auto input_of = [&](int64_t output, int64_t tap) {
        return output * p_.geometry.stride + tap * p_.geometry.dilation - p_.geometry.padding;
    };
    const T *narrow[max_rows], *wide[max_rows];
    int64_t rows = 0;
    for (int64_t i = block.first_row; i < block.last_row; ++i) {
        const int64_t n = i / g.h, p = i % g.h, h = input_of(p, item.r);
        if (h < 0 || h >= x.h) continue;
        const T* image = row(x, last_image_row_, n, h) + input_of(columns.first, item.s) * x.pitch;
        const T* gradient = packed_ ? packed_ + packed_at(i - block.first_row, 0) + columns.first * panel_width<T>
                                    : row(g, last_gradient_row_, n, p) + columns.first * g.pitch;
        narrow[rows] = (image_wide_ ? gradient : image) + item.first;
        wide[rows++] = image_wide_ ? image : gradient;
    }
    if (rows == 0) return;
    const int64_t length = columns.last - columns.first, g_step = packed_ ? panel_width<T> : g.pitch;
    const int64_t next_panel = packed_ ? packed_at(0, 1) : panel_width<T>;
    for (int64_t done = 0; done < wide_; done += panel_width<T>, sums += tile_size<T>) {
        const auto add = (wide_ - done <= Vector<T>::lanes ? sums_table<T, 1> : sums_table<T, 2>)[item.count - 1];
        add(narrow, image_wide_ ? g_step : x_step, wide, image_wide_ ? x_step : g_step, rows, length, sums);
        for (int64_t i = 0; i < rows; ++i) wide[i] += next_panel;
    }
}

// Adds the other splits to the first, in order, and puts the sums in their place.
template <class T>
void Accumulator<T>::store_item(T* partials, int64_t index) const {
    T* sums = partials + index * item_size();
    for (int64_t split = 1; split < splits_; ++split) {
        const T* other = sums + split * partial_count();
        for (int64_t i = 0; i < item_size(); ++i) sums[i] += other[i];
    }
    const Item item = item_at(index);
    const int64_t narrow_stride = image_wide_ ? p_.g_stride : p_.c_stride;
    const int64_t wide_stride = image_wide_ ? p_.c_stride : p_.g_stride;
    T* dw = static_cast<T*>(p_.dw) + item.r * p_.r_stride;
    for (int64_t wide = 0; wide < wide_; ++wide) {
        const T* from = sums + wide / panel_width<T> * tile_size<T> + wide % panel_width<T>;
        for (int64_t i = 0; i < item.count; ++i, from += panel_width<T>) {
            const int64_t s = item.s + (item.first + i) / narrow_, channel = (item.first + i) % narrow_;
            T& to = dw[s * p_.s_stride + channel * narrow_stride + wide * wide_stride];
            to = p_.accumulate ? to + *from : *from;
        }
    }
}

template <class T>
void Accumulator<T>::run(Queue& q) {
    T* partials = q.scratch<T>(splits_ * partial_count());
    if (q.is_dry_run()) return;
    const auto add = [&](int64_t block, int64_t item, int64_t split) {
        add_item(block_at(block), item_at(item), partials + split * partial_count() + item * item_size());
    };
    parallel_each(q, splits_ * items(), splits_ * partial_count(),
                  [&](int64_t i) { std::fill_n(partials + i * item_size(), item_size(), T(0)); });
    if (splits_ > 1) {
        share_pieces(q.threads(), splits_, [&](int64_t split, int) {
            for (int64_t b = split * blocks_ / splits_; b < (split + 1) * blocks_ / splits_; ++b)
                for (int64_t item = 0; item < items(); ++item) add(b, item, split);
        });
    } else {
        for (int64_t b = 0; b < blocks_; ++b) {
            const Block block = block_at(b);
            if (packed_)
                parallel_each(q, block.last_row - block.first_row,
                              (block.last_row - block.first_row) * p_.gradient.w * wide_panels_ * panel_width<T>,
                              [&](int64_t row) { pack_row(block, block.first_row + row, packed_); });
            share_pieces(q.threads(), items(), [&](int64_t item, int) { add(b, item, 0); });
        }
    }
    parallel_each(q, items(), splits_ * partial_count(), [&](int64_t item) { store_item(partials, item); });
}

// [first, last) pixels of one tensor, summed by channel; four at a time, as each addition to a sum waits for the last.
template <class T, class A>
void add_pixels(const View& v, int64_t first, int64_t last, A* sums) {
    const auto at = [&](int64_t pixel) { return v.as<const T>() + pixel * v.pitch; };
    int64_t pixel = first;
    for (; pixel + 4 <= last; pixel += 4) {
        const T *a = at(pixel), *b = at(pixel + 1), *c = at(pixel + 2), *d = at(pixel + 3);
        for (int64_t i = 0; i < v.c; ++i) sums[i] += (load(a[i]) + load(b[i])) + (load(c[i]) + load(d[i]));
    }
    for (; pixel < last; ++pixel)
        for (int64_t i = 0; i < v.c; ++i) sums[i] += load(at(pixel)[i]);
}

}  // namespace

template <class T>
void weight_gradient(Queue& q, const WeightGradient& p) {
    Accumulator<T>(q, p).run(q);
}
template void weight_gradient<float>(Queue&, const WeightGradient&);
template void weight_gradient<double>(Queue&, const WeightGradient&);

void channel_sums(Queue& q, const View& v, VectorGradTarget into) {
    dispatch_cpu("channel sums", v.dtype, [&](auto zero) {
        using T = decltype(zero);
        using A = accumulator_t<T>;
        const int64_t parts = std::clamp<int64_t>(v.pixels() / 256, 1, 64);
        A* partial = q.scratch<A>(parts * v.c);
        if (q.is_dry_run()) return;
        parallel_each(q, parts, v.count(), [&](int64_t part) {
            std::fill_n(partial + part * v.c, v.c, A(0));
            add_pixels<T>(v, part * v.pixels() / parts, (part + 1) * v.pixels() / parts, partial + part * v.c);
        });
        for (int64_t c = 0; c < v.c; ++c) {
            A sum = 0;
            for (int64_t part = 0; part < parts; ++part) sum += partial[part * v.c + c];
            A& to = into.as<A>()[c];
            to = into.accumulate ? to + sum : sum;
        }
    });
}

}  // namespace atrous::kernels::cpu
