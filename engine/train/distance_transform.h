// The exact Euclidean distance transform.
#pragma once

#include <cstdint>
#include <vector>

namespace atrous {

// Returns, of each pixel of [h][w], the square of its distance in pixels to the nearest pixel that is not 0 in `set`; -1
// everywhere where there is none. Exact, in integers and O(h w) (Meijster, Roerdink, Hesselink: A general algorithm for
// computing distance transforms in linear time, 2000).
std::vector<int64_t> squared_distances(const std::vector<uint8_t>& set, int64_t h, int64_t w);

}  // namespace atrous
