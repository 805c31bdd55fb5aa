// Text in columns, as a terminal shows it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atrous {

int columns_of(std::string_view utf8);  // characters; every one is taken to be one column wide
std::string cut_to_columns(std::string_view utf8, int columns);
std::vector<std::string> wrap(std::string_view text, int columns);  // at spaces

}  // namespace atrous
