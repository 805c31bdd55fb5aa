// Names and values in aligned columns.
#pragma once

#include <string>
#include <vector>

namespace atrous {

struct TableRow {
    std::string name, value, origin;
};

// Names and values in aligned columns, and behind each value where it came from (nothing where origin is empty).
// Values longer than the width are cut at their beginning, where paths differ least; width 0 cuts nothing.
std::string format_table(const std::vector<TableRow>& rows, int width = 0);

}  // namespace atrous
