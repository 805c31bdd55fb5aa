// Names and colours of classes, as files beside the images hold them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/image.h"

namespace atrous::data {

struct ClassNames {
    std::vector<std::string> names;  // by id; an id without a name is "class 3"
    Palette colours = {};            // of a file that holds them, as long as names; else empty
    std::string file = {};           // where they stand
    std::string mask_values = {};    // the rule of mask values that it states, as parse_mask_rule takes it
};

// The file has another form from its first line on: it is another program's, and no names of classes were meant.
class NotClassNames : public DataError {
 public:
    using DataError::DataError;
};

// Reads one of these by its name; DataError with file and line where it holds something else, NotClassNames where its
// first entry does:
//   classes.toml                                data/classes_toml.h
//   _classes.csv                                "Pixel Value, Class" (Roboflow)
//   class_dict.csv                              "name,r,g,b"
//   labelmap.txt                                "name:r,g,b:parts:actions" (CVAT)
//   class_names.txt, classes.txt, labels.txt    a name a line; "__ignore__" is left out (LabelMe)
//   data.yaml, data.yml                         names: of YOLO, as a list or by id
//   objectInfo150.txt                           of ADE20K
ClassNames read_class_names(const std::string& path);

// As a user gives them: names between commas, or a file of any name, below `root` or not, whose ending says how it is
// read (.toml, .csv, .yaml, else a name a line). DataError as above.
ClassNames given_class_names(const std::string& text, const std::string& root);

// The first of those files in a folder that holds names. NotClassNames passes one over, which is a note; passed over
// without one are plain texts that are no list of classes: with names of images, or with a name twice.
std::optional<ClassNames> class_names_in(const std::string& folder, std::vector<std::string>& notes);

std::vector<std::string> voc_class_names();         // 21
std::vector<std::string> cityscapes_class_names();  // 19, by train id
Palette cityscapes_colours();

}  // namespace atrous::data
