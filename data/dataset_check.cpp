// check_dataset: finds every fault of the files before training starts.
#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "data/check_index.h"
#include "data/codecs.h"
#include "data/dataset.h"
#include "data/few.h"
#include "data/sample_check.h"

namespace atrous::data {

namespace {

void refuse_problems(const std::vector<std::string>& problems, size_t samples) {
    if (problems.empty()) return;
    std::string text = problems[0];
    for (size_t i = 1; i < std::min<size_t>(problems.size(), 3); ++i) text += " | " + problems[i];
    if (problems.size() > 1) text += fmt::format(" ({} of {} samples have problems)", problems.size(), samples);
    throw DataError(text);
}

// `with`: of the part that the sample belongs to, null where not split.
void count_classes(const SampleFacts& found, DatasetReport& report, std::vector<int64_t>* with) {
    std::vector<bool> seen(report.pixels.size(), false);
    for (const auto& v : found.values_under(report.rule)) {
        const int label = report.rule.class_of(v.value);
        (label == ignored_class ? report.ignored_pixels : report.counted_pixels) += v.count;
        for (const int id : report.rule.classes_of(label)) {
            report.pixels[size_t(id)] += v.count;
            seen[size_t(id)] = true;
        }
    }
    for (size_t id = 0; id < seen.size(); ++id) {
        report.samples_with[id] += seen[id];
        if (with) (*with)[id] += seen[id];
    }
}

// "3", or "3 (car)" where classes have names.
std::string text_of_class(size_t id, const DatasetReport& report, const std::vector<std::string>& names) {
    return names.size() == report.pixels.size() ? fmt::format("{} ({})", id, names[id]) : std::to_string(id);
}

// Classes that the samples hold but those of one part do not.
std::vector<std::string> absent_from(const std::vector<int64_t>& part, const DatasetReport& report,
                                     const std::vector<std::string>& names) {
    std::vector<std::string> ids;
    for (size_t id = 0; id < part.size(); ++id)
        if (part[id] == 0 && report.samples_with[id] > 0) ids.push_back(text_of_class(id, report, names));
    return ids;
}

void warn_of_parts(DatasetReport& report, const std::vector<std::string>& names, bool drawn_split) {
    const std::string advice = drawn_split ? "; `split-by-class` keeps classes on both sides" : "";
    if (const auto ids = absent_from(report.train_with, report, names); !ids.empty())
        report.warnings.push_back(
            fmt::format("no training sample holds class {}: it cannot be learnt{}", few_of(ids), advice));
    if (const auto ids = absent_from(report.val_with, report, names); !ids.empty())
        report.warnings.push_back(
            fmt::format("no validation sample holds class {}: its scores will be absent{}", few_of(ids), advice));
}

// "b like a, d like c and 3 more".
std::string text_of_twins(const std::vector<Twin>& twins, const std::vector<Sample>& samples, size_t train_count) {
    std::vector<std::string> pairs;
    for (const Twin& twin : twins)
        pairs.push_back(
            fmt::format("{} and {}", samples[train_count + twin.in_second].name, samples[twin.in_first].name));
    return few_of(pairs);
}

void warn_of_twins(const std::vector<Sample>& samples, const std::vector<SampleFacts>& all, size_t train_count,
                   DatasetReport& report) {
    std::vector<ImagePrint> prints;
    for (const SampleFacts& found : all) prints.push_back(found.print);
    const std::span<const ImagePrint> both(prints);
    std::vector<Twin> twins = twins_between(both.first(train_count), both.subspan(train_count));
    const auto likely = std::stable_partition(twins.begin(), twins.end(), [](const Twin& t) { return t.equal; });
    const std::vector<Twin> alike(likely, twins.end());
    twins.erase(likely, twins.end());
    if (!twins.empty())
        report.warnings.push_back(
            fmt::format("{} of {} validation images are copies of training images, byte for byte: {}; they say nothing "
                        "of new images",
                        twins.size(), samples.size() - train_count, text_of_twins(twins, samples, train_count)));
    if (!alike.empty())
        report.warnings.push_back(fmt::format(
            "{} of {} validation images look like training images: {}; where these are one scene, `group-pattern` "
            "keeps it on one side",
            alike.size(), samples.size() - train_count, text_of_twins(alike, samples, train_count)));
}

// That masks may follow another rule. Of a set that is known by its rule many classes may be absent and much ignored, in a part of
// it above all; only where no two classes are there, its masks may be others.
void doubt_rule(DatasetReport& report, const std::string& absent, bool rule_of_set) {
    const auto present = std::count_if(report.pixels.begin(), report.pixels.end(), [](int64_t n) { return n > 0; });
    const int64_t total = report.ignored_pixels + report.counted_pixels;
    if ((rule_of_set && present > 1) || 10 * report.ignored_pixels <= total) return;
    report.warnings.push_back(
        fmt::format("{:.0f} % of the pixels are ignored while no pixel has class {}; do these masks follow the rule "
                    "'{}'? else give theirs with `mask-values`",
                    100.0 * double(report.ignored_pixels) / double(total), absent, report.rule.describe()));
}

// A set's rule of label ids, as Cityscapes has, names all that count. Ids that are of the classes already have 255 where nothing
// counts, and most of them are label ids too: they would be taken for other classes, and nothing refused.
void look_for_class_ids(const std::vector<Sample>& samples, const std::vector<SampleFacts>& all,
                        const CheckOptions& options, DatasetReport& report) {
    const MaskRule& rule = report.rule;
    const bool of_label_ids = rule.kind == MaskKind::values && rule.otherwise == ignored_class;
    if (!options.rule_of_set || !of_label_ids || rule.classes.count(ignored_class)) return;
    std::vector<std::string> masks;
    for (size_t i = 0; i < samples.size(); ++i)
        for (const RawValue& v : all[i].values)
            if (v.value == ignored_class) masks.push_back(samples[i].mask_path);
    if (!masks.empty())
        report.warnings.push_back(fmt::format(
            "{} of {} masks hold {}, which the set's label ids are not and class ids have where nothing counts; if "
            "these are class ids: `mask-values` ids ({})",
            masks.size(), samples.size(), ignored_class, few_of(masks)));
}

void add_warnings(DatasetReport& report, const CheckOptions& options) {
    const std::vector<std::string>& names = options.class_names;
    std::vector<std::string> ids;
    for (size_t id = 0; id < report.pixels.size(); ++id)
        if (report.pixels[id] == 0) ids.push_back(text_of_class(id, report, names));
    if (const std::string absent = few_of(ids); !absent.empty()) {
        const bool from_1 = report.pixels[0] == 0 && report.rule.form() == LabelForm::ids && !options.rule_of_set;
        report.warnings.push_back(fmt::format("no pixel has class {}{}", absent,
                                              from_1 ? "; do the ids start at 1? then `mask-values` "
                                                       "ids-from-1 makes 1 class 0"
                                                     : ""));
        doubt_rule(report, absent, options.rule_of_set);
    }
    warn_of_parts(report, names, options.drawn_split);
}

// Pixels that the rule gives no class.
void refuse_values(const std::vector<Sample>& samples, const std::vector<SampleFacts>& all, const MaskRule& rule) {
    std::vector<std::string> problems;
    for (size_t i = 0; i < samples.size(); ++i)
        for (const auto& v : all[i].values_under(rule)) {
            if (rule.allows(rule.class_of(v.value))) continue;
            try {
                refuse_mask_value(rule, v, samples[i].mask_path);
            } catch (const DataError& error) {
                problems.push_back(error.what());
            }
            break;
        }
    refuse_problems(problems, samples.size());
}

void sum_up(const std::vector<SampleFacts>& all, int64_t train_count, DatasetReport& report) {
    const auto classes = size_t(report.rule.class_count);
    report.samples = int64_t(all.size());
    report.pixels.assign(classes, 0);
    report.samples_with.assign(classes, 0);
    if (train_count > 0) report.train_with.assign(classes, 0);  // a part without samples lacks nothing
    if (train_count >= 0 && train_count < report.samples) report.val_with.assign(classes, 0);
    for (size_t i = 0; i < all.size(); ++i) {
        const SampleFacts& found = all[i];
        auto& part = int64_t(i) < train_count ? report.train_with : report.val_with;
        count_classes(found, report, part.empty() ? nullptr : &part);
    }
}

}  // namespace

namespace {

// Masks of instance ids: in every mask most of the numbers 1 to n, each one piece, and n differs from mask to mask. Few objects
// could be few classes too, so that is a warning; many are refused, for a class a number is never what is wanted.
void look_for_instances(const std::vector<Sample>& samples, const std::vector<SampleFacts>& all,
                        DatasetReport& report) {
    std::set<int64_t> counts;
    int64_t most = 0, several = 0;
    for (const SampleFacts& found : all) {
        if (found.instances < 0) return;
        if (found.instances > 0) counts.insert(found.instances);
        several += found.instances > 1;
        most = std::max<int64_t>(most, found.instances);
    }
    if (counts.size() < 2 || several < 2) return;
    const std::string text = fmt::format(
        "each mask numbers its objects from 1 (up to {}, each number one piece): for objects against background give "
        "`mask-values` binary",
        most);
    if (most < 4) return report.warnings.push_back(text + "; as it is, each number is a class");
    throw DataError(fmt::format("{}: {}; ids makes each number a class", samples[0].mask_path, text));
}

}  // namespace

DatasetReport check_dataset(const std::vector<Sample>& samples, const CheckOptions& options) {
    if (samples.empty()) throw DataError("the data set has no samples");
    if (options.class_count < 0 || options.class_count > max_classes)
        throw UsageError(fmt::format("`classes` {} is not between 2 and {}", options.class_count, max_classes));
    const auto facts = look_at_samples(samples, options.rule, options.threads, options.progress, options.index);
    if (options.index) options.index->save();
    return check_dataset(samples, facts, options);
}

DatasetReport check_dataset(const std::vector<Sample>& samples, const std::vector<SampleFacts>& all,
                            const CheckOptions& options) {
    require(options.train_count <= int64_t(samples.size()), "check_dataset: train_count is at most all samples");
    std::vector<std::string> problems;
    for (size_t i = 0; i < all.size(); ++i)
        if (!all[i].problem.empty())
            problems.push_back(all[i].problem);
        else if (!options.by_rows && all[i].image.h > max_pixels / all[i].image.w)
            problems.push_back(codec::text_of_limit(all[i].image.h, all[i].image.w, samples[i].image_path));
    refuse_problems(problems, samples.size());
    DatasetReport report;
    if (options.rule.kind == MaskKind::automatic && options.class_count == 0 && options.named_classes == 0)
        look_for_instances(samples, all, report);
    report.rule = resolved_rule(samples, all, options);
    refuse_values(samples, all, report.rule);
    sum_up(all, options.train_count, report);
    add_warnings(report, options);
    look_for_class_ids(samples, all, options, report);
    std::vector<FoundImage> images;
    for (const SampleFacts& found : all) images.push_back(found.image);
    report.channels = channels_of(samples, images, options.channels);
    sum_up_images(images, options.range, options.train_count, report);
    if (options.train_count > 0) warn_of_twins(samples, all, size_t(options.train_count), report);
    return report;
}

std::string DatasetReport::text() const {
    std::string text = fmt::format("{} samples, {}x{}", samples, min_w, min_h);
    if (!one_size()) text += fmt::format(" to {}x{}", max_w, max_h);
    if (channels != 3) text += fmt::format(", {} channel{}", channels, channels == 1 ? "" : "s");
    if (range.given())
        text += fmt::format("\nvalues: {} to {}; `value-range` {} becomes 0..1", low, high, text_of(range));
    text += fmt::format("\nmasks: {}", rule.describe());
    const int64_t total = counted_pixels;
    for (size_t id = 0; id < pixels.size(); ++id)
        text += fmt::format("\nclass {:3}: {:6.2f} % of pixels, in {} of {} masks", id,
                            total ? 100.0 * double(pixels[id]) / double(total) : 0.0, samples_with[id], samples);
    if (ignored_pixels)
        text += fmt::format("\nignored:   {:6.2f} % of pixels",
                            100.0 * double(ignored_pixels) / double(total + ignored_pixels));
    for (const auto& warning : warnings) text += "\nwarning: " + warning;
    return text;
}

}  // namespace atrous::data
