#include "base/text_table.h"

#include <algorithm>

#include "base/text_columns.h"

namespace atrous {
namespace {

std::string padded(const std::string& text, int columns) {
    return text + std::string(size_t(std::max(0, columns - columns_of(text))), ' ');
}

std::string end_of(const std::string& text, int columns) {
    const int cut = columns_of(text) - columns;
    if (cut <= 0) return text;
    return "..." + text.substr(cut_to_columns(text, cut + 3).size());
}

}  // namespace

std::string format_table(const std::vector<TableRow>& rows, int width) {
    constexpr int margin = 2;
    int name_columns = 0, value_columns = 0, origin_columns = 0;
    for (const TableRow& row : rows) {
        name_columns = std::max(name_columns, columns_of(row.name));
        value_columns = std::max(value_columns, columns_of(row.value));
        origin_columns = std::max(origin_columns, columns_of(row.origin));
    }
    if (width > 0)
        value_columns = std::min(value_columns, std::max(16, width - name_columns - origin_columns - 3 * margin));
    const std::string gap(margin, ' ');
    std::string text;
    for (const TableRow& row : rows) {
        std::string line = gap + padded(row.name, name_columns) + gap;
        const std::string value = end_of(row.value, value_columns);
        line += row.origin.empty() ? value : padded(value, value_columns) + gap + row.origin;
        text += line.substr(0, line.find_last_not_of(' ') + 1) + '\n';
    }
    return text;
}

}  // namespace atrous
