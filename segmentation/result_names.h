// What predict calls its results.
#pragma once

#include <string>
#include <vector>

namespace atrous {

struct InputPicture {
    std::string path, input;  // input: what the user named, the picture itself or a folder
};

// One name a picture, relative to the output folder, to which "_binary.png" and the like are appended; no two are
// equal. The picture's name without extension, below the folders that it has in `input`; where two pictures would have
// one name, with extension ("a.png" beside "a.jpg"). UsageError where that does not tell two of several inputs apart.
std::vector<std::string> result_names(const std::vector<InputPicture>& pictures);

}  // namespace atrous
