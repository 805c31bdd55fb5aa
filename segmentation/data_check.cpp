#include "segmentation/data_check.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/check_index.h"
#include "data/dataset_advice.h"
#include "data/few.h"
#include "segmentation/dataset_options.h"

namespace atrous {

namespace {

constexpr size_t most_named = 20;

// Keeps the samples that can be read, and returns what is wrong with the others.
std::vector<std::string> look_at_part(const std::vector<data::Sample>& samples, const data::CheckOptions& options,
                                      DataCheck& check) {
    const auto facts = data::look_at_samples(samples, options.rule, options.threads, options.progress, options.index);
    std::vector<std::string> faults;
    for (size_t i = 0; i < samples.size(); ++i) {
        if (!facts[i].problem.empty()) {
            faults.push_back(facts[i].problem);
            continue;
        }
        check.samples.push_back(samples[i]);
        check.facts.push_back(facts[i]);
    }
    check.parts.push_back(samples.size() - faults.size());
    return faults;
}

// A training refuses such samples, but never looks at the part test.
void look_at_parts(const data::CheckOptions& options, DataCheck& check) {
    for (const auto* part : {&check.dataset.train, &check.dataset.val}) {
        const std::vector<std::string> faults = look_at_part(*part, options, check);
        const size_t named = std::min(faults.size(), most_named - std::min(check.problems.size(), most_named));
        check.problems.insert(check.problems.end(), faults.begin(), faults.begin() + ptrdiff_t(named));
        if (named < faults.size())
            check.problems.push_back(fmt::format("{} more samples have such problems", faults.size() - named));
    }
    const std::vector<std::string> faults = look_at_part(check.dataset.test, options, check);
    if (!faults.empty())
        check.warnings.push_back(
            fmt::format("{} of {} test samples cannot be read, so that `split` test cannot be scored: {}",
                        faults.size(), check.dataset.test.size(), data::few_of(faults)));
}

// What a training would say of these samples, or refuse.
void judge(data::CheckOptions options, DataCheck& check) {
    const auto trained = ptrdiff_t(check.parts[0] + check.parts[1]);
    const std::vector<data::Sample> samples(check.samples.begin(), check.samples.begin() + trained);
    const std::vector<data::SampleFacts> facts(check.facts.begin(), check.facts.begin() + trained);
    if (samples.empty()) return;
    options.train_count = int64_t(check.parts[0]);
    try {
        check.report = data::check_dataset(samples, facts, options);
        check.warnings.insert(check.warnings.end(), check.report->warnings.begin(), check.report->warnings.end());
    } catch (const DataError& error) {
        check.problems.push_back(error.what());
    }
}

// Of the part test, which no training looks at: values without a class, and images that train or validate too.
void judge_test(const data::MaskRule& rule, DataCheck& check) {
    const size_t trained = check.parts[0] + check.parts[1];
    std::vector<data::ImagePrint> prints;
    for (const data::SampleFacts& found : check.facts) prints.push_back(found.print);
    std::vector<std::string> faults;
    for (size_t i = trained; i < check.samples.size(); ++i)
        for (const data::RawValue& v : check.facts[i].values_under(rule)) {
            if (rule.allows(rule.class_of(v.value))) continue;
            faults.push_back(fmt::format("{}: pixel ({}, {}) has the value {}", check.samples[i].mask_path, v.x, v.y,
                                         data::text_of_value(v.value)));
            break;
        }
    if (!faults.empty())
        check.warnings.push_back(fmt::format(
            "{} of {} test masks have values that stand for no class, so that `split` test cannot be scored: {}",
            faults.size(), check.parts[2], data::few_of(faults)));
    const std::span<const data::ImagePrint> all(prints);
    std::vector<std::string> pairs;
    for (const data::Twin& twin : data::twins_between(all.first(trained), all.subspan(trained)))
        pairs.push_back(
            fmt::format("{} and {}", check.samples[trained + twin.in_second].name, check.samples[twin.in_first].name));
    if (!pairs.empty())
        check.warnings.push_back(
            fmt::format("{} of {} test images equal or look like images that train or validate: {}", pairs.size(),
                        check.parts[2], data::few_of(pairs)));
}

void advise(const Experiment& e, DataCheck& check) {
    const auto add = [&](const std::vector<std::string>& lines) {
        check.warnings.insert(check.warnings.end(), lines.begin(), lines.end());
    };
    add(data::advice_on_files(check.samples, check.facts));
    if (!check.report) return;
    add(data::advice_on_classes(check.samples, check.facts, check.report->rule,
                                {.class_names = check.dataset.class_names,
                                 .size = text_of(e.size),
                                 .fit = [&e](ImageSize image) { return data::fit(e.resize, image, e.size).size; }}));
    if (const std::string why = unfit_names(e, check.dataset, check.report->rule.class_count); !why.empty())
        (e.data.class_names.empty() ? check.warnings : check.problems).push_back(why);
}

}  // namespace

DataCheck check_data(const Experiment& e, Messages& messages) {
    DataCheck check;
    check.folder = e.data.root;
    data::CheckIndex index(data::check_index_file(e.data.check_cache, e.data.root));
    data::CheckOptions options = check_options(e, messages);
    options.index = &index;
    check.dataset = data::find_dataset(e.data, options);
    know_dataset(options, check.dataset);
    look_at_parts(options, check);
    index.save();
    if (check.dataset.train.empty())
        check.problems.push_back("no sample is left to train on; list fewer in `val-list`");
    if (check.dataset.val.empty())
        check.warnings.push_back(check.dataset.train.size() < 2
                                     ? "no sample validates: there is only one"
                                     : "no sample validates; `val-fraction` 0.1 holds a tenth out");
    judge(options, check);
    if (check.report && check.parts[2] > 0) judge_test(check.report->rule, check);
    advise(e, check);
    for (const auto& warning : check.dataset.warnings) check.warnings.push_back(warning);
    for (const auto& warning : index.warnings()) check.warnings.push_back(warning);
    return check;
}

std::vector<PartClasses> classes_of_parts(const DataCheck& check) {
    std::vector<PartClasses> parts;
    if (!check.report) return parts;
    const data::MaskRule& rule = check.report->rule;
    const auto classes = size_t(rule.class_count);
    size_t at = 0;
    for (size_t p = 0; p < check.parts.size(); ++p) {
        static constexpr const char* names[] = {"train", "val", "test"};
        PartClasses part{names[p], int64_t(check.parts[p]),       0,
                         0,        std::vector<int64_t>(classes), std::vector<int64_t>(classes)};
        for (size_t i = 0; i < check.parts[p]; ++i, ++at) {
            std::vector<bool> seen(classes, false);
            for (const data::RawValue& v : check.facts[at].values_under(rule)) {
                const int label = rule.class_of(v.value);
                if (!rule.allows(label)) continue;
                (label == data::ignored_class ? part.ignored : part.counted) += v.count;
                for (const int id : rule.classes_of(label)) {
                    part.pixels[size_t(id)] += v.count;
                    if (!seen[size_t(id)]) ++part.samples_with[size_t(id)];
                    seen[size_t(id)] = true;
                }
            }
        }
        if (part.samples > 0) parts.push_back(std::move(part));
    }
    return parts;
}

std::vector<ImageKind> image_kinds(const DataCheck& check) {
    std::vector<ImageKind> kinds;
    for (size_t i = 0; i < check.facts.size(); ++i) {
        const data::FoundImage& image = check.facts[i].image;
        const int bits = image.floats ? 32 : image.deep ? 16 : 8;
        auto at = std::find_if(kinds.begin(), kinds.end(),
                               [&](const ImageKind& k) { return k.channels == image.c && k.bits == bits; });
        if (at == kinds.end())
            at = kinds.insert(kinds.end(), {image.c, bits, 0, image.low, image.high, check.samples[i].image_path});
        ++at->images;
        at->low = std::min(at->low, image.low), at->high = std::max(at->high, image.high);
    }
    return kinds;
}

}  // namespace atrous
