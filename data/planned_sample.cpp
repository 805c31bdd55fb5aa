// Samples that a device augments: their plans, and batches of them.
#include <fmt/core.h>

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "base/philox.h"
#include "data/mask.h"
#include "data/prepare.h"

namespace atrous::data {

bool can_be_planned(const Example& source, const LoaderOptions& options) {
    return options.plans && options.augment && has_bytes(source.image) && source.labels.h > 0 &&
           without_plan(options.augmentations).empty();
}

// As crop_both: what is smaller lies in the middle of the canvas.
static void plan_crop(SamplePlan& plan, int64_t h, int64_t w, Random& random) {
    const int64_t padded_h = std::max(h, plan.h()), padded_w = std::max(w, plan.w());
    const auto y = int64_t(random.below(uint64_t(padded_h - h + 1)));
    const auto x = int64_t(random.below(uint64_t(padded_w - w + 1)));
    plan.crop(y - (padded_h - plan.h()) / 2, x - (padded_w - plan.w()) / 2, h, w);
}

static void add_plan(const Augmentation& augmentation, SamplePlan& plan, Random& random) {
    try {
        augmentation.plan(plan, random);
    } catch (const Error& error) {
        throw Error(
            fmt::format("`{}` has no plan that a device can carry out ({})", augmentation.name(), error.what()));
    }
}

static SamplePlan planned(const LoaderOptions& options, int64_t source_h, int64_t source_w, int channels, int64_t epoch,
                          int64_t index) {
    SamplePlan plan(source_h, source_w, channels);
    const auto apply = [&](Augmentation::Stage stage) {
        for (const Augmentation* augmentation : options.augmentations.all()) {
            if (augmentation->stage != stage || !augmentation->active()) continue;
            Random random = random_of(options, epoch, index, augmentation->stream);
            add_plan(*augmentation, plan, random);
        }
    };
    apply(Augmentation::Stage::before_crop);
    Random place = random_of(options, epoch, index, crop_stream);
    const bool sized = options.crop_h > 0;
    plan_crop(plan, sized ? options.crop_h : source_h, sized ? options.crop_w : source_w, place);
    apply(Augmentation::Stage::after_crop);
    return plan;
}

SamplePlan plan_augmented(const Example& source, const LoaderOptions& options, int64_t epoch, int64_t index) {
    return planned(options, source.image.h, source.image.w, source.image.c, epoch, index);
}

// ---- batches ----

PlanFigures figures_of_plans(const LoaderOptions& options, ImageSize image) {
    constexpr int64_t least = 64;  // so that there is always something to copy
    PlanFigures figures;
    try {
        for (int64_t i = 0; i < 64; ++i) {
            const SamplePlan plan = planned(options, image.height, image.width, options.channels, 0, i);
            figures.filters = std::max(figures.filters, int64_t(plan.filters().size()));
            figures.reads = std::max(figures.reads, plan.reads());
        }
    } catch (const Error& error) {
        figures.failure = error.what();
    }
    figures.filters = std::max(least, figures.filters + figures.filters / 8);
    return figures;
}

// A device records a step for each size of its inputs: a run's batches of n samples have one, that of their room.
static void make_room(const std::vector<PlannedSample>& samples, const SampleRoom& room, HostBatch& batch) {
    int64_t pixels = 0, filters = 0;
    for (const PlannedSample& s : samples) {
        pixels += s.source->image.h * s.source->image.w;
        filters += int64_t(s.plan.filters().size());
    }
    const auto n = int64_t(samples.size());
    batch.source_pixels = std::max(pixels, n * room.pixels);
    batch.filter_values = std::max<int64_t>(1, n * room.filters);
    if (filters > batch.filter_values) batch.filter_values = int64_t(std::bit_ceil(uint64_t(filters)));
}

static void add_sample(const PlannedSample& planned, const LoaderOptions& options, HostBatch& batch) {
    const Image& image = planned.source->image;
    const Normalization& how = options.normalization;
    batch.samples.push_back(
        planned.plan.sample(fill_of(image, how), how.range.of(image), int64_t(batch.filters.size())));
    batch.samples.back().image = int64_t(batch.bytes.size());
    batch.samples.back().labels = int64_t(batch.labels.size());
    batch.bytes.insert(batch.bytes.end(), image.u8.begin(), image.u8.end());
    const std::vector<uint8_t>& labels = planned.source->labels.u8;
    batch.labels.insert(batch.labels.end(), labels.begin(), labels.end());
    batch.filters.insert(batch.filters.end(), planned.plan.filters().begin(), planned.plan.filters().end());
}

void collate(const std::vector<PlannedSample>& samples, const LoaderOptions& options, HostBatch& batch) {
    int64_t h = 0, w = 0;
    for (const PlannedSample& s : samples) h = std::max(h, s.plan.h()), w = std::max(w, s.plan.w());
    set_shape(batch, options, int64_t(samples.size()), h, w);
    batch.form = ImageForm::samples;
    batch.images.clear(), batch.bytes.clear(), batch.labels.clear(), batch.filters.clear(), batch.samples.clear();
    make_room(samples, options.room, batch);
    batch.bytes.reserve(size_t(batch.source_pixels * batch.c));
    batch.labels.reserve(size_t(batch.source_pixels));
    for (const PlannedSample& s : samples) add_sample(s, options, batch);
    batch.bytes.resize(size_t(batch.source_pixels * batch.c));
    batch.labels.resize(size_t(batch.source_pixels), uint8_t(ignored_class));
    batch.filters.resize(size_t(batch.filter_values));
    batch.levels = normalized_levels(256, size_t(batch.kinds()),
                                     options.normalization.range.of(samples[0].source->image), options.normalization);
}

}  // namespace atrous::data
