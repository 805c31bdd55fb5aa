#include "data/dataset.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "base/error.h"
#include "base/paths.h"
#include "base/philox.h"
#include "data/band_files.h"
#include "data/check_index.h"
#include "data/class_names.h"
#include "data/codecs.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts.h"
#include "data/layouts/banded_files.h"
#include "data/layouts/given_folders.h"
#include "data/layouts/list_samples.h"
#include "data/sample_check.h"
#include "data/split.h"

namespace atrous::data {

namespace {

// Samples that validate are not trained on, whatever the lists say. A sample is its image's file: another spelling
// of the path, or a link, is no other sample. Within a part hard links are allowed, and said: programs that find equal
// files join them so.
void refuse_overlap(Dataset& dataset) {
    std::map<FileIdentity, std::pair<const Sample*, bool>> seen;  // and whether it validates
    std::vector<std::string> twice, linked, also_tested;
    for (const bool validates : {false, true})
        for (const auto& sample : validates ? dataset.val : dataset.train) {
            const auto identity = identity_of(sample.image_path);
            if (!identity) continue;
            const auto [first, fresh] = seen.emplace(*identity, std::pair{&sample, validates});
            if (fresh) continue;
            const auto& [before, part] = first->second;
            const std::string& other = before->name;
            const bool hard_link = part == validates && file_key(*before) != file_key(sample);
            (hard_link ? linked : twice)
                .push_back(other == sample.name ? other : fmt::format("{} (the same file as {})", sample.name, other));
        }
    for (const auto& sample : dataset.test)
        if (const auto identity = identity_of(sample.image_path); identity && seen.contains(*identity))
            also_tested.push_back(sample.name);
    if (!also_tested.empty())
        dataset.warnings.push_back(fmt::format("{} images of the part test also train or validate: {}",
                                               also_tested.size(), few_of(also_tested)));
    if (!twice.empty())
        throw DataError(
            fmt::format("{} images are listed twice or both train and validate: {}; list each file once, whatever "
                        "its path or the links to it",
                        twice.size(), few_of(twice)));
    if (!linked.empty())
        dataset.warnings.push_back(
            fmt::format("{} images are hard links to others of the same part: {}", linked.size(), few_of(linked)));
}

// Masks of several files, runs or drawings, as labels in bits. Masks that are files hold ids, of which a pixel has one, unless
// the rule says that they hold bits.
void take_bits(std::vector<Sample>& samples, const MaskRule& rule) {
    for (Sample& sample : samples) {
        if (!sample.mask && rule.kind == MaskKind::bits) continue;
        if (!sample.mask)
            throw DataError(fmt::format(
                "{}: the mask is one file, whose values are classes that exclude each other; for `multi-label` give a "
                "folder of masks for each class, runs or polygons, or files of bits with `mask-values` bits",
                sample.mask_path));
        sample.mask = sample.mask->in_bits();
        if (!sample.mask)
            throw DataError(
                fmt::format("{}: masks of this kind have no classes apart; leave out `multi-label`", sample.mask_path));
    }
}

// The notes of layouts speak of classes that exclude each other.
void say_overlaps(std::vector<std::string>& notes) {
    for (std::string& note : notes)
        for (const std::string covers :
             {"where they overlap the later one covers", "where classes overlap the later annotation covers"})
            if (const size_t at = note.find(covers); at != std::string::npos)
                note.replace(at, covers.size(), "where classes overlap a pixel is of each");
}

// Names and colours then have no background.
void become_multi_label(const MaskRule& rule, Dataset& dataset) {
    dataset.form = LabelForm::bits;
    const std::vector<Sample>& any = dataset.train.empty() ? dataset.val : dataset.train;
    const bool with_background = !any.empty() && any[0].mask;
    for (auto* part : {&dataset.train, &dataset.val, &dataset.test}) take_bits(*part, rule);
    say_overlaps(dataset.notes);
    if (!with_background) return;
    if (!dataset.class_names.empty()) dataset.class_names.erase(dataset.class_names.begin());
    if (!dataset.palette.empty()) dataset.palette.erase(dataset.palette.begin());
}

// `val-list`: what it names validates, the rest trains.
void apply_val_list(const DatasetOptions& options, const MaskRule& rule, Dataset& dataset) {
    dataset.val = samples_of_list(options.val_list, options, dataset);
    if (options.multi_label) take_bits(dataset.val, rule);
    std::set<FileIdentity> validates;
    for (const auto& sample : dataset.val)
        if (const auto identity = identity_of(sample.image_path)) validates.insert(*identity);
    std::vector<std::string> moved;
    std::erase_if(dataset.train, [&](const Sample& sample) {
        const auto identity = identity_of(sample.image_path);
        const bool out = identity && validates.contains(*identity);
        if (out) moved.push_back(sample.name);
        return out;
    });
    if (!options.train_list.empty() && !moved.empty())
        dataset.warnings.push_back(fmt::format("{} images of {} are in {} as well: {}; they validate and do not train",
                                               moved.size(), options.train_list, options.val_list, few_of(moved)));
    dataset.layout += ", " + options.val_list;
}

bool is_in_colour(const Sample& sample) {
    try {
        if (sample.mask) return false;
        const RawMask mask = load_mask(sample.mask_path);
        return mask.image.c == 3 || !mask.palette.empty();
    } catch (const DataError&) {  // the check of the data set says so
        return false;
    }
}

// Of classes that overlap there are names and colours alone.
void refuse_rule(const ClassNames& found) {
    if (!found.mask_values.empty())
        throw DataError(fmt::format(
            "{}: it says which values of masks are the classes, which then exclude each other; with `multi-label` "
            "expected names and colours alone: leave `values` out of it",
            found.file));
}

// Names and colours, and the rule of the masks' values where the description or colours of the masks give one.
void take_class_names(const ClassNames& found, bool multi_label, Dataset& dataset) {
    dataset.class_names = found.names;
    dataset.palette = found.colours;
    if (!found.file.empty())
        dataset.notes.push_back(
            fmt::format("classes: {} are named in {}: {}", found.names.size(), found.file, few_of(found.names)));
    if (multi_label) return refuse_rule(found);
    if (!found.mask_values.empty()) {
        dataset.mask_values = found.mask_values;
        dataset.notes.push_back("masks: the values of that file are the classes; `mask-values` says otherwise");
    } else if (!found.colours.empty() && dataset.mask_values.empty() && is_in_colour(dataset.train[0])) {
        for (const uint32_t colour : found.colours)
            dataset.mask_values += fmt::format("{}#{:06x}", dataset.mask_values.empty() ? "" : ",", colour);
        dataset.notes.push_back("masks: the colours of that file are the classes; `mask-values` says otherwise");
    }
}

// Those of the layout, or of a file that lies in the root or beside the first image. classes.toml is the user's own
// word, which comes before the layout's.
void find_class_names(const std::filesystem::path& root, bool multi_label, Dataset& dataset) {
    if (!dataset.class_names.empty() && !is_file((root / "classes.toml").string())) return;
    for (const auto& folder : {root, std::filesystem::path(dataset.train[0].image_path).parent_path()})
        if (const auto found = class_names_in(folder.string(), dataset.notes))
            return take_class_names(*found, multi_label, dataset);
}

// Names of classes that exclude each other begin with the background.
void warn_of_background(Dataset& dataset) {
    if (dataset.class_names.empty() || dataset.class_names[0] != "background") return;
    dataset.warnings.push_back(
        "the first class, bit 0 of the masks, is called background; with `multi-label` no class is: where that name is "
        "one too many, leave it out (`class-names`)");
}

// Names alone leave the set's colours as they are.
void take_given_names(const DatasetOptions& options, Dataset& dataset) {
    ClassNames given = given_class_names(options.class_names, options.root);
    if (given.colours.empty() && given.names.size() == dataset.palette.size()) given.colours = dataset.palette;
    take_class_names(given, options.multi_label, dataset);
}

void add_class_names(const DatasetOptions& options, const MaskRule& rule, Dataset& dataset) {
    if (!dataset.train.empty()) find_class_names(options.root, options.multi_label, dataset);
    if (options.multi_label) become_multi_label(rule, dataset);
    if (!dataset.train.empty() && !options.class_names.empty()) take_given_names(options, dataset);
    if (options.multi_label) warn_of_background(dataset);
}

}  // namespace

Setting<double>& describe_val_fraction(Settings& s, double& fraction) {
    return s.bind("val-fraction", fraction, "share that validates where nothing else says")
        .min(0)
        .max(max_val_fraction);
}

Setting<int64_t>& describe_seed(Settings& s, int64_t& seed) {
    return s.bind("seed", seed, "seed of weights, order, augmentation and split")
        .min(0)
        .when_resumed(Resume::within_epoch);
}

void describe(Settings& s, DatasetOptions& o) {
    const auto drawn = [&o] {
        return o.val_list.empty() && o.val_pattern.empty() && o.fold.empty() && o.val_every == 0;
    };
    const auto grouped = [&o] { return o.val_list.empty() && o.val_pattern.empty() && o.val_every == 0; };
    s.bind("data", o.root,
           fmt::format("data set, a folder of images and masks; recognized are {}. Images: {}", looks_of_layouts(),
                       codec::names_of_codecs()))
        .required()
        .when_resumed(Resume::free);
    const auto bind_folder = [&](const char* key, std::string& value, const char* help) {
        s.bind(key, value, help).when_resumed(Resume::free);
    };
    bind_folder("images", o.images, "folder or glob of the images, below `data`, such as '*/photos/**/*.jpg'");
    bind_folder("masks", o.masks, "folder or glob of their masks, which are paired by name");
    bind_folder("val-images", o.val_images, "folder or glob of the images that validate");
    bind_folder("val-masks", o.val_masks, "folder or glob of their masks; empty: they lie in `masks`");
    bind_folder("test-images", o.test_images, "folder or glob of the images that `split` test scores");
    bind_folder("test-masks", o.test_masks, "folder or glob of their masks; empty: they lie in `masks`");
    s.bind("multi-label", o.multi_label,
           "classes overlap: each is a question by itself, with a sigmoid of its own, and a pixel may be of several; 2 "
           "to "
           "7 classes, masks as a folder for each, runs, polygons or bits")
        .when_resumed(Resume::fixed);
    s.bind("train-list", o.train_list,
           "list file of the training samples; its lines 'image mask' are relative to `data`")
        .when_resumed(Resume::free);
    s.bind("val-list", o.val_list, "list file of the validation samples, likewise").when_resumed(Resume::free);
    s.bind("val-pattern", o.val_pattern, "file names of the images that validate, such as '*9.png'")
        .when_resumed(Resume::free);
    s.bind("val-every", o.val_every,
           "one of so many validates: the first, in the order of the names, and each so many after it; 0: not so")
        .min(0)
        .when_resumed(Resume::free);
    s.bind("fold", o.fold,
           "K/N: the samples in N equal parts, drawn by `seed`, of which the K-th validates; such as 2/5")
        .when_resumed(Resume::free);
    s.bind("group-pattern", o.group_pattern,
           "regular expression for names of samples, such as '^([^_]+)_': those with the same match in its parentheses "
           "(a patient's, a video's) are on one side of a drawn split")
        .only_with("a split that the program draws", grouped)
        .when_resumed(Resume::free);
    s.bind("split-by-class", o.split_by_class,
           "a drawn split has each class on both sides where at least two samples (or groups) hold it; masks are read "
           "before it")
        .only_with("a split that the program draws", grouped)
        .when_resumed(Resume::free);
    s.bind("bands", o.bands,
           "words in the names of files, or of their folders, that are the channels of one image, in their order, such "
           "as B04,B03,B02; none: each file is an image; auto: those such as B02 and B8A, by their numbers")
        .when_resumed(Resume::fixed);
    s.bind("class-names", o.class_names,
           "names of the classes, in the order of their ids: between commas, or a file (classes.toml, class_dict.csv, "
           "data.yaml, a name a line); empty: as the data set says")
        .when_resumed(Resume::free);
    s.bind("rle-order", o.rle_order,
           "how runs of a list are counted: rows (Carvana), columns (most others of Kaggle), auto: as the heading says")
        .one_of({"auto", "rows", "columns"})
        .when_resumed(Resume::fixed);
    s.bind("check-cache", o.check_cache,
           "folder that keeps what was found of each image and mask, so that a second start decodes none; none: "
           "nothing is "
           "kept; empty: atrous/checks in $XDG_CACHE_HOME or ~/.cache")
        .when_resumed(Resume::free);
    describe_val_fraction(s, o.val_fraction)
        .only_with("a split that the program draws", drawn)
        .when_resumed(Resume::free);
    describe_seed(s, o.seed);
}

uint64_t name_hash(const std::string& name, uint64_t seed) { return Random(seed, atrous::name_hash(name)).next_u64(); }

// The setting by which the samples are split rather than as the layout says; null where none is given.
static const char* given_split(const DatasetOptions& o) {
    const std::pair<bool, const char*> ways[] = {{!o.val_list.empty(), "`val-list`"},
                                                 {!o.val_pattern.empty(), "`val-pattern`"},
                                                 {!o.fold.empty(), "`fold`"},
                                                 {o.val_every > 0, "`val-every`"}};
    const char* chosen = nullptr;
    for (const auto& [given, name] : ways) {
        if (given && chosen) throw UsageError(fmt::format("{} and {} each split the data set; give one", chosen, name));
        if (given) chosen = name;
    }
    if (chosen && !o.val_images.empty())
        throw UsageError(fmt::format("{} and `val-images` each say what validates; give one", chosen));
    return chosen;
}

// The classes that each sample of train holds; those of a sample that cannot be read are none. Empty where no sample can
// be read, which the check of the data set says.
static SampleClasses classes_of(const Dataset& dataset, CheckOptions looking) {
    looking.named_classes = int(dataset.class_names.size());
    if (looking.rule.kind == MaskKind::automatic && !dataset.mask_values.empty())
        looking.rule = parse_mask_rule(dataset.mask_values);
    const std::vector<SampleFacts> facts =
        look_at_samples(dataset.train, looking.rule, looking.threads, looking.progress, looking.index);
    if (looking.index) looking.index->save();
    SampleClasses classes;
    if (std::all_of(facts.begin(), facts.end(), [](const SampleFacts& found) { return !found.problem.empty(); }))
        return classes;
    const MaskRule rule = resolved_rule(dataset.train, facts, looking);
    for (const SampleFacts& found : facts) {
        std::set<int> held;
        for (const RawValue& v : found.values_under(rule))
            for (const int id : rule.classes_of(rule.class_of(v.value))) held.insert(id);
        classes.emplace_back(held.begin(), held.end());
    }
    return classes;
}

static void draw_split(const DatasetOptions& options, Dataset& dataset, const CheckOptions& looking) {
    dataset.drawn_split = true;
    const SampleClasses classes = options.split_by_class ? classes_of(dataset, looking) : SampleClasses{};
    if (!options.fold.empty())
        split_by_fold(dataset, options.fold, uint64_t(options.seed), options.group_pattern, classes);
    else
        split_by_fraction(dataset, options.val_fraction, uint64_t(options.seed), options.group_pattern, classes);
}

static void split(const DatasetOptions& options, Dataset& dataset, const CheckOptions& looking) {
    if (given_split(options)) {  // replaces the layout's own
        dataset.train.insert(dataset.train.end(), dataset.val.begin(), dataset.val.end());
        dataset.val.clear();
    }
    if (!options.val_list.empty())
        apply_val_list(options, looking.rule, dataset);
    else if (!options.val_pattern.empty())
        split_by_pattern(dataset, options.val_pattern);
    else if (options.val_every > 0 && options.fold.empty())
        split_by_count(dataset, options.val_every);
    else if (!options.fold.empty() || dataset.val.empty())
        draw_split(options, dataset, looking);
    else if (!options.group_pattern.empty() || options.split_by_class)
        dataset.warnings.push_back(
            fmt::format("`{}` has no effect: the data set is split as it lies; `fold` splits it anew",
                        options.split_by_class ? "split-by-class" : "group-pattern"));
}

void check_multi_label(bool multi_label, const MaskRule& rule) {
    if (!multi_label && rule.kind == MaskKind::bits)
        throw UsageError("`mask-values` bits: a pixel may be of several classes; give `multi-label` too");
    if (multi_label && rule.kind != MaskKind::bits && rule.kind != MaskKind::automatic)
        throw UsageError(
            fmt::format("`mask-values` {}: these classes exclude each other; with `multi-label` expected "
                        "auto or bits",
                        text_of(rule)));
}

bool is_rule_of(const Dataset& dataset, const MaskRule& rule) {
    return !dataset.mask_values.empty() && text_of(parse_mask_rule(dataset.mask_values)) == text_of(rule);
}

Dataset find_dataset(const DatasetOptions& options, const CheckOptions& looking) {
    check_multi_label(options.multi_label, looking.rule);
    if (!is_folder(options.root))
        throw DataError(
            fmt::format("{}: {}; give the folder of the data set", options.root, absence(options.root, "folder")));
    Dataset dataset;
    if (!options.train_list.empty()) {
        dataset.train = samples_of_list(options.train_list, options, dataset);
        dataset.layout = options.train_list;
    } else if (has_given_folders(options)) {
        dataset = dataset_of_given_folders(options);
    } else {
        dataset = recognize_layout(options.root);
    }
    choose_bands(options.bands, dataset);
    add_class_names(options, looking.rule, dataset);
    if (options.multi_label) dataset.mask_values = "bits";
    split(options, dataset, looking);
    refuse_overlap(dataset);
    return dataset;
}

Image load_image(const Sample& sample) {
    return sample.bands.empty() ? load_image(sample.image_path) : load_bands(sample.bands);
}

RawMask load_mask(const Sample& sample, int64_t h, int64_t w) {
    if (sample.mask) return sample.mask->draw(h, w, sample.mask_path);
    RawMask mask = load_mask(sample.mask_path);
    check_mask_size(sample, {mask.image.h, mask.image.w}, {h, w});
    return mask;
}

void check_mask_size(const Sample& sample, ImageSize mask, ImageSize image) {
    if (mask.height != image.height || mask.width != image.width)
        throw DataError(
            fmt::format("{}: the mask is {}x{}, but its image {} is {}x{}; export the mask at the "
                        "image's size",
                        sample.mask_path, mask.width, mask.height, sample.image_path, image.width, image.height));
}

std::string file_key(const Sample& sample) { return canonical_path(sample.image_path); }

}  // namespace atrous::data
