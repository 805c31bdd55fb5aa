#include "segmentation/averaged_record.h"

#include <fmt/core.h>

#include <cstdlib>

#include "base/error.h"
#include "base/text.h"

namespace atrous {

static const char* key = "atrous.averaged";

void add_averaged(io::Metadata& metadata, double decay) { metadata[key] = fmt::format("{}", decay); }

std::optional<double> averaged_record_of(const io::TensorFile& file) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end()) return std::nullopt;
    char* end = nullptr;
    const double decay = std::strtod(at->second.c_str(), &end);
    if (at->second.empty() || *end != 0)
        throw FormatError(fmt::format("{}: its '{}' is {}; expected the decay of an average", file.path(), key,
                                      io::in_quotes(at->second)));
    return decay;
}

}  // namespace atrous
