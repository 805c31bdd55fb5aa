#include "data/dataset_advice.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "data/few.h"

namespace atrous::data {

namespace {

using Lines = std::vector<std::string>;

// What some samples have in common: their files, named by the first few.
class Group {
 public:
    void add(const std::string& path) { paths_.push_back(path); }
    bool any() const { return !paths_.empty(); }
    size_t size() const { return paths_.size(); }
    std::string named() const { return few_of(paths_); }

 private:
    std::vector<std::string> paths_;
};

void look_for_alpha(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts, Lines& lines) {
    Group masks;
    for (size_t i = 0; i < facts.size(); ++i)
        if (facts[i].alpha_mask) masks.add(samples[i].mask_path);
    if (masks.any())
        lines.push_back(fmt::format(
            "{} masks have one colour everywhere and a shape in their alpha channel, which is not read: {}; save the "
            "alpha as a gray image",
            masks.size(), masks.named()));
}

// An index means a class only where all palettes give it one colour.
void compare_palettes(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts, Lines& lines) {
    std::map<uint32_t, std::pair<uint32_t, size_t>> colours;  // by index, and where first
    Group others;
    std::string example;
    for (size_t i = 0; i < facts.size(); ++i) {
        if (!facts[i].paletted || !facts[i].all_values) continue;
        bool differs = false;
        for (const RawValue& v : facts[i].values) {
            const auto& [colour, first] = colours.try_emplace(v.value, v.colour, i).first->second;
            if (colour == v.colour) continue;
            if (example.empty())
                example = fmt::format("{} is {} in {}, {} in {}", v.value, text_of_value(colour),
                                      samples[first].mask_path, text_of_value(v.colour), samples[i].mask_path);
            differs = true;
        }
        if (differs) others.add(samples[i].mask_path);
    }
    if (others.any())
        lines.push_back(fmt::format(
            "the palettes of {} masks give an index another colour than those before: {}; where the colours are the "
            "classes, give them with `mask-values`, such as '#000000,#ff0000'",
            others.size(), example));
}

void look_for_copies(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts, Lines& lines) {
    std::vector<ImagePrint> prints;
    for (const SampleFacts& found : facts) prints.push_back(found.print);
    std::vector<std::string> pairs;
    for (const Twin& twin : equal_files(prints))
        pairs.push_back(
            fmt::format("{} and {}", samples[twin.in_second].image_path, samples[twin.in_first].image_path));
    if (!pairs.empty())
        lines.push_back(fmt::format("{} images are copies of others, byte for byte: {}", pairs.size(), few_of(pairs)));
}

void look_for_soft_edges(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                         const MaskRule& rule, Lines& lines) {
    if (rule.kind != MaskKind::binary || rule.threshold != 1) return;
    Group masks;
    for (size_t i = 0; i < facts.size(); ++i)
        if (facts[i].soft) masks.add(samples[i].mask_path);
    if (masks.any())
        lines.push_back(fmt::format(
            "{} masks have soft edges, of which `mask-values` binary makes objects as far as they reach: {}; "
            "binary:128 ends objects where the edge is half as bright",
            masks.size(), masks.named()));
}

void look_for_ignored(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts, const MaskRule& rule,
                      Lines& lines) {
    Group masks;
    for (size_t i = 0; i < facts.size(); ++i) {
        const auto values = facts[i].values_under(rule);
        if (std::all_of(values.begin(), values.end(),
                        [&](const RawValue& v) { return rule.class_of(v.value) == ignored_class; }))
            masks.add(samples[i].mask_path);
    }
    if (masks.any())
        lines.push_back(
            fmt::format("{} masks are ignored everywhere, and teach nothing: {}", masks.size(), masks.named()));
}

// Of a class: the masks where it is narrower than what becomes one pixel.
struct Thin {
    int64_t masks = 0, of = 0;
    int narrowest = 65535;
    size_t where = 0;
    double shrink = 0;  // there
};

std::map<int, Thin> thin_classes(const std::vector<SampleFacts>& facts, const MaskRule& rule,
                                 const AdviceOptions& options) {
    std::map<int, Thin> thin;
    for (size_t i = 0; i < facts.size(); ++i) {
        const ImageSize image(facts[i].image.h, facts[i].image.w), size = options.fit(image);
        const double shrink =
            std::max(double(image.height) / double(size.height), double(image.width) / double(size.width));
        for (const RawValue& v : facts[i].values_under(rule)) {
            const int id = rule.class_of(v.value);
            // Of overlapping classes only the width of each combination is known.
            if (id == ignored_class || id < 0 || rule.form() == LabelForm::bits) continue;
            Thin& of_class = thin[id];
            ++of_class.of;
            if (v.width == 0 || double(v.width) >= shrink) continue;
            ++of_class.masks;
            if (v.width < of_class.narrowest)
                of_class.narrowest = v.width, of_class.where = i, of_class.shrink = shrink;
        }
    }
    return thin;
}

void look_for_thin(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts, const MaskRule& rule,
                   const AdviceOptions& options, Lines& lines) {
    for (const auto& [id, thin] : thin_classes(facts, rule, options)) {
        if (thin.masks == 0) continue;
        const bool named = int(options.class_names.size()) == rule.class_count;
        lines.push_back(fmt::format(
            "class {}{} may vanish at `size` {}: in {} of {} masks with it, it is nowhere as wide as what becomes one "
            "pixel ({} of {:.3g} pixels in {}); a larger `size` keeps it",
            id, named ? fmt::format(" ({})", options.class_names[size_t(id)]) : "", options.size, thin.masks, thin.of,
            thin.narrowest, thin.shrink, samples[thin.where].mask_path));
    }
}

}  // namespace

std::vector<std::string> advice_on_files(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts) {
    Lines lines;
    look_for_alpha(samples, facts, lines);
    compare_palettes(samples, facts, lines);
    look_for_copies(samples, facts, lines);
    return lines;
}

std::vector<std::string> advice_on_classes(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                                           const MaskRule& rule, const AdviceOptions& options) {
    Lines lines;
    look_for_soft_edges(samples, facts, rule, lines);
    look_for_ignored(samples, facts, rule, lines);
    if (options.fit) look_for_thin(samples, facts, rule, options, lines);
    return lines;
}

}  // namespace atrous::data
