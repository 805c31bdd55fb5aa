// Standard output that passes no control characters on: a file's name may hold any, and terminals obey them.
#pragma once

namespace atrous::app {

// From here on, what the program prints to `stdout` shows control characters other than line ends and tabs as '?'.
void make_output_plain();

// The system's number of the last error in writing it; 0: none. The stream itself keeps only that there was one.
int output_error();

}  // namespace atrous::app
