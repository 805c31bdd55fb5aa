#include "data/pairing.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/error.h"
#include "data/few.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What an image's name and its mask's have around the part that they share.
struct Rewriting {
    std::string image_prefix, image_suffix, mask_prefix, mask_suffix;
    auto operator<=>(const Rewriting&) const = default;
    size_t length() const {
        return image_prefix.size() + image_suffix.size() + mask_prefix.size() + mask_suffix.size();
    }
    // For people, who part names at separators: of "0_in" and "0_ids" the rest is "_in" and "_ids", not "n" and "ds".
    Rewriting tidy(const std::string& image) const {
        Rewriting r = *this;
        const std::string core =
            image.substr(image_prefix.size(), image.size() - image_prefix.size() - image_suffix.size());
        const std::string separators = "_- .";
        const size_t last = core.find_last_of(separators);
        if (!(image_suffix + mask_suffix).empty() && last != std::string::npos && last > 0 &&
            std::none_of(core.begin() + int64_t(last), core.end(), is_digit)) {
            r.image_suffix.insert(0, core.substr(last));
            r.mask_suffix.insert(0, core.substr(last));
        }
        if (!(image_prefix + mask_prefix).empty() && core.size() > 1 && separators.find(core[0]) != std::string::npos) {
            r.image_prefix += core[0];
            r.mask_prefix += core[0];
        }
        return r;
    }
    std::string text() const {
        return fmt::format("{}NAME{} with {}NAME{}", image_prefix, image_suffix, mask_prefix, mask_suffix);
    }
};

using Keys = std::vector<std::string>;  // "folder/stem"

size_t start_of_name(const std::string& key) { return key.rfind('/') + 1; }

// A number is shared as a whole or not at all: "12" is no part of "112".
bool splits_number(const std::string& text, size_t first, size_t last) {
    return (first > 0 && is_digit(text[first - 1]) && is_digit(text[first])) ||
           (last < text.size() && is_digit(text[last - 1]) && is_digit(text[last]));
}

// The rewritings by which `mask` could belong to `image`: one for each part that they share and that cannot be extended.
void add_rewritings(const std::string& image, const std::string& mask, std::set<Rewriting>& all) {
    std::vector<size_t> above(mask.size() + 1, 0), row(mask.size() + 1, 0);
    for (size_t i = 1; i <= image.size(); ++i) {
        for (size_t j = 1; j <= mask.size(); ++j) {
            row[j] = image[i - 1] == mask[j - 1] ? above[j - 1] + 1 : 0;
            const bool ends = i == image.size() || j == mask.size() || image[i] != mask[j];
            if (row[j] == 0 || !ends) continue;
            const size_t n = row[j];
            if (!splits_number(image, i - n, i) && !splits_number(mask, j - n, j))
                all.insert({image.substr(0, i - n), image.substr(i), mask.substr(0, j - n), mask.substr(j)});
        }
        std::swap(above, row);
    }
}

// Every image's mask by this rewriting; nothing where an image has none.
std::optional<std::vector<size_t>> apply(const Rewriting& r, const Keys& images,
                                         const std::unordered_map<std::string, size_t>& masks) {
    std::vector<size_t> found;
    found.reserve(images.size());
    for (const std::string& key : images) {
        const size_t start = start_of_name(key);
        const std::string name = key.substr(start);
        if (name.size() <= r.image_prefix.size() + r.image_suffix.size() || !name.starts_with(r.image_prefix) ||
            !name.ends_with(r.image_suffix))
            return {};
        const std::string core =
            name.substr(r.image_prefix.size(), name.size() - r.image_prefix.size() - r.image_suffix.size());
        const auto at = masks.find(key.substr(0, start) + r.mask_prefix + core + r.mask_suffix);
        if (at == masks.end()) return {};
        found.push_back(at->second);
    }
    return found;
}

[[noreturn]] void ambiguous(const std::map<std::vector<size_t>, Rewriting>& found, const std::string& image,
                            const std::string& folder) {
    std::vector<std::string> masks;
    for (const auto& [pairs, r] : found) {
        const Rewriting tidy = r.tidy(image);
        masks.push_back(tidy.mask_prefix + "NAME" + tidy.mask_suffix);
    }
    std::string glob = masks[0];
    glob.replace(glob.find("NAME"), 4, "*");
    throw DataError(
        fmt::format("{}: each image has several masks here: {}; choose with `masks` and a glob, such as "
                    "'{}/**/{}.*'",
                    folder, few_of(masks), folder, glob));
}

std::unordered_map<std::string, size_t> index_of(const Keys& keys) {
    std::unordered_map<std::string, size_t> index;
    for (size_t i = 0; i < keys.size(); ++i) index.emplace(keys[i], i);
    return index;
}

bool all_different(const Keys& keys) { return std::set<std::string>(keys.begin(), keys.end()).size() == keys.size(); }

std::optional<Pairing> by_one_rewriting(const Keys& images, const Keys& masks, const std::string& folder) {
    if (images.empty() || masks.empty() || !all_different(images) || !all_different(masks)) return {};
    std::set<Rewriting> candidates;
    const size_t start = start_of_name(images[0]);
    for (const std::string& mask : masks)
        if (mask.compare(0, start_of_name(mask), images[0], 0, start) == 0)
            add_rewritings(images[0].substr(start), mask.substr(start_of_name(mask)), candidates);
    const auto index = index_of(masks);
    std::map<std::vector<size_t>, Rewriting> found;  // by the masks that they give, the one that strips least
    for (const Rewriting& r : candidates)
        if (const auto pairs = apply(r, images, index)) {
            const auto [at, fresh] = found.emplace(*pairs, r);
            if (!fresh && r.length() < at->second.length()) at->second = r;
        }
    if (found.empty()) return {};
    auto best = std::min_element(found.begin(), found.end(),
                                 [](const auto& a, const auto& b) { return a.second.length() < b.second.length(); });
    if (found.size() > 1 && images.size() > 1) ambiguous(found, images[0].substr(start), folder);
    return Pairing{best->first, best->second.tidy(images[0].substr(start)).text()};
}

std::optional<Pairing> by_suffix(const Keys& images, const Keys& masks) {
    const auto index = index_of(masks);
    Pairing pairing;
    std::set<size_t> taken;
    for (const std::string& image : images) {
        pairing.mask_of.push_back(Pairing::none);
        for (const std::string& suffix : mask_suffixes())
            if (const auto at = index.find(image + suffix); at != index.end() && taken.insert(at->second).second) {
                pairing.mask_of.back() = at->second;
                break;
            }
    }
    return pairing;
}

// The rewriting that gives most images a mask, for a message about the others; tried on the first few hundred.
Pairing nearly_by_rewriting(const Keys& images, const Keys& masks) {
    std::set<Rewriting> candidates;
    for (size_t i = 0; i < std::min<size_t>(images.size(), 3); ++i)
        for (size_t k = 0; k < std::min<size_t>(masks.size(), 1000); ++k)
            add_rewritings(images[i].substr(start_of_name(images[i])), masks[k].substr(start_of_name(masks[k])),
                           candidates);
    const auto index = index_of(masks);
    const auto pairs_of = [&](const Rewriting& r, size_t count) {
        std::vector<size_t> pairs;
        for (size_t i = 0; i < count; ++i) {
            const auto mask = apply(r, {images[i]}, index);
            pairs.push_back(mask ? mask->front() : Pairing::none);
        }
        return pairs;
    };
    Pairing best{pairs_of({}, 0), ""};
    size_t most = 0;
    for (const Rewriting& r : candidates) {
        const auto pairs = pairs_of(r, std::min<size_t>(images.size(), 300));
        const size_t found = pairs.size() - size_t(std::count(pairs.begin(), pairs.end(), Pairing::none));
        if (found > most && 2 * found > pairs.size()) most = found, best.mask_of = pairs_of(r, images.size());
    }
    return best;
}

template <class F>
Keys keys_of(const std::vector<NamedFile>& files, F key) {
    Keys keys;
    keys.reserve(files.size());
    for (const NamedFile& file : files) keys.push_back(key(file));
    return keys;
}

std::string with_folder(const NamedFile& file) {
    return file.folder.empty() ? file.stem : file.folder + "/" + file.stem;
}

}  // namespace

NamedFile named_file(const std::string& path, const std::string& below) {
    const fs::path relative = fs::path(path).lexically_relative(below).lexically_normal();
    return {path, relative.parent_path().generic_string(), relative.stem().string(), relative.extension().string()};
}

bool Pairing::complete() const { return std::find(mask_of.begin(), mask_of.end(), none) == mask_of.end(); }

const std::vector<std::string>& mask_suffixes() {
    static const std::vector<std::string> all{"",    "_mask", "_masks",      "_label", "_labels",
                                              "_gt", "_seg",  "_annotation", "_L"};
    return all;
}

Pairing pair_names(const std::vector<NamedFile>& images, const std::vector<NamedFile>& masks,
                   const std::string& masks_folder) {
    const Keys plain = keys_of(images, with_folder), plain_masks = keys_of(masks, with_folder);
    Pairing first = *by_suffix(plain, plain_masks);
    if (first.complete()) return first;
    const auto whole = [](const NamedFile& f) { return with_folder(f) + f.extension; };
    const auto fold = [](const NamedFile& f) { return folded(with_folder(f)); };
    const auto whole_fold = [](const NamedFile& f) { return folded(with_folder(f) + f.extension); };
    const auto stem = [](const NamedFile& f) { return f.stem; };
    const auto stem_fold = [](const NamedFile& f) { return folded(f.stem); };
    struct Way {
        Keys images, masks;
        const char* said;
    };
    const std::function<Way()> ways[] = {
        [&] {
            return Way{plain, plain_masks, ""};
        },
        [&] {
            return Way{keys_of(images, whole), plain_masks, ", image names with their extension"};
        },
        [&] {
            return Way{keys_of(images, fold), keys_of(masks, fold), ", without regard to case"};
        },
        [&] {
            return Way{keys_of(images, whole_fold), keys_of(masks, fold), ", without regard to case"};
        },
        [&] {
            return Way{keys_of(images, stem), keys_of(masks, stem), ", without regard to folders"};
        },
        [&] {
            return Way{keys_of(images, stem_fold), keys_of(masks, stem_fold), ", without regard to folders and case"};
        },
    };
    for (const auto& way : ways) {
        const Way w = way();
        if (auto pairing = by_one_rewriting(w.images, w.masks, masks_folder)) {
            pairing->rule += w.said;
            return *pairing;
        }
    }
    const auto alone = [](const Pairing& p) { return std::count(p.mask_of.begin(), p.mask_of.end(), Pairing::none); };
    const Pairing nearly = nearly_by_rewriting(plain, plain_masks);
    return !nearly.mask_of.empty() && alone(nearly) < alone(first) ? nearly : first;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
    std::string best;
    size_t least = SIZE_MAX;
    for (size_t k = 0; k < std::min<size_t>(candidates.size(), 2000); ++k) {
        const std::string& other = candidates[k];
        std::vector<size_t> row(other.size() + 1);
        for (size_t j = 0; j < row.size(); ++j) row[j] = j;
        for (size_t i = 0; i < name.size(); ++i) {
            size_t diagonal = row[0]++;
            for (size_t j = 1; j < row.size(); ++j) {
                const size_t change = diagonal + (name[i] != other[j - 1]);
                diagonal = row[j];
                row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
            }
        }
        if (row.back() < least) least = row.back(), best = other;
    }
    return best;
}

}  // namespace atrous::data
