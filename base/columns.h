// Columns of an image: those that are worked through together, from the top to the bottom.
#pragma once

#include <cstdint>

namespace atrous {

struct Columns {
    int64_t first = 0, count = 0;

    constexpr int64_t end() const { return first + count; }
    bool operator==(const Columns&) const = default;
};

}  // namespace atrous
