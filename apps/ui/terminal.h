// What is known about where output goes.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace atrous::app {

bool is_terminal(std::FILE* stream);                        // one that moves its cursor: not TERM=dumb
int terminal_width(std::FILE* stream, int otherwise = 80);  // columns; the variable COLUMNS where nothing is known
bool locale_is_utf8();                                      // by the environment; false: use plain ASCII

int columns_of(std::string_view utf8);  // characters; every one is taken to be one column wide
std::string cut_to_columns(std::string_view utf8, int columns);
std::vector<std::string> wrap(std::string_view text, int columns);  // at spaces

}  // namespace atrous::app
