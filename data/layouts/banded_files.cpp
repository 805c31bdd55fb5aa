#include "data/layouts/banded_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "data/few.h"

namespace atrous::data {

namespace {

// A part after the first has the bands of the first, or none.
BandRule rule_of_part(const FileSets& files, const Dataset& dataset) {
    if (!dataset.bands.empty()) return {.automatic = false, .names = dataset.bands};
    const bool masks_have_words = std::any_of(files.masks.begin(), files.masks.end(), has_band_word);
    if (files.bands.automatic && (!dataset.train.empty() || masks_have_words)) return {.automatic = false};
    return files.bands;
}

void refuse_missing(const FileSets& files, const BandedImages& found) {
    if (found.images.empty())
        throw DataError(
            fmt::format("{}: none of {} files has one of the bands {} in its name or its folders', such as {}; "
                        "name them in `bands`",
                        files.images_folder, files.images.size(), text_of(found.names), files.images[0].path));
    if (const std::string missing = found.missing(); !missing.empty())
        throw DataError(
            fmt::format("{}: images lack bands: {}; add the files, or leave the bands out with `images`, `masks` and "
                        "`bands`, which is {} here (none: each file is an image)",
                        files.images_folder, missing, text_of(found.names)));
}

void say_bands(const FileSets& files, const BandedImages& found, Dataset& dataset) {
    if (!found.others.empty())
        dataset.warnings.push_back(fmt::format("{}: {} files have none of the bands' names and are passed over: {}",
                                               files.images_folder, found.others.size(), few_of(found.others)));
    if (!dataset.bands.empty()) return;
    dataset.bands = found.names;
    dataset.notes.push_back(fmt::format(
        "{}: each image is {} files, whose channels are in this order: {}; `bands` gives another, or others",
        files.images_folder, found.names.size(), text_of(found.names)));
}

void choose_of_sample(const std::vector<size_t>& places, Sample& sample) {
    std::vector<std::string> files;
    for (const size_t place : places) files.push_back(sample.bands[place]);
    sample.bands = std::move(files);
    sample.image_path = sample.bands[0];
}

}  // namespace

void join_bands(FileSets& files, Dataset& dataset) {
    const BandRule rule = rule_of_part(files, dataset);
    const BandedImages found = bands_of(files.images, rule, name_of_folder(files.images_folder));
    if (found.names.empty()) return;
    refuse_missing(files, found);
    say_bands(files, found, dataset);
    files.images.clear();
    for (const BandedImage& image : found.images) {
        const std::string extension = std::filesystem::path(image.files[0]).extension().string();
        files.images.push_back({image.files[0], image.folder, image.stem, extension, image.files});
    }
}

void choose_bands(const std::string& bands, Dataset& dataset) {
    const BandRule rule = parse_band_rule(bands);
    if (rule.automatic || rule.names == dataset.bands) return;
    if (dataset.bands.empty())
        throw DataError(fmt::format(
            "`bands` {}: in this data set each image is a file; leave it out, or name the files of the bands "
            "with `images` and `masks`",
            bands));
    std::vector<size_t> places;
    for (const std::string& name : rule.names) {
        const size_t place = place_of_band(dataset.bands, name);
        if (place == dataset.bands.size())
            throw DataError(fmt::format("`bands` {}: this data set has no band {}; it has {}", bands, name,
                                        text_of(dataset.bands)));
        places.push_back(place);
    }
    if (places.empty())
        throw DataError(
            "`bands` none: in this data set the files of an image are its bands; to take each for an image, "
            "name them with `images` and `masks`");
    for (auto* part : {&dataset.train, &dataset.val, &dataset.test})
        for (Sample& sample : *part) choose_of_sample(places, sample);
    dataset.bands = rule.names;
    dataset.notes.push_back(fmt::format("of these bands {} are taken, in this order", text_of(rule.names)));
}

}  // namespace atrous::data
