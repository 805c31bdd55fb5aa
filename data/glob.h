// Folders and globs, as `images` and `masks` give them.
#pragma once

#include <string>

#include "data/dataset.h"

namespace atrous::data {

struct GivenFiles {
    std::string base;  // the folder that the pattern begins with, where names begin
    ImageList list;
};

// The images that `given` names: a folder (those in all its folders too), a glob or a file, below `root` or absolute. In a
// glob * and ? stand for parts of a name and ** for any folders; where it names a folder, all in that is meant. DataError
// where there are none; `setting` begins the message.
GivenFiles given_files(const std::string& root, const std::string& given, const std::string& setting);

bool matches_glob(const std::string& path, const std::string& glob);  // both relative, with '/'

}  // namespace atrous::data
