#include "segmentation/banded_inputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/paths.h"
#include "data/band_names.h"
#include "data/few.h"

namespace atrous {

namespace fs = std::filesystem;

namespace {

std::map<std::string, std::vector<data::NamedFile>> by_folder(const std::vector<InputImage>& images) {
    std::map<std::string, std::vector<data::NamedFile>> folders;
    for (const InputImage& image : images) {
        const std::string folder =
            is_folder(image.input) ? image.input : fs::path(image.path).parent_path().generic_string();
        folders[folder].push_back(data::named_file(image.path, folder));
    }
    return folders;
}

InputImage input_of(const data::BandedImage& image, const std::string& folder) {
    const std::string extension = fs::path(image.files[0]).extension().string();
    const fs::path named = fs::path(folder) / image.folder / (image.stem + extension);
    return {image.files[0], folder, named.string(), image.files};
}

std::string bands_it_lacks(const data::BandedImage& image, const std::vector<std::string>& names) {
    std::vector<std::string> absent;
    for (size_t b = 0; b < names.size(); ++b)
        if (image.files[b].empty()) absent.push_back(names[b]);
    return data::few_of(absent);
}

}  // namespace

void join_bands(Images& images, const std::string& bands, const ModelCard& card, Messages& messages) {
    data::BandRule rule = data::parse_band_rule(bands);
    if (rule.automatic) rule = {.automatic = false, .names = card.bands};
    if (rule.names.empty()) return;
    if (int64_t(rule.names.size()) != card.net.in_channels)
        throw UsageError(fmt::format("`bands` {}: {} bands, but the net takes {} channels", bands, rule.names.size(),
                                     card.net.in_channels));
    std::vector<InputImage> joined;
    std::vector<std::string> skipped, others;
    for (const auto& [folder, files] : by_folder(images.taken)) {
        const data::BandedImages found = data::bands_of(files, rule, data::name_of_folder(folder));
        others.insert(others.end(), found.others.begin(), found.others.end());
        for (const data::BandedImage& image : found.images) {
            const std::string absent = bands_it_lacks(image, found.names);
            if (absent.empty())
                joined.push_back(input_of(image, folder));
            else
                skipped.push_back(fmt::format("{}: the image {} has no band {}", folder, image.stem, absent));
        }
    }
    if (joined.empty() && skipped.empty()) return;
    if (!others.empty())
        messages.text(fmt::format("passed over {} files that are none of the bands {}: {}\n", others.size(),
                                  data::text_of(rule.names), data::few_of(others)));
    images.taken = std::move(joined);
    images.skipped.insert(images.skipped.end(), skipped.begin(), skipped.end());
}

}  // namespace atrous
