// One sample on its way into a batch.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/philox.h"
#include "data/loader.h"
#include "data/prepare.h"

namespace atrous::data {

bool has_bytes(const Image& image) { return !image.is_16bit() && !image.is_float(); }

Fill fill_of(const Image& image, const Normalization& normalization) {
    const ValueRange bounds = normalization.range.of(image);
    Fill fill{};
    for (size_t ch = 0; ch < fill.size(); ++ch) {
        fill[ch] = bounds.low + normalization.mean[ch % 3] * (bounds.high - bounds.low);
        if (image.is_float()) continue;
        fill[ch] = std::clamp(std::round(fill[ch]), 0.f, image.is_16bit() ? 65535.f : 255.f);
    }
    return fill;
}

static constexpr Fill ignored_fill{ignored_class};

void pad_around(Example& sample, ImageSize size, const Normalization& normalization) {
    const int64_t h = std::max(size.height, sample.image.h), w = std::max(size.width, sample.image.w);
    if (h == sample.image.h && w == sample.image.w) return;
    const int64_t top = (h - sample.image.h) / 2, left = (w - sample.image.w) / 2;
    sample.image = pad(sample.image, top, left, h, w, fill_of(sample.image, normalization));
    if (sample.labels.h) sample.labels = pad(sample.labels, top, left, h, w, ignored_fill);
}

namespace {

struct Place {
    int64_t y, x;
};

// Of each class, from those of each label in bits.
std::array<int64_t, 256> counts_of_bits(const std::array<int64_t, 256>& of_labels) {
    std::array<int64_t, 256> counts{};
    for (size_t label = 0; label < of_labels.size(); ++label)
        for (size_t c = 0; c < size_t(max_bit_classes); ++c)
            if (label >> c & 1) counts[c] += of_labels[label];
    return counts;
}

// The share that the largest class has of the counted pixels of an h x w part of the labels; 1 where none is counted.
// A pixel of several classes is one of each.
double largest_share(const Image& labels, LabelForm form, Place at, int64_t h, int64_t w) {
    std::array<int64_t, 256> counts{};
    for (int64_t y = at.y; y < at.y + h; ++y)
        for (int64_t x = at.x; x < at.x + w; ++x) ++counts[labels.u8[size_t(y * labels.w + x)]];
    counts[ignored_class] = 0;
    const int64_t counted = std::accumulate(counts.begin(), counts.end(), int64_t{0});
    if (form == LabelForm::bits) counts = counts_of_bits(counts);
    return counted ? double(*std::max_element(counts.begin(), counts.end())) / double(counted) : 1;
}

// Of an h x w crop, drawn again while one class has more than `most` of it.
Place draw_place(const Example& sample, int64_t h, int64_t w, double most, Random& random) {
    const int64_t rows = sample.image.h - h + 1, columns = sample.image.w - w + 1;
    const auto draw = [&] {
        const auto y = int64_t(random.below(uint64_t(rows)));
        return Place{y, int64_t(random.below(uint64_t(columns)))};
    };
    constexpr int redraws = 10;
    Place place = draw();
    if (most >= 1 || sample.labels.h == 0 || (rows == 1 && columns == 1)) return place;
    for (int i = 0; i < redraws && largest_share(sample.labels, sample.form, place, h, w) > most; ++i) place = draw();
    return place;
}

// Takes a part of a sample that is as large at least.
void crop_both(Example& sample, Place at, int64_t h, int64_t w) {
    if (h == sample.image.h && w == sample.image.w) return;
    both(sample, [&](const Image& image) { return crop(image, at.y, at.x, h, w); });
}

}  // namespace

Example decode_image(const Sample& sample, const LoaderOptions& options) {
    Example out;
    out.image = load_image(sample);
    if (options.channels > 0)
        out.image =
            as_net_takes_it(std::move(out.image), options.channels, options.normalization.range, sample.image_path);
    out.range = options.normalization.range;
    out.fill = fill_of(out.image, options.normalization);
    out.source_h = out.image.h;
    out.source_w = out.image.w;
    return out;
}

void decode_labels(Example& out, const Sample& sample, const MaskRule& rule) {
    out.form = rule.form();
    if (!sample.mask_path.empty())
        out.labels = apply_mask_rule(rule, load_mask(sample, out.source_h, out.source_w), sample.mask_path);
}

void resize_for_net(Example& out, const LoaderOptions& options) {
    if (options.fit) {
        const ImageSize size = options.fit({out.source_h, out.source_w}).size;
        resize(out, size.height, size.width);
    } else if (options.resize_h > 0) {
        resize(out, options.resize_h, options.resize_w);
    }
}

Example decode_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options) {
    Example out = decode_image(sample, options);
    decode_labels(out, sample, rule);
    resize_for_net(out, options);
    return out;
}

Placement placement_of(const LoaderOptions& options, ImageSize image) {
    if (!options.fit) return {0, 0, options.resize_h > 0 ? ImageSize(options.resize_h, options.resize_w) : image};
    const auto [size, padded] = options.fit(image);
    if (padded.none()) return {0, 0, size};
    return {(padded.height - size.height) / 2, (padded.width - size.width) / 2, size};
}

void finish_plain(Example& sample, const LoaderOptions& options) {
    if (options.fit) pad_around(sample, options.fit({sample.source_h, sample.source_w}).padded, options.normalization);
    if (options.crop_h == 0) return;
    pad_around(sample, {options.crop_h, options.crop_w}, options.normalization);
    const Place middle{(sample.image.h - options.crop_h) / 2, (sample.image.w - options.crop_w) / 2};
    crop_both(sample, middle, options.crop_h, options.crop_w);
}

Random random_of(const LoaderOptions& options, int64_t epoch, int64_t index, uint64_t stream) {
    return Random(options.seed, uint64_t(epoch), uint64_t(index), stream);
}

namespace {

// A sample on its way through the augmentations, and which draws are its own.
struct Augmented {
    const LoaderOptions& options;
    int64_t epoch, index;
    uint64_t streams = 0;  // added to each stream; 0: the sample itself, else one that is drawn for it

    // f(augmentation, random) for the active ones of a stage.
    template <class F>
    void each(Augmentation::Stage stage, F f) const {
        for (const Augmentation* augmentation : options.augmentations.all()) {
            if (augmentation->stage != stage || !augmentation->active()) continue;
            Random random = this->random(augmentation->stream);
            f(*augmentation, random);
        }
    }
    void crop(Example& sample, int64_t h, int64_t w) const {
        each(Augmentation::Stage::before_crop, [&](const Augmentation& a, Random& random) { a.apply(sample, random); });
        Random place = random(crop_stream);
        pad_around(sample, {h, w}, options.normalization);
        crop_both(sample, draw_place(sample, h, w, options.augmentations.crop_class_share, place), h, w);
    }

 private:
    Random random(uint64_t stream) const { return random_of(options, epoch, index, streams + stream); }
};

// What a mixing augmentation draws for a sample. Streams of the draws lie apart by its own stream and their number.
class Drawn : public OtherSamples {
 public:
    Drawn(const MixedSamples& mixed, const Augmented& of, const Augmentation& by, const Image& size)
        : mixed_(mixed), of_(of), streams_(by.stream << 32), h_(size.h), w_(size.w) {}
    int64_t count() const override { return std::max<int64_t>(0, mixed_.count - 1); }
    Example draw(Random& random) override {
        const auto drawn = int64_t(random.below(uint64_t(count())));
        Example other = mixed_.decoded(drawn + (drawn >= of_.index));
        streams_ += uint64_t{1} << 24;
        Augmented{of_.options, of_.epoch, of_.index, streams_}.crop(other, h_, w_);
        return other;
    }

 private:
    const MixedSamples& mixed_;
    const Augmented& of_;
    uint64_t streams_;
    int64_t h_, w_;
};

}  // namespace

void finish_augmented(Example& sample, const LoaderOptions& options, int64_t epoch, int64_t index,
                      const MixedSamples& mixed) {
    using Stage = Augmentation::Stage;
    const bool sized = options.crop_h > 0;  // else the crop is as large as the image was
    const int64_t h = sized ? options.crop_h : sample.image.h, w = sized ? options.crop_w : sample.image.w;
    const Augmented augmented{options, epoch, index};
    augmented.crop(sample, h, w);
    augmented.each(Stage::mixing, [&](const Augmentation& a, Random& random) {
        Drawn others(mixed, augmented, a, sample.image);
        a.mix(sample, others, random);
    });
    augmented.each(Stage::after_crop, [&](const Augmentation& a, Random& random) { a.apply(sample, random); });
}

Example load_sample(const Sample& sample, const MaskRule& rule, const LoaderOptions& options) {
    Example prepared = decode_sample(sample, rule, options);
    finish_plain(prepared, options);
    return prepared;
}

Example load_sample(const std::vector<Sample>& samples, const MaskRule& rule, const LoaderOptions& options,
                    int64_t epoch, int64_t index) {
    const MixedSamples all{int64_t(samples.size()),
                           [&](int64_t i) { return decode_sample(samples.at(size_t(i)), rule, options); }};
    Example prepared = all.decoded(index);
    finish_augmented(prepared, options, epoch, index, all);
    return prepared;
}

void set_shape(HostBatch& batch, const LoaderOptions& options, int64_t n, int64_t h, int64_t w) {
    const auto round_up = [&](int64_t v) {
        return (v + options.size_multiple - 1) / options.size_multiple * options.size_multiple;
    };
    batch.n = n;
    batch.h = round_up(h);
    batch.w = round_up(w);
    batch.c = options.channels;
}

// Of the largest image.
static void set_shape(const std::vector<Example>& samples, const LoaderOptions& options, HostBatch& batch) {
    int64_t h = 0, w = 0;
    for (const auto& sample : samples) {
        h = std::max(h, sample.image.h);
        w = std::max(w, sample.image.w);
    }
    set_shape(batch, options, int64_t(samples.size()), h, w);
}

// Chooses the form of the images and makes room for them.
static void set_form(const std::vector<Example>& samples, const LoaderOptions& options, HostBatch& batch) {
    const bool bytes = options.bytes &&
                       std::all_of(samples.begin(), samples.end(), [](const Example& s) { return has_bytes(s.image); });
    const auto values = size_t(batch.n * batch.h * batch.w * batch.c);
    batch.form = bytes ? ImageForm::bytes : ImageForm::floats;
    batch.bytes.resize(bytes ? values : 0);
    batch.images.resize(bytes ? 0 : values);
    batch.levels.clear(), batch.samples.clear(), batch.filters.clear();
    if (bytes)
        batch.levels = normalized_levels(256, size_t(batch.kinds()), options.normalization.range.of(samples[0].image),
                                         options.normalization);
}

void collate(const std::vector<Example>& samples, const LoaderOptions& options, HostBatch& batch) {
    require(!samples.empty(), "collate: at least one sample");
    set_shape(samples, options, batch);
    set_form(samples, options, batch);
    const bool labelled = samples[0].labels.h > 0;
    const int64_t pixels = batch.h * batch.w, values = pixels * batch.c;
    batch.labels.resize(labelled ? size_t(batch.n * pixels) : 0);
    for (int64_t i = 0; i < batch.n; ++i) {
        const Example& sample = samples[size_t(i)];
        const bool fits = sample.image.h == batch.h && sample.image.w == batch.w;
        const Image padded =
            fits ? Image{} : pad(sample.image, 0, 0, batch.h, batch.w, fill_of(sample.image, options.normalization));
        const Image& image = fits ? sample.image : padded;
        if (batch.form == ImageForm::bytes)
            std::copy_n(image.u8.data(), values, batch.bytes.data() + i * values);
        else
            normalize(image, options.normalization, batch.images.data() + i * values, batch.w * batch.c);
        if (!labelled) continue;
        const Image padded_labels = fits ? Image{} : pad(sample.labels, 0, 0, batch.h, batch.w, ignored_fill);
        std::copy_n((fits ? sample.labels : padded_labels).u8.data(), pixels, batch.labels.data() + i * pixels);
    }
}

}  // namespace atrous::data
