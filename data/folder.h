// Folders as file systems have them: an entry that cannot be looked at stops no other.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

// The names in a folder, sorted. DataError with the system's reason where it cannot be read.
std::vector<std::string> names_in(const std::string& folder);

// The images in a folder itself, in order of their names; none are fine. DataError as above.
ImageList images_in(const std::string& folder);

// Also those of the folders in it, as find_images finds them, but none are fine and unread ones are kept apart. What
// macOS adds to archives (__MACOSX) is passed over.
ImageList images_below(const std::string& folder);

// Why `path` is no `kind` ("file", "folder"): "no such folder", "not a folder", or the system's reason.
std::string absence(const std::string& path, const std::string& kind);

}  // namespace atrous::data
