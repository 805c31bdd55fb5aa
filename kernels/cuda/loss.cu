// Binary cross-entropy and Dice. Grid: x over chunks of pixels of one image, y over slabs of at most 32 groups of
// classes, z over images (gpu/pixels.h, Columns). A block of 256 threads owns a chunk of a slab. One class, dense: a
// group is W neighbouring pixels ("single" below). Shared memory: the five sums of every thread's channels, 5 KiB a
// channel.
//
// Forward: sums (one read of logits and labels), one finishing kernel that adds the chunks, one block for the loss.
// Backward: one block for the coefficients of every image and class, then one read of logits and labels and one write.
#include "kernels/loss.h"

#include "base/dispatch.h"
#include "kernels/gpu/pixels.h"
#include "kernels/gpu/reduce.h"

namespace atrous::kernels::cuda {

using namespace gpu;

namespace {

// ---- kernels: elements ----

enum Sum { sum_bce, sum_count, sum_p_t, sum_p, sum_t };

// e = exp(-|z|), from which everything follows without cancellation: p = sigmoid(z), q = 1 - p, p * q.
struct Sigmoid {
    float e, p, q;

    explicit __device__ __forceinline__ Sigmoid(float z) {
        e = __expf(-fabsf(z));
        const float large = __fdividef(1.0f, 1 + e), small = e * large;
        p = z >= 0 ? large : small;
        q = z >= 0 ? small : large;
    }
};

// The sum of log(1 + e) over many e in [0, 1] as log of the product of (1 + e): one logarithm for up to 64 factors.
// What is kept is the product less one, so that small terms keep their digits.
struct LogSum {
    static constexpr int max_factors = 64;
    float product = 0, sum = 0;

    __device__ __forceinline__ void multiply(float e) { product = fmaf(product, e, product + e); }
    __device__ __forceinline__ void flush() {
        sum += log1pf(product);
        product = 0;
    }
};

// BceFactors in float. Kernels where they are plain are compiled apart, without them.
struct Factors {
    float positive_0, positive_1, negative_0, negative_1;
    bool plain;

    Factors() = default;
    explicit Factors(const BceFactors& f)
        : positive_0(float(f.positive[0])),
          positive_1(float(f.positive[1])),
          negative_0(float(f.negative[0])),
          negative_1(float(f.negative[1])),
          plain(f.plain) {}
    __device__ __forceinline__ float positive(bool target) const { return target ? positive_1 : positive_0; }
    __device__ __forceinline__ float negative(bool target) const { return target ? negative_1 : negative_0; }
};

struct ElementSums {
    float linear = 0, p_t = 0, p = 0, t = 0;
    LogSum logs;

    // bce = max(z, 0) - z t + log(1 + e) with t in {0, 1}, or with factors of its own.
    template <bool Plain>
    __device__ __forceinline__ void add(const Factors& f, float z, bool target) {
        const Sigmoid s(z);
        if constexpr (Plain) {
            linear += fmaxf(target ? -z : z, 0.0f);
            logs.multiply(s.e);
        } else {
            const float log_rest = log1pf(s.e);
            linear += f.positive(target) * (fmaxf(-z, 0.0f) + log_rest);
            linear += f.negative(target) * (fmaxf(z, 0.0f) + log_rest);
        }
        add_region(s, target);
    }
    // The focal loss in bce's place.
    __device__ __forceinline__ void add_focal(float gamma, float z, bool target) {
        const Sigmoid s(z);
        linear += __powf(target ? s.q : s.p, gamma) * (fmaxf(target ? -z : z, 0.0f) + log1pf(s.e));
        add_region(s, target);
    }
    __device__ __forceinline__ void add_region(const Sigmoid& s, bool target) {
        p += s.p;
        if (target) p_t += s.p, t += 1;
    }
};

// Of an element of the focal loss: d / dz with q = target ? p : 1 - p is that of 1 - q, whose sign is the target's.
__device__ __forceinline__ float focal_slope(float gamma, const Sigmoid& s, float z, bool target) {
    const float q = target ? s.p : s.q, rest = target ? s.q : s.p;
    const float log_q = fminf(target ? z : -z, 0.0f) - log1pf(s.e);
    const float slope = __powf(rest, gamma) * (rest - gamma * q * log_q);
    return target ? -slope : slope;
}

template <class T>
struct LossArgs {
    const T* logits;
    const uint8_t* labels;
    T* dlogits;
    int64_t pitch, dlogits_pitch, image_pixels;  // pixels a label
    int classes, ignore_index;
    Factors factors;
    bool accumulate;
    float gamma;                // of labels in bits
    float* partials;            // [N][chunks][5][C]
    const float* coefficients;  // [N][C][2], then one, of labels in bits [C]: see make_coefficients
    Columns shape;              // of an image; in pixels of W classes, or "pixels" of W labels where single
};

// The labels of the W logits of a group: one for all of them, or one for each where single.
template <int W, bool Single>
struct Labels {
    Vec<uint8_t, Single ? W : 1> v;

    __device__ __forceinline__ void load(const uint8_t* labels, int64_t pixel) {
        v = load_vector < Single ? W : 1 > (labels + pixel * (Single ? W : 1));
    }
    __device__ __forceinline__ int label(int i) const { return v.v[Single ? i : 0]; }
};

template <class T, int W, bool Single, bool Bits>
struct LossInputs {
    Vec<T, W> logits, old;
    Labels<W, Single> labels;

    __device__ __forceinline__ void load(const LossArgs<T>& a, int64_t pixel, int64_t channel) {
        const int64_t image = blockIdx.z;
        logits = load_vector<W>(a.logits + (image * a.shape.pixels + pixel) * a.pitch + channel);
        labels.load(a.labels + image * a.image_pixels, pixel);
    }
    __device__ __forceinline__ bool target(const LossArgs<T>& a, int64_t channel, int i) const {
        if (Bits) return labels.label(i) >> (channel + i) & 1;
        return a.classes == 1 ? labels.label(i) != 0 : labels.label(i) == channel + i;
    }
    __device__ __forceinline__ bool counted(const LossArgs<T>& a, int i) const {
        return labels.label(i) != a.ignore_index;
    }
};

// ---- kernels: forward ----

template <class T, int W, bool Single, bool Bits, bool Plain>  // Plain: no smoothing and no weights; not with Bits
__global__ void __launch_bounds__(block_threads) loss_sums(LossArgs<T> a) {
    constexpr int lanes = Single ? 1 : W;  // sums a thread keeps
    __shared__ float shared[block_threads * bce_dice_sums * lanes];
    const ColumnPlace at = place_in<W>(a.shape);
    const int columns = a.shape.lanes * lanes;
    ElementSums sums[lanes];
    float count = 0;
    if (at.active) {
        int pending = 0;
        for_each_pixel<2>(
            at, a.shape.rows,
            [&](int64_t pixel) {
                LossInputs<T, W, Single, Bits> l;
                l.load(a, pixel, at.channel);
                return l;
            },
            [&](int64_t, const LossInputs<T, W, Single, Bits>& l) {
#pragma unroll
                for (int i = 0; i < W; ++i) {
                    if (!l.counted(a, i)) continue;
                    if (Single || i == 0) count += 1;
                    const float z = device_float(l.logits.v[i]);
                    if (Bits && a.gamma > 0)
                        sums[i % lanes].add_focal(a.gamma, z, l.target(a, at.channel, i));
                    else
                        sums[i % lanes].template add<Plain>(a.factors, z, l.target(a, at.channel, i));
                }
                if (++pending < LogSum::max_factors * lanes / W) return;
                pending = 0;
#pragma unroll
                for (int i = 0; i < lanes; ++i) sums[i].logs.flush();
            });
    }
    if (at.in_block)
#pragma unroll
        for (int i = 0; i < lanes; ++i) {
            float* const to = shared + at.row * bce_dice_sums * columns + at.lane * lanes + i;
            sums[i].logs.flush();
            to[sum_bce * columns] = sums[i].linear + sums[i].logs.sum;
            to[sum_count * columns] = count;
            to[sum_p_t * columns] = sums[i].p_t;
            to[sum_p * columns] = sums[i].p;
            to[sum_t * columns] = sums[i].t;
        }
    sum_columns(shared, a.shape.rows, bce_dice_sums * columns, [&](int column, float sum) {
        const int kind = column / columns;
        const int64_t c = int64_t(blockIdx.y) * columns + column - kind * columns;
        const int64_t chunk = int64_t(blockIdx.z) * gridDim.x + blockIdx.x;
        if (c < a.classes) a.partials[(chunk * bce_dice_sums + kind) * a.classes + c] = sum;
    });
}

struct FinishArgs {
    const float* partials;
    float* sums;
    int64_t chunks;
    int classes;
};

// Block (x, y): eight of image y's 5 * C sums.
__global__ void __launch_bounds__(finish_threads) finish_sums(FinishArgs a) {
    const int columns = bce_dice_sums * a.classes, column = int(blockIdx.x) * finish_columns + finish_place().column;
    const float* const partials = a.partials + int64_t(blockIdx.y) * a.chunks * columns + column;
    sum_chunks<1>(
        column < columns ? a.chunks : 0, [&](int64_t chunk, double* sum) { sum[0] += partials[chunk * columns]; },
        [&](const double* sum) {
            if (column >= columns) return;
            const int kind = column / a.classes, c = column - kind * a.classes;
            a.sums[(int64_t(blockIdx.y) * a.classes + c) * bce_dice_sums + kind] = float(sum[0]);
        });
}

struct GroupArgs {
    const float* sums;  // [N][C][5]
    const float* grad_output;
    float *loss, *coefficients;
    int64_t images, classes;
    BceDiceOptions options;

    __device__ __forceinline__ double sum(int64_t image, int64_t c, int kind) const {
        return sums[(image * classes + c) * bce_dice_sums + kind];
    }
};

struct Totals {
    double bce, count, weighted, p_t, p, t;  // weighted: the count, by the channels' weights
};

// By one block. Every thread gets the totals.
__device__ __forceinline__ Totals total_of(const GroupArgs& a, double* shared) {
    Totals mine{0, 0, 0, 0, 0, 0};
    for (int64_t i = threadIdx.x; i < a.images * a.classes; i += block_threads) {
        const float* const s = a.sums + i * bce_dice_sums;
        const double weight = a.options.weight(i % a.classes);
        mine.bce += weight * s[sum_bce], mine.weighted += weight * s[sum_count];
        mine.count += s[sum_count], mine.p_t += s[sum_p_t], mine.p += s[sum_p], mine.t += s[sum_t];
    }
    return {block_sum<block_threads>(shared, mine.bce),      block_sum<block_threads>(shared, mine.count),
            block_sum<block_threads>(shared, mine.weighted), block_sum<block_threads>(shared, mine.p_t),
            block_sum<block_threads>(shared, mine.p),        block_sum<block_threads>(shared, mine.t)};
}

struct Group {
    double numerator, denominator;
    __device__ __forceinline__ double dice() const { return denominator > 0 ? numerator / denominator : 1; }
};

// The Dice group of (image, class).
__device__ __forceinline__ Group group_of(const GroupArgs& a, const Totals& all, int64_t image, int64_t c) {
    double p_t = all.p_t, p = all.p, t = all.t;
    if (a.options.groups != DiceGroups::all) {
        const bool sample = a.options.groups == DiceGroups::sample;
        const int64_t end = sample ? image + 1 : a.images;
        p_t = p = t = 0;
        for (int64_t n = sample ? image : 0; n < end; ++n) {
            p_t += a.sum(n, c, sum_p_t);
            p += a.sum(n, c, sum_p), t += a.sum(n, c, sum_t);
        }
    }
    return {2 * p_t + a.options.smooth, a.options.denominator(p_t, p, t)};
}

__global__ void __launch_bounds__(block_threads) finish_loss(GroupArgs a) {
    __shared__ double shared[block_threads];
    const Totals all = total_of(a, shared);
    const int64_t groups = group_count(a.options.groups, a.images, a.classes);
    double mine = 0, mine_region = 0;
    for (int64_t g = threadIdx.x; g < groups; g += block_threads) {
        const double index = group_of(a, all, g / a.classes, g % a.classes).dice();
        mine += index;
        if (a.options.exponent != 1) mine_region += pow(max(1 - index, 0.0), a.options.exponent);
    }
    const double dice = block_sum<block_threads>(shared, mine) / double(groups);
    const double regions = block_sum<block_threads>(shared, mine_region) / double(groups);
    if (threadIdx.x != 0) return;
    const double divisor = divisor_of(a.options, all.weighted);
    const double bce = all.weighted > 0 ? all.bce / divisor : 0;
    const double region = a.options.exponent == 1 ? 1 - dice : regions;
    a.loss[0] = float(a.options.bce_weight * bce + a.options.dice_weight * region);
    a.loss[1] = float(bce);
    a.loss[2] = float(dice);
    a.loss[3] = float(all.count);
}

// ---- kernels: backward ----

// d loss / d z = bce * (p - t) + (t ? inside : outside) * p * (1 - p), where for a class of an image
//   bce     = grad * bce_weight / count, of labels in bits times the class's weight
//   share   = grad * dice_weight / groups * exponent * (1 - index)^(exponent - 1) / denominator, index = numerator / denominator
//   outside = share * 2 alpha * index             (of Dice alpha = beta = 1/2, exponent = 1)
//   inside  = share * ((2 - 2 beta) * index - 2)
__global__ void __launch_bounds__(block_threads) make_coefficients(GroupArgs a) {
    __shared__ double shared[block_threads];
    const Totals all = total_of(a, shared);
    const BceDiceOptions& o = a.options;
    const double grad = *a.grad_output, groups = double(group_count(o.groups, a.images, a.classes));
    const double share = grad * o.dice_weight / groups;
    const int64_t entries = a.images * a.classes;
    for (int64_t i = threadIdx.x; i < entries; i += block_threads) {
        const Group g = group_of(a, all, i / a.classes, i % a.classes);
        const double index = g.dice();
        double per_p = g.denominator > 0 ? share / g.denominator : 0;
        if (o.exponent != 1) per_p *= o.exponent * pow(max(1 - index, 1e-6), o.exponent - 1);
        a.coefficients[2 * i] = float(2 * o.alpha * per_p * index);
        a.coefficients[2 * i + 1] = float((2 - 2 * o.beta) * per_p * index - 2 * per_p);
    }
    const double divisor = divisor_of(o, all.weighted);
    const int bce_entries = o.labels == LabelForm::bits ? int(a.classes) : 1;
    if (int(threadIdx.x) < bce_entries)
        a.coefficients[2 * entries + threadIdx.x] =
            all.weighted > 0 ? float(grad * o.bce_weight * o.weight(threadIdx.x) / divisor) : 0;
}

template <class T, int W, bool Single, bool Bits, bool Plain>
__global__ void __launch_bounds__(block_threads) loss_gradient(LossArgs<T> a) {
    constexpr int lanes = Single ? 1 : W;
    const ColumnPlace at = place_in<W>(a.shape);
    if (!at.active) return;
    const int64_t image = blockIdx.z;
    const float* const mine = a.coefficients + (image * a.classes + (Single ? 0 : at.channel)) * 2;
    const float* const bces = a.coefficients + int64_t(gridDim.z) * a.classes * 2 + (Bits ? at.channel : 0);
    Floats<lanes> outside, inside;
    Floats<Bits ? lanes : 1> bce;
#pragma unroll
    for (int i = 0; i < (Bits ? lanes : 1); ++i) bce.v[i] = bces[i];
#pragma unroll
    for (int i = 0; i < lanes; ++i) outside.v[i] = mine[2 * i], inside.v[i] = mine[2 * i + 1];
    T* const dlogits = a.dlogits + image * a.shape.pixels * a.dlogits_pitch + at.channel;
    for_each_pixel<2>(
        at, a.shape.rows,
        [&](int64_t pixel) {
            LossInputs<T, W, Single, Bits> l;
            l.load(a, pixel, at.channel);
            if (a.accumulate) l.old = load_vector<W>(dlogits + pixel * a.dlogits_pitch);
            return l;
        },
        [&](int64_t pixel, const LossInputs<T, W, Single, Bits>& l) {
            Floats<W> dz;
#pragma unroll
            for (int i = 0; i < W; ++i) {
                const float z = device_float(l.logits.v[i]);
                const Sigmoid s(z);
                const bool t = l.target(a, at.channel, i);
                const float dice = (t ? inside.v[i % lanes] : outside.v[i % lanes]) * (s.p * s.q);
                float slope = t ? -s.q : s.p;
                if constexpr (!Plain) slope = a.factors.negative(t) * s.p - a.factors.positive(t) * s.q;
                if (Bits && a.gamma > 0) slope = focal_slope(a.gamma, s, z, t);
                dz.v[i] = l.counted(a, i) ? fmaf(bce.v[Bits ? i : 0], slope, dice) : 0.0f;
                if (a.accumulate) dz.v[i] += device_float(l.old.v[i]);
            }
            store_floats(dlogits + pixel * a.dlogits_pitch, dz);
        });
}

// ---- launchers ----

// Which vectors: of classes, or of pixels where there is one class and nothing between pixels.
struct Plan {
    bool single = false, vectors = false;

    Plan(const View& logits, const View* dlogits, const uint8_t* labels, LabelForm form, int wide) {
        const auto dense_pixels = [&](const View& v) { return v.dense() && aligned(v.data, wide * size_of(v.dtype)); };
        single = form == LabelForm::ids && logits.c == 1 && logits.h * logits.w % wide == 0 && aligned(labels, wide) &&
                 dense_pixels(logits) && (!dlogits || dense_pixels(*dlogits));
        vectors = single || (groups_fit(logits, wide) && (!dlogits || groups_fit(*dlogits, wide)));
    }
};

// f(width, single, bits) with the plan as constants.
template <int Wide, class F>
void with_plan(const Plan& plan, LabelForm form, F f) {
    if (plan.single) return f(std::integral_constant<int, Wide>(), std::true_type(), std::false_type());
    with_width<Wide>(plan.vectors, [&](auto width) {
        if (form == LabelForm::bits)
            f(width, std::false_type(), std::true_type());
        else
            f(width, std::false_type(), std::false_type());
    });
}

const char* variant(bool single, bool bits) { return single ? "single_" : bits ? "bits_" : ""; }

template <class T>
LossArgs<T> loss_args(const View& logits, const uint8_t* labels, const BceDiceOptions& options, int width, bool single,
                      bool reduces) {
    LossArgs<T> k{};
    k.logits = logits.as<T>(), k.labels = labels;
    k.image_pixels = logits.h * logits.w;
    k.pitch = single ? width : logits.pitch;
    k.classes = int(logits.c), k.ignore_index = options.ignore_index;
    k.factors = Factors(BceFactors(options)), k.gamma = float(options.gamma);
    const int64_t pixels = single ? k.image_pixels / width : k.image_pixels, channels = single ? width : logits.c;
    const int64_t blocks = std::max<int64_t>(1, 2048 / logits.n);
    k.shape = reduces ? Columns(pixels, channels, width, blocks, 8, int64_t(1) << 40)
                      : Columns(pixels, channels, width, blocks, 2, 16);
    return k;
}

GroupArgs group_args(const View& logits, const void* sums, const BceDiceOptions& options) {
    GroupArgs g{};
    g.sums = static_cast<const float*>(sums);
    g.images = logits.n, g.classes = logits.c, g.options = options;
    return g;
}

}  // namespace

void bce_dice_forward(Queue& q, const BceDiceForwardArgs& a) {
    check(a);
    require(a.logits.n <= max_images, "bce_dice: at most 65535 images at once");
    dispatch_gpu("bce_dice_forward", a.logits.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide =
            8 / int(sizeof(T));  // 8 bytes: arithmetic weighs more than memory here, and sums fill registers
        with_plan<wide>(Plan(a.logits, nullptr, a.labels, a.options.labels, wide), a.options.labels,
                        [&](auto width, auto single, auto bits) {
                            constexpr int W = decltype(width)::value;
                            constexpr bool S = decltype(single)::value, B = decltype(bits)::value;
                            ran_width("bce_dice_forward", W, variant(S, B));
                            LossArgs<T> k = loss_args<T>(a.logits, a.labels, a.options, W, S, true);
                            const int64_t columns = bce_dice_sums * a.logits.c;
                            k.partials = q.scratch<float>(size_t(a.logits.n * k.shape.chunks * columns));
                            auto* kernel = loss_sums<T, W, S, B, false>;
                            if constexpr (!B) {
                                if (k.factors.plain) kernel = loss_sums<T, W, S, B, true>;
                            }
                            launch(kernel, k.shape.grid(a.logits.n), dim3(k.shape.threads), 0, q.stream(), k);
                            launch(finish_sums, dim3(unsigned(ceil_div(columns, finish_columns)), unsigned(a.logits.n)),
                                   dim3(finish_threads), 0, q.stream(),
                                   FinishArgs{k.partials, static_cast<float*>(a.sums), k.shape.chunks, k.classes});
                        });
    });
    GroupArgs g = group_args(a.logits, a.sums, a.options);
    g.loss = static_cast<float*>(a.loss);
    launch(finish_loss, dim3(1), dim3(block_threads), 0, q.stream(), g);
}

void bce_dice_backward(Queue& q, const BceDiceBackwardArgs& a) {
    const View& dlogits = a.dlogits.view;
    check(a);
    require(a.logits.n <= max_images, "bce_dice: at most 65535 images at once");
    GroupArgs g = group_args(a.logits, a.sums, a.options);
    g.grad_output = static_cast<const float*>(a.grad_output);
    g.coefficients =
        q.scratch<float>(size_t(a.logits.n * a.logits.c * 2 + (a.options.labels == LabelForm::bits ? a.logits.c : 1)));
    launch(make_coefficients, dim3(1), dim3(block_threads), 0, q.stream(), g);
    dispatch_gpu("bce_dice_backward", dlogits.dtype, [&](auto zero) {
        using T = decltype(zero);
        constexpr int wide = vector_width<T>;
        with_plan<wide>(Plan(a.logits, &dlogits, a.labels, a.options.labels, wide), a.options.labels,
                        [&](auto width, auto single, auto bits) {
                            constexpr int W = decltype(width)::value;
                            constexpr bool S = decltype(single)::value, B = decltype(bits)::value;
                            ran_width("bce_dice_backward", W, variant(S, B));
                            LossArgs<T> k = loss_args<T>(a.logits, a.labels, a.options, W, S, false);
                            k.dlogits = dlogits.as<T>(), k.dlogits_pitch = S ? W : dlogits.pitch,
                            k.accumulate = a.dlogits.accumulate;
                            k.coefficients = g.coefficients;
                            auto* kernel = loss_gradient<T, W, S, B, false>;
                            if constexpr (!B) {
                                if (k.factors.plain) kernel = loss_gradient<T, W, S, B, true>;
                            }
                            launch(kernel, k.shape.grid(a.logits.n), dim3(k.shape.threads), 0, q.stream(), k);
                        });
    });
}

}  // namespace atrous::kernels::cuda
