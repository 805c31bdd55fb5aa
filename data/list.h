// List files say which images belong to a part of a data set, and where their masks are.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/rle.h"

namespace atrous::data {

struct ListEntry {
    std::string image, mask;                 // mask is empty for a bare stem and for a run-length mask
    std::shared_ptr<const std::string> rle;  // the mask itself (data/rle.h), of a CSV file
    int line = 0;
    std::string class_name = {};  // of the run-length mask, where a column says it
};

struct List {
    std::vector<ListEntry> entries;
    std::optional<RunOrder> order;  // of runs, where the heading is one that is known
    std::string heading;            // the fields of the first line, where they name the columns
    auto begin() const { return entries.begin(); }
    auto end() const { return entries.end(); }
};

// Text in UTF-8, or UTF-16 with a byte order mark, one sample a line: "image mask" or a bare stem; '#' at the start or
// after white space begins a comment. A tab, comma, semicolon or bar may stand between them too, and then the paths may
// hold spaces.
// *.csv and *.tsv: separated by comma, semicolon, tab or bar with "quotes" as RFC 4180; a heading may name the columns
// (image|img|filename|…, mask|label|…, rle_mask|rle|EncodedPixels|…, ClassId|class), else the first is the image and the
// second its mask's path or runs. Paths are as they are written; ".." is refused. Throws DataError with file and line.
List read_list(const std::string& path);

}  // namespace atrous::data
