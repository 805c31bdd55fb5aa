// What a check finds out about a sample that is too large to be decoded as a whole.
#pragma once

#include "data/sample_check.h"

namespace atrous::data {

// Samples whose image has more pixels, or takes more bytes in memory, in a format that is read row by row, are looked at so.
inline constexpr int64_t most_checked_whole = int64_t{1} << 26, most_bytes_whole = int64_t{1} << 29;
// By the headers of its files. DataError where one cannot be read.
bool is_large(const Sample& sample);

// look_at, row by row: the same but for what needs the whole mask. How wide its values are and whether it numbers its
// objects is not known then.
SampleFacts look_at_rows(const Sample& sample, const MaskRule& rule);

}  // namespace atrous::data
