// The exact Euclidean distance transform, in integers and O(h w) (Meijster, Roerdink, Hesselink: A general algorithm for
// computing distance transforms in linear time, 2000).
#pragma once

#include <cstdint>
#include <vector>

namespace atrous {

// Writes, for each pixel of [h][w], the square of its distance in pixels to the nearest pixel that is not 0 in `set`,
// of which there is one at least. `columns` is room for distance_buffer(h, w) integers. Of int64_t, or int32_t where no
// side is longer than 32767 pixels.
template <class Int>
void squared_distances(const uint8_t* set, int64_t h, int64_t w, Int* squares, Int* columns);
constexpr int64_t distance_buffer(int64_t h, int64_t w) { return h * w + 2 * w; }

// The same in memory of its own; -1 everywhere where `set` is 0 everywhere.
std::vector<int64_t> squared_distances(const std::vector<uint8_t>& set, int64_t h, int64_t w);

}  // namespace atrous
