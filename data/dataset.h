// Finds which image goes with which mask, which samples validate, and whether all of it can be learnt from.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/image_size.h"
#include "base/settings.h"
#include "data/mask.h"
#include "data/mask_source.h"
#include "data/value_range.h"

namespace atrous::data {

struct Sample {
    std::string image_path, mask_path, name;      // name: the image's path below the root, without ".", "//", extension
    std::shared_ptr<const MaskSource> mask = {};  // of a mask that is no file; mask_path then says where it comes from
    std::vector<std::string> bands =
        {};  // of an image whose channels are files: those, of which image_path is the first
};

struct Dataset {
    std::vector<Sample> train = {}, val = {};
    std::vector<Sample> test = {};              // of a set that has such a part: it neither trains nor validates
    std::string layout = {};                    // what was recognized, for people
    std::vector<std::string> warnings = {};     // masks without an image, and the like
    std::vector<std::string> notes = {};        // what was guessed and why, and how to say otherwise; a line each
    std::string mask_values = {};               // the rule that the set is known by; empty: `mask-values` auto decides
    std::vector<std::string> class_names = {};  // by class id, where the set says them
    Palette palette = {};                       // likewise its colours; empty or as long as class_names
    std::vector<std::string> bands = {};        // what the channels of all images are called, where these are files
    std::map<std::string, uint8_t> ids_of_lists = {};  // what the column of classes of its first list holds
    bool drawn_split = false;                          // by `val-fraction` or `fold`
    LabelForm form = LabelForm::ids;                   // of the labels; in bits class_names have no background
};

// Whether masks are read by the rule that the set is known by.
bool is_rule_of(const Dataset& dataset, const MaskRule& rule);

inline constexpr double max_val_fraction = 0.9;

struct DatasetOptions {
    std::string root;
    std::string train_list, val_list;  // list files (data/list.h); the paths in them are relative to the root
    std::string val_pattern;           // a glob on image file names, such as "*9.png"
    int64_t val_every = 0;             // data/split.h, as the next two
    std::string fold = {}, group_pattern = {};
    bool split_by_class = false;
    double val_fraction = 0.1;  // used where nothing else says what validates
    int64_t seed = 0;           // of that share
    // Folders or globs, below the root or absolute. A part's masks may be left empty: then `masks` has them too.
    std::string images = {}, masks = {}, val_images = {}, val_masks = {}, test_images = {}, test_masks = {};
    std::string bands = "auto";      // data/band_names.h; of images that are given, or as the layout finds them
    std::string class_names = {};    // names, or a file of them (data/class_names.h); empty: as the set says
    std::string rle_order = "auto";  // how runs of a list are counted: "rows", "columns", or as its heading says
    std::string check_cache = {};    // data/check_index.h
    bool multi_label = false;        // classes overlap: labels are in bits (base/label_form.h)
};

// The seed is the whole experiment's.
void describe(Settings& settings, DatasetOptions& options);
Setting<double>& describe_val_fraction(Settings& settings, double& fraction);
Setting<int64_t>& describe_seed(Settings& settings, int64_t& seed);

// UsageError for a rule of masks that contradicts `multi-label`.
void check_multi_label(bool multi_label, const MaskRule& rule);

// The image's file, the same for every spelling of its path: canonical and absolute.
std::string file_key(const Sample& sample);

// 64 well-mixed bits of a name and a seed, the same on every machine.
uint64_t name_hash(const std::string& name, uint64_t seed);

// The sample's image, as the loader decodes it. DataError.
Image load_image(const Sample& sample);

// The mask of a sample whose image has this size. DataError where it has another.
RawMask load_mask(const Sample& sample, int64_t h, int64_t w);
void check_mask_size(const Sample& sample, ImageSize mask, ImageSize image);  // DataError where they differ

struct ImageList {
    std::vector<std::string> images;
    std::vector<std::string> skipped;      // one line each, "path: reason"
    std::vector<std::string> unread = {};  // images of a kind that is not read, "path (kind)"
};

// The images of a folder in order of their names, or the one file; `below`: also those of the folders in it, linked
// ones too, each folder once. Skipped are folders that cannot be read or were met before, and what has an image's name
// but is no file, or is an image that is not read. A name without an image's extension counts by its first bytes.
// DataError where `path` itself cannot be read or holds no image.
ImageList find_images(const std::string& path, bool below = false);

class CheckIndex;    // data/check_index.h
struct SampleFacts;  // data/sample_check.h

struct CheckOptions {
    MaskRule rule;             // may be `auto`
    int class_count = 0;       // 0: found from the masks
    int threads = 0;           // 0: one a core
    int64_t train_count = -1;  // the first so many samples train, the others validate; -1: not split
    std::function<void(int64_t done, int64_t of)> progress = {};  // after each sample; from one thread at a time
    int channels = 0;                                             // of the net; 0: found from the images
    RangeRule range = {};                                         // of the images' values
    int named_classes = 0;                                        // how many classes the set has names for
    std::vector<std::string> class_names = {};                    // for messages, where there are as many as classes
    CheckIndex* index = nullptr;                                  // what is known of the samples already
    bool drawn_split = false;                                     // Dataset::drawn_split
    bool rule_of_set = false;  // the rule is the one that the set is known by (Dataset::mask_values): it is not doubted
    bool by_rows = false;      // images that are too large to be decoded as a whole are fine
};

// Finds samples by layout (data/layouts.h), unless lists name them. Masks are paired by stem, also with _mask, _label,
// _gt and the like appended. Throws DataError where an image has no mask, and names the first few; where nothing is
// recognized, it names what was found. Where a list of all validates, none is left to train on. A sample is its image's
// file, whatever the path that names it or the links that lead to it: none comes twice, and what val_list names does
// not train. A split by class looks at the samples before it, as `looking` says, whose rule `auto` is that of the set where
// it has one.
Dataset find_dataset(const DatasetOptions& options, const CheckOptions& looking = {});

struct DatasetReport {
    MaskRule rule;  // definite
    int64_t samples = 0, gray_images = 0, deep_images = 0, float_images = 0, paged_images = 0;
    int64_t min_h = 0, min_w = 0, max_h = 0, max_w = 0;
    int64_t train_min_h = 0, train_min_w = 0, train_max_h = 0, train_max_w = 0;  // of those that train
    std::vector<ImageSize> sizes = {};                                           // each once
    ImageSize train_largest;                    // of those that train the one with the most pixels
    int64_t train_deep_images = 0;              // of those that train: more than 8 bits, floats too
    ImageSize val_largest;                      // of those that validate the one with the most pixels; none: none does
    int channels = 3;                           // of the net: 3 for gray, RGB and RGBA, else as many as the images have
    ValueRange range = {};                      // definite; without bounds: of the integers' type
    float low = 0, high = 0;                    // the smallest and the largest value of the training images
    std::vector<int64_t> pixels;                // by class
    std::vector<int64_t> samples_with;          // by class: masks that contain it
    std::vector<int64_t> train_with, val_with;  // the same of each part; empty where it has no samples
    int64_t ignored_pixels = 0, counted_pixels = 0;  // a pixel of several classes counts once
    std::vector<std::string> warnings;
    bool one_size() const { return min_h == max_h && min_w == max_w; }
    std::string text() const;  // some lines for people
};

// Decodes every image and mask. Sizes must match, every value must have a class, and images must have the channels of the
// net; throws one DataError that names the first few offenders by path. Floats need a range of values, which `auto`
// measures. Warns of classes that one part holds and the other does not, and of images that validate and are equal to
// training images or look like them.
DatasetReport check_dataset(const std::vector<Sample>& samples, const CheckOptions& options);
// The same of samples that were looked at with this rule (look_at_samples).
DatasetReport check_dataset(const std::vector<Sample>& samples, const std::vector<SampleFacts>& facts,
                            const CheckOptions& options);

}  // namespace atrous::data
