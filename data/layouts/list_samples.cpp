#include "data/layouts/list_samples.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/layouts/list_paths.h"
#include "data/list.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

// Resolves bare stems of a list through a pair of folders, which it indexes once.
class StemFinder {
 public:
    explicit StemFinder(const std::optional<FolderPair>& pair) {
        if (!pair) return;
        std::vector<std::string> skipped;  // a list that needs one of them says which it misses
        images_ = by_stem(pair->images, skipped);
        masks_ = by_stem(pair->masks, skipped);
    }
    Sample find(const std::string& entry, const fs::path& root, const std::string& where) const {
        const std::string file = fs::path(entry).filename().string();
        const std::string stem = is_image_name(file) ? fs::path(file).stem().string() : file;
        const auto image = images_.find(stem);
        const auto mask = find_mask(masks_, stem);
        if (image == images_.end() || mask == masks_.end())
            throw DataError(fmt::format("{}: no {} is called '{}'; write 'image mask' with paths relative to {}", where,
                                        image == images_.end() ? "image" : "mask", stem, root.string()));
        return {image->second.string(), mask->second.string(), sample_name(image->second, root)};
    }

 private:
    FilesByStem images_, masks_;
};

// Whether a folder of the path has one of these names, or one with a part before it, such as "train_masks".
template <size_t N>
bool lies_in(const fs::path& relative, const char* const (&names)[N]) {
    for (const fs::path& part : relative.parent_path()) {
        const std::string folder = part.string();
        for (const char* name : names)
            if (folder == name || folder.ends_with(fmt::format("_{}", name)) ||
                folder.ends_with(fmt::format("-{}", name)))
                return true;
    }
    return false;
}

// Images of a run-length list, which names them without their folder, often without their extension.
class RunImages {
 public:
    explicit RunImages(fs::path root) : root_(std::move(root)) {}
    fs::path find(const std::string& name, const std::string& where) {
        if (is_file((root_ / name).string())) return root_ / name;
        for (const char* folder : image_folders)
            if (is_file((root_ / folder / name).string())) return root_ / folder / name;
        if (is_file((root_ / "train" / name).string())) return root_ / "train" / name;
        if (by_name_.empty())
            for (const std::string& path : images_below(root_.string()).images) {
                by_name_[fs::path(path).filename().string()].push_back(path);
                by_stem_[fs::path(path).stem().string()].push_back(path);
            }
        for (const auto* files : {&by_name_, &by_stem_})
            if (const auto at = files->find(name); at != files->end()) return best_of(at->second, name, where);
        return root_ / name;
    }

 private:
    enum class Kind { image, unknown, mask };
    Kind kind_of(const std::string& path) const {
        static constexpr const char* train[] = {"train"};
        const fs::path relative = fs::path(path).lexically_relative(root_);
        if (lies_in(relative, mask_folders)) return Kind::mask;
        return lies_in(relative, image_folders) || lies_in(relative, train) ? Kind::image : Kind::unknown;
    }
    // The one file in a folder of images; where none lies in such, the one that is not among masks.
    fs::path best_of(const std::vector<std::string>& files, const std::string& name, const std::string& where) const {
        for (const Kind kind : {Kind::image, Kind::unknown}) {
            std::vector<std::string> found;
            for (const std::string& file : files)
                if (kind_of(file) == kind) found.push_back(file);
            if (found.size() == 1) return found[0];
            if (found.size() > 1)
                throw DataError(fmt::format("{}: '{}' may be any of {} images: {}; write its path relative to {}",
                                            where, name, found.size(), few_of(found), root_.string()));
        }
        throw DataError(fmt::format("{}: '{}' is only in a folder of masks: {}; write the image's path relative to {}",
                                    where, name, few_of(files), root_.string()));
    }

    fs::path root_;
    std::map<std::string, std::vector<std::string>> by_name_, by_stem_;
};

RunOrder order_of_runs(const std::string& list, const List& content, const std::string& asked, Dataset& dataset) {
    if (asked == "rows") return RunOrder::rows;
    if (asked == "columns") return RunOrder::columns;
    if (!content.order)
        throw DataError(
            fmt::format("{}: nothing says how its runs are counted; give `rle-order` rows (along the rows, as "
                        "Carvana) or `rle-order` columns (down the columns, as most others of Kaggle)",
                        list));
    const bool rows = *content.order == RunOrder::rows;
    dataset.notes.push_back(
        fmt::format("{}: runs are counted {}, as the heading '{}' is used; `rle-order` {} says otherwise", list,
                    rows ? "along the rows" : "down the columns", content.heading, rows ? "columns" : "rows"));
    return *content.order;
}

using ClassIds = std::map<std::string, uint8_t>;

bool is_class_number(const std::string& name) {
    return name.size() <= 3 && name.find_first_not_of("0123456789") == std::string::npos && std::stoi(name) > 0 &&
           std::stoi(name) < max_classes;
}
bool has_class_numbers(const List& content) {
    return std::all_of(content.begin(), content.end(), [](const ListEntry& entry) {
        return entry.class_name.empty() || is_class_number(entry.class_name);
    });
}

// Ids from 1: of numbers the numbers themselves, of names their places in the alphabet.
ClassIds number_classes(const std::string& list, const List& content, Dataset& dataset) {
    ClassIds ids;
    for (const ListEntry& entry : content)
        if (!entry.class_name.empty()) ids[entry.class_name] = 0;
    if (ids.size() >= size_t(max_classes))
        throw DataError(fmt::format("{}: the column of classes holds {} different ones; at most {} are trained", list,
                                    ids.size(), max_classes - 1));
    const bool numbers = has_class_numbers(content);
    uint8_t next = 1;
    for (auto& [name, id] : ids) id = numbers ? uint8_t(std::stoi(name)) : next++;
    if (ids.empty()) return ids;
    const bool bits = dataset.form == LabelForm::bits;  // the set has its rule, and names have no background
    if (!bits) dataset.mask_values = "ids";
    if (numbers) return ids;
    dataset.class_names.clear();
    if (!bits) dataset.class_names.push_back("background");
    for (const auto& [name, id] : ids) dataset.class_names.push_back(name);
    return ids;
}

void refuse_other_classes(const std::string& list, const List& content, const ClassIds& ids) {
    std::vector<std::string> known;
    for (const auto& [name, id] : ids) known.push_back(name);
    for (const ListEntry& entry : content) {
        const bool is_empty = entry.rle && (entry.rle->empty() || *entry.rle == "-1");
        if (ids.contains(entry.class_name) || (is_empty && entry.class_name.empty())) continue;
        throw DataError(fmt::format("{}:{}: {}, but what trains {}; name classes as it does, or add them there", list,
                                    entry.line,
                                    entry.class_name.empty() ? "no class" : "class '" + entry.class_name + "'",
                                    known.empty() ? "names none" : "has the classes " + few_of(known)));
    }
}

// The list that trains numbers the classes; one that comes after it has the same ids, and no class beside them.
const ClassIds& ids_of_classes(const std::string& list, const List& content, Dataset& dataset) {
    ClassIds& ids = dataset.ids_of_lists;
    if (dataset.train.empty() || (ids.empty() && has_class_numbers(content)))
        return ids = number_classes(list, content, dataset);
    const size_t first = dataset.form == LabelForm::bits ? 1 : 0;  // class_names then have no background
    if (ids.empty())                                               // no list trains
        for (size_t i = 0; i < dataset.class_names.size(); ++i) ids.emplace(dataset.class_names[i], uint8_t(i + first));
    refuse_other_classes(list, content, ids);
    return ids;
}

class Missing {
 public:
    void add(const fs::path& file, int line) {
        files_.push_back(fmt::format("{} (line {}: {})", file.string(), line, absence(file.string(), "file")));
    }
    void refuse(const std::string& list, const fs::path& root) const {
        if (files_.empty()) return;
        throw DataError(fmt::format("{}: {} files cannot be found: {}; paths are relative to {}", list, files_.size(),
                                    few_of(files_), root.string()));
    }

 private:
    std::vector<std::string> files_;
};

std::vector<Sample> samples_of_runs(const std::string& list, const List& content, const fs::path& root,
                                    const std::string& rle_order, Dataset& dataset) {
    const RunOrder order = order_of_runs(list, content, rle_order, dataset);
    const ClassIds& ids = ids_of_classes(list, content, dataset);
    RunImages images(root);
    Missing missing;
    std::vector<std::pair<std::string, std::vector<MaskRuns>>> by_image;  // in the list's order
    std::map<std::string, size_t> places;
    for (const ListEntry& entry : content) {
        const fs::path image = images.find(entry.image, fmt::format("{}:{}", list, entry.line));
        if (!is_file(image.string())) {
            missing.add(image, entry.line);
            continue;
        }
        const auto [at, fresh] = places.emplace(image.string(), by_image.size());
        if (fresh) by_image.push_back({image.string(), {}});
        if (!entry.rle) throw DataError(fmt::format("{}:{}: a line of paths among lines of runs", list, entry.line));
        by_image[at->second].second.push_back({*entry.rle, fmt::format("{}:{}", list, entry.line),
                                               entry.class_name.empty() ? uint8_t(1) : ids.at(entry.class_name)});
    }
    missing.refuse(list, root);
    std::vector<Sample> samples;
    for (auto& [image, runs] : by_image) {
        const std::string where = runs.front().where;
        samples.push_back({image, where, sample_name(image, root), joined_runs(std::move(runs), order)});
    }
    return samples;
}

std::vector<Sample> samples_of_paths(const std::string& list, const List& content, const fs::path& root,
                                     const std::optional<FolderPair>& pair, Dataset& dataset) {
    const StemFinder finder(pair);
    ListPaths paths(list, root);
    std::vector<Sample> samples;
    Missing missing;
    for (const ListEntry& entry : content) {
        const std::string where = fmt::format("{}:{}", list, entry.line);
        if (entry.mask.empty()) {
            samples.push_back(finder.find(entry.image, root, where));
            continue;
        }
        const fs::path image = paths.find(entry.image, where), mask = paths.find(entry.mask, where);
        if (!is_file(image.string()))
            missing.add(image, entry.line);
        else if (!is_file(mask.string()))
            missing.add(mask, entry.line);
        else if (image == mask)
            throw DataError(fmt::format("{}: image and mask are the same file, {}; name the mask in the second place",
                                        where, image.string()));
        samples.push_back({image.string(), mask.string(), sample_name(image, root)});
    }
    missing.refuse(list, root);
    for (const std::string& note : paths.notes) dataset.notes.push_back(list + ": " + note);
    return samples;
}

}  // namespace

std::vector<Sample> samples_of_list(const std::string& list, const fs::path& root,
                                    const std::optional<FolderPair>& pair, Dataset& dataset,
                                    const std::string& rle_order) {
    const List content = read_list(list);
    if (content.entries.empty()) throw DataError(fmt::format("{}: the list names no sample", list));
    if (std::any_of(content.begin(), content.end(), [](const ListEntry& e) { return bool(e.rle); }))
        return samples_of_runs(list, content, root, rle_order, dataset);
    return samples_of_paths(list, content, root, pair, dataset);
}

std::vector<Sample> samples_of_list(const std::string& list, const DatasetOptions& options, Dataset& dataset) {
    const fs::path root = options.root;
    std::optional<FolderPair> pair = find_pair(root);
    if (!options.images.empty() && !options.masks.empty()) pair = {root / options.images, root / options.masks};
    return samples_of_list(list, root, pair, dataset, options.rle_order);
}

}  // namespace atrous::data
