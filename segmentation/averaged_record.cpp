#include "segmentation/averaged_record.h"

#include <fmt/core.h>

#include <cstdlib>

#include "base/error.h"
#include "base/text.h"

namespace atrous {

static const char* key = "atrous.averaged";
static const std::string of_epochs = " epochs", without_statistics = of_epochs + " without statistics";

std::string text_of(const AveragedRecord& r) {
    if (r.epochs == 0) return fmt::format("averaged weights, of decay {}", r.decay);
    return fmt::format("averaged weights, the mean of {} epoch{}", r.epochs, r.epochs == 1 ? "" : "s");
}

std::string warning_of(const AveragedRecord& r) {
    if (!r.lacks_statistics) return "";
    return "its training was stopped before it had found batch norm's statistics for these averages, so that results "
           "are "
           "not theirs; let it go on with `resume`, or take best.safetensors";
}

void add_averaged(io::Metadata& metadata, const WeightAverage* average) {
    if (!average) return;
    metadata[key] = average->is_mean() ? fmt::format("{}{}", average->added(),
                                                     average->lacks_statistics() ? without_statistics : of_epochs)
                                       : fmt::format("{}", average->decay());
}

std::optional<AveragedRecord> averaged_record_of(const io::TensorFile& file) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end()) return std::nullopt;
    char* end = nullptr;
    const double number = std::strtod(at->second.c_str(), &end);
    if (end != at->second.c_str() && *end == 0) return AveragedRecord{.decay = number};
    const bool lacks = end == without_statistics;
    if (end != at->second.c_str() && (lacks || end == of_epochs) && number >= 1 && number <= 1e9)
        return AveragedRecord{.epochs = int64_t(number), .lacks_statistics = lacks};
    throw FormatError(fmt::format("{}: its '{}' is {}; expected the decay of an average, or a number of epochs",
                                  file.path(), key, io::in_quotes(at->second)));
}

}  // namespace atrous
