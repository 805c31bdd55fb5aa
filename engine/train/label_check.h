// Labels that are no class. A loss passes over them on every device, as over ignored ones, so they are looked for on the
// host, in bytes that it copies anyway (0.2 ms for 4 million labels).
#pragma once

#include <cstdint>

#include "engine/host_batch.h"

namespace atrous {

// Throws DataError with name, place and value of the first label that is neither a class of a net with so many output
// channels (1: two classes) nor `ignored` (-1: none is).
void check_labels(const HostBatch& batch, int64_t out_channels, int ignored);

}  // namespace atrous
