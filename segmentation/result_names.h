// Names the results of predict.
#pragma once

#include <string>
#include <vector>

namespace atrous {

struct InputImage {
    std::string path, input;              // input: what the user named, the image itself or a folder
    std::string named = {};               // the path that it goes by, where that is not its own
    std::vector<std::string> bands = {};  // the files of an image whose channels are files; path is the first
};

// One name an image, relative to the output folder, to which "_binary.png" and the like are appended; no two are
// equal. The image's name without extension, below the folders that it has in `input`; where two images would have
// one name, with extension ("a.png" beside "a.jpg"). UsageError where that does not tell two of several inputs apart.
std::vector<std::string> result_names(const std::vector<InputImage>& images);

}  // namespace atrous
