// Samples of two sets of files, images and masks, which are paired by their names.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/band_names.h"
#include "data/dataset.h"
#include "data/pairing.h"

namespace atrous::data {

struct FileSets {
    std::string images_folder, masks_folder;  // for messages
    std::vector<NamedFile> images = {}, masks = {};
    std::vector<std::string> skipped = {};                           // what cannot be looked at, "path: reason"
    std::vector<std::string> unread_images = {}, unread_masks = {};  // ImageList::unread
    BandRule bands = {};                                             // whether files are channels of images
    bool numbered_are_joined = false;                                // NAME_mask_1 and the like, to NAME_mask
    bool masks_are_shared = false;  // with another part: those left over are then nothing to say
};

// Takes the files of a list into images or masks; names begin below `base`.
std::vector<NamedFile> named_files(const ImageList& list, const std::string& base);

// Every image, of which the channels may be files (data/band_names.h), with its mask (pair_names); or with the folder of its name, whose masks are joined (one an object); or with
// the masks of its name in several folders, which are joined by class in the order of the folders' names. What was
// guessed, left out or left over goes into the dataset's notes and warnings. DataError where an image has no mask, where
// two files differ only in their extension, and where images are of a kind that is not read.
std::vector<Sample> samples_of_files(FileSets files, const std::filesystem::path& root, Dataset& dataset);

// DataError where images of a folder are of a kind that is not read, so many beside `read` others; `what`: "images".
void refuse_unread(const std::string& folder, const std::vector<std::string>& unread, size_t read, const char* what);
// A warning of files that cannot be looked at, where there are some.
void say_skipped(const std::vector<std::string>& skipped, Dataset& dataset);

// Sorts files of one folder into images and masks, by suffixes such as _mask or _segmentation behind an image's stem, or
// exchanged for another suffix (_sat and _mask). Returns false where they do not fall into two such sets.
bool tell_apart(const std::vector<NamedFile>& files, std::vector<NamedFile>& images, std::vector<NamedFile>& masks);

}  // namespace atrous::data
