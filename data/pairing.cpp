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
#include "base/paths.h"
#include "data/few.h"

namespace atrous::data {

namespace fs = std::filesystem;

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr const char* separators = "_- .";

bool is_separator(char c) { return std::string_view(separators).find(c) != std::string_view::npos; }

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
        const size_t last = core.find_last_of(separators);
        if (!(image_suffix + mask_suffix).empty() && last != std::string::npos && last > 0 &&
            std::none_of(core.begin() + int64_t(last), core.end(), is_digit)) {
            r.image_suffix.insert(0, core.substr(last));
            r.mask_suffix.insert(0, core.substr(last));
        }
        if (!(image_prefix + mask_prefix).empty() && core.size() > 1 && is_separator(core[0])) {
            r.image_prefix += core[0];
            r.mask_prefix += core[0];
        }
        return r;
    }
    std::string text() const {
        return fmt::format("{}NAME{} with {}NAME{}", image_prefix, image_suffix, mask_prefix, mask_suffix);
    }
};

// Whether the part that the image's name shares with its mask's holds a whole word of both: what two names by chance have
// in common, such as "a" in "cat" and "dark", is none.
bool shares_word(const Rewriting& r, const std::string& image) {
    std::string_view core = image;
    core.remove_prefix(r.image_prefix.size());
    core.remove_suffix(r.image_suffix.size());
    const auto cut_before = [](const std::string& prefix) { return !prefix.empty() && !is_separator(prefix.back()); };
    const auto cut_after = [](const std::string& suffix) { return !suffix.empty() && !is_separator(suffix.front()); };
    if (cut_before(r.image_prefix) || cut_before(r.mask_prefix))
        core.remove_prefix(std::min(core.find_first_of(separators), core.size()));
    if (cut_after(r.image_suffix) || cut_after(r.mask_suffix))
        core = core.substr(0, core.find_last_of(separators) + 1);  // nothing where it has none
    return std::any_of(core.begin(), core.end(), [](char c) { return !is_separator(c); });
}

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

using Index = std::unordered_map<std::string, size_t>;

// The image's mask by this rewriting; Pairing::none where it has none.
size_t mask_of(const Rewriting& r, const std::string& key, const Index& masks) {
    const size_t start = start_of_name(key), around = r.image_prefix.size() + r.image_suffix.size();
    const std::string_view name = std::string_view(key).substr(start);
    if (name.size() <= around || !name.starts_with(r.image_prefix) || !name.ends_with(r.image_suffix))
        return Pairing::none;
    const std::string core(name.substr(r.image_prefix.size(), name.size() - around));
    const auto at = masks.find(key.substr(0, start) + r.mask_prefix + core + r.mask_suffix);
    return at == masks.end() ? Pairing::none : at->second;
}

// The masks of the first `count` images.
std::vector<size_t> masks_of(const Rewriting& r, const Keys& images, const Index& masks, size_t count) {
    std::vector<size_t> found;
    for (size_t i = 0; i < std::min(count, images.size()); ++i) found.push_back(mask_of(r, images[i], masks));
    return found;
}

size_t count_alone(const std::vector<size_t>& masks) {
    return size_t(std::count(masks.begin(), masks.end(), Pairing::none));
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

// What pairs the image with any of the masks, and the images after it too, of which a few are tried.
std::set<Rewriting> rewritings_of(const std::string& image, const Keys& masks, const Keys& images, const Index& index) {
    std::set<Rewriting> all;
    const size_t start = start_of_name(image);
    for (const std::string& mask : masks) {
        if (mask.compare(0, start_of_name(mask), image, 0, start) != 0) continue;
        std::set<Rewriting> some;
        add_rewritings(image.substr(start), mask.substr(start_of_name(mask)), some);
        for (const Rewriting& r : some)
            if (count_alone(masks_of(r, images, index, 4)) < std::min<size_t>(images.size(), 3)) all.insert(r);
    }
    return all;
}

std::optional<Pairing> by_one_rewriting(const Keys& images, const Keys& masks, const std::string& folder) {
    if (images.empty() || masks.empty() || !all_different(images) || !all_different(masks)) return {};
    const auto index = index_of(masks);
    const std::string name = images[0].substr(start_of_name(images[0]));
    std::map<std::vector<size_t>, Rewriting> found;  // by the masks that they give, the one that strips least
    for (const Rewriting& r : rewritings_of(images[0], masks, images, index)) {
        if (images.size() == 1 && !shares_word(r, name)) continue;  // no other image bears it out
        if (count_alone(masks_of(r, images, index, 4)) > 0) continue;
        const auto pairs = masks_of(r, images, index, images.size());
        if (count_alone(pairs) > 0) continue;
        const auto [at, fresh] = found.emplace(pairs, r);
        if (!fresh && r.length() < at->second.length()) at->second = r;
    }
    if (found.empty()) return {};
    const auto best = std::min_element(
        found.begin(), found.end(), [](const auto& a, const auto& b) { return a.second.length() < b.second.length(); });
    if (found.size() > 1 && images.size() > 1) ambiguous(found, name, folder);
    return Pairing{best->first, best->second.tidy(name).text()};
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

// The masks by the rewriting that gives most images one, for a message about the others; of large sets the first few
// hundred are tried. Empty where none gives half of them one, and for a single image.
std::vector<size_t> nearly_by_rewriting(const Keys& images, const Keys& masks) {
    if (images.size() == 1) return {};
    const auto index = index_of(masks);
    const size_t tried = std::min<size_t>(images.size(), 300);
    const Keys some(masks.begin(), masks.begin() + int64_t(std::min<size_t>(masks.size(), 1000)));
    std::vector<size_t> best;
    size_t least = tried / 2 + 1;
    for (size_t i = 0; i < std::min<size_t>(images.size(), 3); ++i)
        for (const Rewriting& r : rewritings_of(images[i], some, images, index))
            if (const size_t alone = count_alone(masks_of(r, images, index, tried)); alone < least)
                least = alone, best = masks_of(r, images, index, images.size());
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
    const std::string relative = path_below(path, below);
    const size_t slash = relative.rfind('/'), name = slash == std::string::npos ? 0 : slash + 1;
    const size_t dot = relative.rfind('.');
    const size_t end = dot == std::string::npos || dot <= name ? relative.size() : dot;
    return {path, name > 0 ? relative.substr(0, slash) : "", relative.substr(name, end - name), relative.substr(end)};
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
    if (auto nearly = nearly_by_rewriting(plain, plain_masks);
        !nearly.empty() && count_alone(nearly) < count_alone(first.mask_of))
        first.mask_of = std::move(nearly);
    return first;
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
