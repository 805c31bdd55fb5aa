// List files say which images belong to a part of a data set, and where their masks are.
#pragma once

#include <memory>
#include <string>
#include <vector>

namespace atrous::data {

struct ListEntry {
    std::string image, mask;                 // mask is empty for a bare stem and for a run-length mask
    std::shared_ptr<const std::string> rle;  // the mask itself (data/rle.h), of a CSV file
    int line = 0;
};

// Text, one sample a line: "image mask" or a bare stem; '#' at the start or after white space begins a comment; paths
// with spaces are separated by a tab.
// *.csv: comma separated with "quotes" as RFC 4180; a heading may name the columns (image|img|filename|…,
// mask|label|…, rle_mask|rle|EncodedPixels), else the first is the image and the second its mask's path or runs.
// Absolute paths and ".." are refused. Throws DataError with file and line.
std::vector<ListEntry> read_list(const std::string& path);

}  // namespace atrous::data
