// Images whose channels are files, in data sets.
#pragma once

#include "data/layouts/paired_samples.h"

namespace atrous::data {

// Makes one image of the files that are its bands, as files.bands says, or as an earlier part of the set has them. `auto`
// leaves files alone whose masks have a band's word too. Says which words became which channels, and which files were
// passed over. DataError where images lack bands; it names them.
void join_bands(FileSets& files, Dataset& dataset);

// The bands that `bands` asks for, in its order, of a set whose layout found them. DataError where the set has none of this
// name, or no bands.
void choose_bands(const std::string& bands, Dataset& dataset);

}  // namespace atrous::data
