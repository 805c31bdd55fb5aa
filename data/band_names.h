// Images whose channels are files, as Sentinel-2 and Landsat come: which files are the bands of one image, by their names.
#pragma once

#include <string>
#include <vector>

#include "data/pairing.h"

namespace atrous::data {

// Text form, as a user gives it to `bands`:
//   auto         files are bands where most have one word such as B02, B8A or band4 in their names or their folders'
//   none         each file is an image
//   B04,B03,B02  the files with these words, of which each is a channel, in this order
struct BandRule {
    bool automatic = true;
    std::vector<std::string> names = {};  // none, and not automatic: each file is an image
};
BandRule parse_band_rule(const std::string& text);  // UsageError
std::string text_of(const std::vector<std::string>& bands);

// Which of the bands a word is, in any case, and B2 is B02; bands.size(): none of them.
size_t place_of_band(const std::vector<std::string>& bands, const std::string& word);

// One image: its name is what the names of its files have in common.
struct BandedImage {
    std::string folder, stem;        // as NamedFile has them
    std::vector<std::string> files;  // by band; empty: the band is missing
};
struct BandedImages {
    std::vector<std::string> names;  // of the bands, in the order of channels; none: files are no bands
    std::vector<BandedImage> images;
    std::vector<std::string> others;  // files without one of these words

    // "tile3 (no B04), tile7 (no B03, B04)" of the images that lack bands; empty where none does.
    std::string missing() const;
};

// The band's word and that of its resolution (10m, R20m, 60m) are left out of the name: tile_B02_10m.tif, B02/tile.tif and
// tile/B02.tif are bands of the image tile. Bands that are found are in the order of their numbers, B8A after B08; they are
// found where most files have one such word, and some image has two; other files are passed over. `name_of_all`: an image's
// name where nothing else is left of it. DataError where two files are the same band of an image.
BandedImages bands_of(const std::vector<NamedFile>& files, const BandRule& rule, const std::string& name_of_all);

// What bands_of may call an image after: the folder's own name, also of "scene/" and "."; of the root "image".
std::string name_of_folder(const std::string& folder);

// Whether a word of the name or of the folders is one that `auto` takes for a band.
bool has_band_word(const NamedFile& file);

}  // namespace atrous::data
