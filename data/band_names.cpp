#include "data/band_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/few.h"
#include "data/image.h"

namespace atrous::data {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_of_word(char c) { return is_digit(c) || is_letter(c); }

// Sorts as the satellites count: 1 and "" of B01, 8 and "a" of B8A.
struct BandNumber {
    int number = 0;
    std::string more;
    auto operator<=>(const BandNumber&) const = default;
};

// The number of B02, b8A, band4; 0 of other words.
BandNumber number_of(const std::string& word) {
    const std::string low = io::lower_case(word);
    const size_t first = low.starts_with("band") ? 4 : low.starts_with("b") ? 1 : low.size();
    size_t end = first;
    while (end < low.size() && is_digit(low[end])) ++end;
    const std::string more = low.substr(end);
    if (end == first || end - first > 2 || (!more.empty() && more != "a")) return {};
    return {std::stoi(low.substr(first, end - first)), more};
}

bool is_resolution(const std::string& word) {
    static const std::set<std::string> known{"10m", "20m", "60m", "r10m", "r20m", "r60m"};
    return known.contains(io::lower_case(word));
}

void for_each_word(const std::string& name, const std::function<void(const std::string&)>& f) {
    for (size_t at = 0, end; at < name.size(); at = end + 1) {
        for (end = at; end < name.size() && is_of_word(name[end]);) ++end;
        if (end > at) f(name.substr(at, end - at));
    }
}

// The name without some words, each of which takes a separator with it.
std::string without(const std::string& name, const std::function<bool(const std::string&)>& goes) {
    std::string left;
    for (size_t at = 0, end; at < name.size(); at = end) {
        for (end = at; end < name.size() && is_of_word(name[end]);) ++end;
        if (end == at) {
            left += name[end++];
        } else if (const std::string word = name.substr(at, end - at); !goes(word)) {
            left += word;
        } else if (!left.empty() && !is_of_word(left.back())) {
            left.pop_back();
        } else if (end < name.size()) {
            ++end;
        }
    }
    return left;
}

// One form of a band's name, whatever its case and zeros: B02 and b2 are one word.
std::string one_form(const std::string& word) {
    const BandNumber number = number_of(word);
    return number.number > 0 ? fmt::format("b{}{}", number.number, number.more) : io::lower_case(word);
}

// The words of a file that are bands, each once and in one form.
std::set<std::string> band_words(const NamedFile& file, const std::function<bool(const std::string&)>& is_band) {
    std::set<std::string> words;
    for (const std::string* part : {&file.folder, &file.stem})
        for_each_word(*part, [&](const std::string& word) {
            if (is_band(word)) words.insert(one_form(word));
        });
    return words;
}

bool is_numbered(const std::string& word) { return number_of(word).number > 0; }

// The words that most files have one of; none where half of them have none or several.
std::vector<std::string> found_names(const std::vector<NamedFile>& files) {
    std::map<BandNumber, std::string> names;
    size_t others = 0;
    for (const NamedFile& file : files) {
        if (band_words(file, is_numbered).size() != 1) {
            ++others;
            continue;
        }
        for (const std::string* part : {&file.folder, &file.stem})
            for_each_word(*part, [&](const std::string& word) {
                if (is_numbered(word)) names.try_emplace(number_of(word), word);
            });
    }
    if (2 * others >= files.size()) return {};
    std::vector<std::string> sorted;
    for (const auto& [number, name] : names) sorted.push_back(name);
    return sorted;
}

BandedImage image_of(const NamedFile& file, const std::vector<std::string>& names, const std::string& name_of_all) {
    const auto goes = [&](const std::string& word) {
        return place_of_band(names, word) < names.size() || is_resolution(word);
    };
    BandedImage image{without(file.folder, goes), without(file.stem, goes), {}};
    if (image.stem.empty()) {  // tile/B02.tif
        const std::filesystem::path folder = image.folder;
        image.stem = folder.empty() ? name_of_all : folder.filename().string();
        image.folder = folder.parent_path().generic_string();
    }
    return image;
}

[[noreturn]] void refuse_second(const std::string& band, const std::string& first, const std::string& second) {
    throw DataError(fmt::format(
        "{} and {} are both the band {} of one image; leave one of them out by `images`, a glob", first, second, band));
}

}  // namespace

size_t place_of_band(const std::vector<std::string>& bands, const std::string& word) {
    const auto same = [&](const std::string& name) {
        const BandNumber number = number_of(name);
        return io::lower_case(name) == io::lower_case(word) || (number.number > 0 && number == number_of(word));
    };
    return size_t(std::find_if(bands.begin(), bands.end(), same) - bands.begin());
}

BandRule parse_band_rule(const std::string& text) {
    if (text == "auto") return {};
    if (text == "none") return {.automatic = false};
    BandRule rule{.automatic = false};
    for (size_t at = 0, end; at <= text.size(); at = end + 1) {
        end = std::min(text.find(',', at), text.size());
        const std::string name = text.substr(at, end - at);
        if (name.empty() || !std::all_of(name.begin(), name.end(), is_of_word))
            throw UsageError(
                fmt::format("`bands` {}: {} is no word of letters and digits; expected auto, none, or words "
                            "between commas such as B04,B03,B02",
                            text, io::in_quotes(name)));
        if (place_of_band(rule.names, name) < rule.names.size())
            throw UsageError(fmt::format("`bands` {}: {} is there twice; name each band once", text, name));
        rule.names.push_back(name);
    }
    if (rule.names.size() > size_t(max_channels))
        throw UsageError(
            fmt::format("`bands`: {} names; an image has at most {} channels", rule.names.size(), max_channels));
    return rule;
}

std::string text_of(const std::vector<std::string>& bands) {
    std::string text;
    for (const std::string& band : bands) text += (text.empty() ? "" : ",") + band;
    return text;
}

std::string BandedImages::missing() const {
    std::vector<std::string> lines;
    for (const BandedImage& image : images) {
        std::vector<std::string> absent;
        for (size_t b = 0; b < names.size(); ++b)
            if (image.files[b].empty()) absent.push_back(names[b]);
        if (!absent.empty()) lines.push_back(fmt::format("{} (no {})", image.stem, few_of(absent)));
    }
    return few_of(lines);
}

BandedImages bands_of(const std::vector<NamedFile>& files, const BandRule& rule, const std::string& name_of_all) {
    BandedImages found;
    found.names = rule.automatic ? found_names(files) : rule.names;
    if (found.names.empty()) return {};
    const size_t bands = found.names.size();
    std::map<std::pair<std::string, std::string>, BandedImage> images;
    for (const NamedFile& file : files) {
        const auto words =
            band_words(file, [&](const std::string& word) { return place_of_band(found.names, word) < bands; });
        if (words.size() != 1) {
            found.others.push_back(file.path);
            continue;
        }
        BandedImage image = image_of(file, found.names, name_of_all);
        BandedImage& all = images.try_emplace({image.folder, image.stem}, image).first->second;
        all.files.resize(bands);
        const size_t band = place_of_band(found.names, *words.begin());
        if (!all.files[band].empty()) refuse_second(found.names[band], all.files[band], file.path);
        all.files[band] = file.path;
    }
    for (auto& [key, image] : images) found.images.push_back(std::move(image));
    const auto several = [](const BandedImage& image) {
        return image.files.size() - size_t(std::count(image.files.begin(), image.files.end(), "")) > 1;
    };
    if (rule.automatic && std::none_of(found.images.begin(), found.images.end(), several)) return {};
    return found;
}

std::string name_of_folder(const std::string& folder) {
    const std::string name = std::filesystem::path(canonical_path(folder.empty() ? "." : folder)).filename().string();
    return name.empty() ? "image" : name;
}

bool has_band_word(const NamedFile& file) { return !band_words(file, is_numbered).empty(); }

}  // namespace atrous::data
