// Data sets as they lie on disk. Each layout is described in its own file of data/layouts/ and listed in layouts.cpp; a
// program may add its own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace atrous::data {

struct Layout {
    std::string name;   // "Pascal VOC"; what is recognized goes by it where Dataset::layout says nothing else
    std::string looks;  // what people see in the folder, in a line: "images/ and masks/ with files of the same names"
    // Returns nothing where the folder does not look so; throws DataError where it does and something in it is wrong.
    // The samples that validate may be left empty.
    std::optional<Dataset> (*recognize)(const std::string& root);
    bool is_single = false;  // one public set or one program's; messages then give its name alone
};

const std::vector<Layout>& layouts();  // in the order in which they are looked for
// Adds a layout before those that are there, so that a special layout is not taken for a general one. Must be called
// before there are threads. Throws Error where one has this name.
void add_layout(Layout layout);
std::string looks_of_layouts();  // of all, with "; " between them, and the names of single ones

// Reads a data set by the first layout that `root` has. Throws DataError where it has none.
Dataset recognize_layout(const std::string& root);

}  // namespace atrous::data
