#include "segmentation/extremes.h"

#include <fmt/core.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/posix.h"
#include "base/text.h"
#include "segmentation/outputs.h"
#include "segmentation/result_sheet.h"
#include "segmentation/score_text.h"

namespace atrous {

namespace fs = std::filesystem;

// N of "best=N"; 0 where it is no number that may stand there.
static int64_t count_of(const std::string& digits) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    const bool is_count = error == std::errc() && end == digits.data() + digits.size() && number <= 1000;
    return is_count ? std::max<int64_t>(number, 0) : 0;
}

Extremes parse_extremes(const std::string& text) {
    Extremes count;
    std::istringstream parts(text.ends_with(',') ? text + " " : text);
    for (std::string part; std::getline(parts, part, ',');) {
        const size_t equals = part.find('=');
        const std::string side = part.substr(0, equals);
        const int64_t number = equals == std::string::npos ? 0 : count_of(part.substr(equals + 1));
        int64_t* const to = side == "best" ? &count.best : side == "worst" ? &count.worst : nullptr;
        if (!to || number == 0 || *to != 0)
            throw UsageError(
                fmt::format("`save` {}: expected best=N, worst=N or both with a comma, each once, N from 1 to 1000",
                            io::in_quotes(text)));
        *to = number;
    }
    return count;
}

void check_extremes_folder(const std::string& folder) {
    if (path_exists(folder) && !is_folder(folder))
        throw UsageError("`output` " + folder + ": is no folder; choose another name");
    fs::path there = absolute_path(folder);
    while (!path_exists(there.string()) && there.has_relative_path()) there = there.parent_path();
    if (!is_folder(there.string()))
        throw UsageError(fmt::format("`output` {}: {} is no folder; choose another name", folder, there.string()));
    if (::access(there.c_str(), W_OK | X_OK) != 0)
        throw io::system_error("`output` " + folder + ": cannot be written to; choose another folder", errno);
}

std::vector<RankedSample> ranked(std::vector<ScoredSample> samples, const Extremes& count) {
    std::erase_if(samples, [](const ScoredSample& s) { return !std::isfinite(s.loss); });
    std::stable_sort(samples.begin(), samples.end(),
                     [](const ScoredSample& a, const ScoredSample& b) { return a.loss > b.loss; });
    const size_t worst = std::min(samples.size(), size_t(count.worst));
    const size_t best = std::min(samples.size() - worst, size_t(count.best));
    std::vector<RankedSample> ranking;
    for (size_t i = 0; i < worst; ++i)
        ranking.push_back({fmt::format("worst-{}", i + 1), samples[i].sample, samples[i].loss});
    for (size_t i = 0; i < best; ++i) {
        const ScoredSample& s = samples[samples.size() - 1 - i];
        ranking.push_back({fmt::format("best-{}", i + 1), s.sample, s.loss});
    }
    return ranking;
}

// A sample's name as part of a file's: without folders, and not too long.
static std::string file_name(const RankedSample& ranked, const std::string& name) {
    constexpr size_t longest = 150;
    std::string part = name.size() > longest ? name.substr(name.size() - longest) : name;
    std::replace(part.begin(), part.end(), '/', '_');
    return ranked.rank + "_" + part + ".png";
}

// The name of a file that an evaluation may have written.
static bool is_ranked_name(const std::string& name) {
    const size_t rank = name.starts_with("best-") ? 5 : name.starts_with("worst-") ? 6 : 0;
    const size_t behind = rank > 0 ? name.find_first_not_of("0123456789", rank) : 0;
    return rank > 0 && behind > rank && behind != std::string::npos && name[behind] == '_' && name.ends_with(".png");
}

// The pictures of an earlier evaluation that this one does not replace.
static std::vector<std::string> left_behind(const std::string& folder, const std::vector<std::string>& files) {
    std::vector<std::string> left;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
        const std::string name = at->path().filename().string(), path = folder + "/" + name;
        if (is_ranked_name(name) && data::is_our_png(path) &&
            std::find(files.begin(), files.end(), path) == files.end())
            left.push_back(path);
    }
    std::sort(left.begin(), left.end());
    return left;
}

std::vector<std::string> save_extremes(const std::string& folder, const std::vector<RankedSample>& ranking,
                                       SegmentationNet& net, const ModelCard& card, DType compute,
                                       const std::vector<data::Sample>& samples, const ClassThresholds& thresholds,
                                       const data::LoaderOptions& loader, bool overwrite) {
    std::vector<data::Sample> chosen;
    std::vector<std::string> files;
    Outputs outputs;
    make_folders(folder);
    for (const RankedSample& r : ranking) {
        chosen.push_back(samples.at(r.sample));
        files.push_back(folder + "/" + file_name(r, chosen.back().name));
        outputs.writes("`output`", files.back(), FileKind::png);
    }
    const std::vector<std::string> left = left_behind(folder, files);
    Outputs removed;
    for (const std::string& file : left) removed.writes("`output`", file, FileKind::png);
    outputs.check(overwrite);
    outputs.check_samples(samples);
    removed.check_samples(samples);
    for (const std::string& file : left)
        if (::unlink(file.c_str()) != 0 && errno != ENOENT)
            throw io::system_error("cannot remove " + file + " of an earlier evaluation", errno);
    if (chosen.empty()) return files;
    std::vector<data::SheetRow> rows =
        result_rows(net, card, compute, chosen, int64_t(chosen.size()), thresholds, loader);
    for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].score = fmt::format("loss {}, {}", score_text(ranking[i].loss), rows[i].score);
        const data::Image sheet = data::contact_sheet({rows[i]}, sheet_classes(card));
        io::write_durably(files[i], data::encode_png(sheet, {}, data::PngMark::ours));
    }
    return files;
}

}  // namespace atrous
