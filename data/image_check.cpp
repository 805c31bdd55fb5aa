#include "data/image_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "data/transform.h"

namespace atrous::data {

FoundImage look_at(const Image& image) {
    FoundImage found{.h = image.h,
                     .w = image.w,
                     .c = image.c,
                     .bands = image.bands,
                     .deep = image.is_16bit(),
                     .floats = image.is_float(),
                     .paged = image.pages > 1};
    dispatch_pixels(image, [&](auto zero) {
        const auto& values = image.pixels<decltype(zero)>();
        const auto [low, high] = std::minmax_element(values.begin(), values.end());
        found.low = float(*low);
        found.high = float(*high);
    });
    return found;
}

// Of images whose channels are files; a single one is not repeated as gray is.
static int channels_of_bands(const std::vector<Sample>& samples, int asked) {
    const int bands = int(samples[0].bands.size());
    if (asked == 0 || asked == bands) return bands;
    throw DataError(
        fmt::format("{}: the image is of {} band{}, which are its channels, but the net takes {}; name as many "
                    "`bands`, or leave `channels` out",
                    samples[0].image_path, bands, bands == 1 ? "" : "s", asked));
}

int channels_of(const std::vector<Sample>& samples, const std::vector<FoundImage>& images, int asked) {
    if (!samples[0].bands.empty()) return channels_of_bands(samples, asked);
    const auto is_colour = [](const FoundImage& i) { return i.c == 1 || i.c == 3 || (i.c == 4 && !i.bands); };
    const auto becomes = [](const FoundImage& i, int channels) {
        return can_become(Image{.h = 0, .w = 0, .c = i.c, .u8 = {}, .u16 = {}}, channels);
    };
    int channels = asked;
    if (asked == 0) channels = std::all_of(images.begin(), images.end(), is_colour) ? 3 : images[0].c;
    for (size_t i = 0; i < images.size(); ++i) {
        if (asked == 0 && channels != 3 ? images[i].c == channels : becomes(images[i], channels)) continue;
        throw DataError(
            fmt::format("{}: the image has {} channels, expected {}{}; give images of one kind, or `channels`",
                        samples[i].image_path, images[i].c, channels,
                        asked == 0 ? " as " + samples[0].image_path : " (`channels`)"));
    }
    return channels;
}

namespace {

void resolve_range(const RangeRule& rule, DatasetReport& report) {
    report.range = rule.range;
    if (rule.range.given() || (!rule.measured && report.float_images == 0)) return;
    if (!rule.measured && report.float_images < report.samples)
        throw DataError(
            fmt::format("{} of {} images hold floats or integers of more than 16 bits, the others do not; say "
                        "which values stand for 0 and 1: `value-range`, such as 0..{}",
                        report.float_images, report.samples, report.high));
    report.range = {report.low, report.high};
    if (std::max(std::abs(report.low), std::abs(report.high)) > most_in_range)
        throw DataError(fmt::format(
            "the training images' values go from {} to {}: one of these stands for no data; give the range of the "
            "others, such as `value-range` 0..1",
            report.low, report.high));
    if (!report.range.given())
        throw DataError(
            fmt::format("all values of the training images are {}: nothing can be learnt from them; give "
                        "`value-range` if others are to come",
                        report.low));
}

void warn_of_range(const RangeRule& rule, float lowest, float highest, DatasetReport& report) {
    float most = 65535;  // 2^n - 1, for a type of n bits
    while (report.high <= (most - 1) / 2) most = (most - 1) / 2;
    if (rule.automatic() && report.deep_images == report.samples && most <= 16383 && report.high > 0)
        report.warnings.push_back(fmt::format(
            "the images have 16 bits, but no value of those that train is above {}: `value-range` 0..{} would "
            "use the whole range",
            report.high, most));
    if (rule.range.given() && (lowest < rule.range.low || highest > rule.range.high))
        report.warnings.push_back(
            fmt::format("values from {} to {} lie beyond `value-range` {}", lowest, highest, text_of(rule.range)));
}

}  // namespace

void sum_up_images(const std::vector<FoundImage>& images, const RangeRule& rule, int64_t train_count,
                   DatasetReport& report) {
    report.min_h = report.min_w = INT64_MAX;
    const size_t train = train_count <= 0 ? images.size() : size_t(train_count);
    float lowest = images[0].low, highest = images[0].high;
    std::set<std::pair<int64_t, int64_t>> sizes;
    for (size_t i = 0; i < images.size(); ++i) {
        const FoundImage& found = images[i];
        if (sizes.emplace(found.h, found.w).second) report.sizes.push_back({found.h, found.w});
        ImageSize& largest = i < train ? report.train_largest : report.val_largest;
        if (found.h * found.w > largest.height * largest.width) largest = {found.h, found.w};
        report.train_deep_images += i < train && (found.deep || found.floats);
        report.gray_images += found.c == 1;
        report.deep_images += found.deep;
        report.float_images += found.floats;
        report.paged_images += found.paged;
        report.min_h = std::min(report.min_h, found.h);
        report.min_w = std::min(report.min_w, found.w);
        report.max_h = std::max(report.max_h, found.h);
        report.max_w = std::max(report.max_w, found.w);
        lowest = std::min(lowest, found.low);
        highest = std::max(highest, found.high);
        if (i + 1 != train) continue;
        report.low = lowest, report.high = highest;
        report.train_min_h = report.min_h, report.train_min_w = report.min_w;
        report.train_max_h = report.max_h, report.train_max_w = report.max_w;
    }
    resolve_range(rule, report);
    if (report.gray_images > 0 && report.gray_images < report.samples)
        report.warnings.push_back(fmt::format("{} of {} images are gray", report.gray_images, report.samples));
    if (report.paged_images > 0)
        report.warnings.push_back(fmt::format("{} of {} images have several pages, of which the first is read",
                                              report.paged_images, report.samples));
    warn_of_range(rule, lowest, highest, report);
}

}  // namespace atrous::data
