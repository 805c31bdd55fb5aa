// What is known about where output goes.
#pragma once

#include <cstdio>

namespace atrous::app {

bool is_terminal(std::FILE* stream);                        // one that moves its cursor: not TERM=dumb
int terminal_width(std::FILE* stream, int otherwise = 80);  // columns; the variable COLUMNS where nothing is known
bool locale_is_utf8();                                      // by the environment; false: use plain ASCII

}  // namespace atrous::app
