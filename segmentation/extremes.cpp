#include "segmentation/extremes.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "segmentation/outputs.h"
#include "segmentation/result_sheet.h"
#include "segmentation/score_text.h"

namespace atrous {

Extremes parse_extremes(const std::string& text) {
    Extremes count;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, ',');) {
        const size_t equals = part.find('=');
        const std::string side = part.substr(0, equals),
                          digits = equals == std::string::npos ? "" : part.substr(equals + 1);
        int64_t number = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
        const bool is_count =
            error == std::errc() && end == digits.data() + digits.size() && number >= 1 && number <= 1000;
        if ((side != "best" && side != "worst") || !is_count)
            throw UsageError(fmt::format("`save` {}: expected best=N, worst=N or both with a comma, N from 1 to 1000",
                                         io::in_quotes(text)));
        (side == "best" ? count.best : count.worst) = number;
    }
    return count;
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

std::vector<std::string> save_extremes(const std::string& folder, const std::vector<RankedSample>& ranking,
                                       SegmentationNet& net, const ModelCard& card, DType compute,
                                       const std::vector<data::Sample>& samples, double threshold,
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
    outputs.check(overwrite);
    outputs.check_samples(samples);
    if (chosen.empty()) return files;
    std::vector<data::SheetRow> rows =
        result_rows(net, card, compute, chosen, int64_t(chosen.size()), threshold, loader);
    for (size_t i = 0; i < rows.size(); ++i) {
        rows[i].score = fmt::format("loss {}, {}", score_text(ranking[i].loss), rows[i].score);
        const data::Image sheet = data::contact_sheet({rows[i]}, sheet_classes(card));
        io::write_durably(files[i], data::encode_png(sheet, {}, data::PngMark::ours));
    }
    return files;
}

}  // namespace atrous
