// What predict calls its results.
#pragma once

#include <string>
#include <vector>

namespace atrous::app {

// One name a picture, relative to the output folder, to which "_binary.png" and the like are appended; no two are
// equal. The picture's name without extension, below the folders that it has in `input`; where two pictures would have
// one name, with extension ("a.png" beside "a.jpg").
std::vector<std::string> result_names(const std::vector<std::string>& pictures, const std::string& input);

}  // namespace atrous::app
