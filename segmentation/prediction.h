// The prediction of images and folders: which images, into which files, and what is said of those that fail.
#pragma once

#include <string>
#include <vector>

#include "segmentation/messages.h"
#include "segmentation/predictor.h"
#include "segmentation/result_names.h"

namespace atrous {

// The images to predict, and the files that have an image's name and cannot be predicted.
struct Images {
    std::vector<InputImage> taken;
    std::vector<std::string> skipped;
};
// Finds each file once, whichever paths lead to it. Results of earlier predictions in `output`, which may lie among
// them, are passed over. Throws DataError, UsageError.
Images find_inputs(const std::vector<std::string>& inputs, const std::string& output, bool recursive,
                   Messages& messages);

// Throws UsageError where a result would replace a file that exists and is not this program's (not with `overwrite`),
// an image that is predicted, or another file that is `read`. An image whose name is too long for the file system is
// skipped.
std::vector<Job> jobs_of(Images& images, const Predictor& predictor, const std::vector<std::string>& read,
                         bool overwrite);

// Predicts all images. One that cannot be read, or does not fit into memory, stops no other: DataError or NumericError
// at the end names all that were left out. Where the predictor was asked to stop, no unfinished result is left, and the
// line at the end says how far it came.
void predict_all(Predictor& predictor, const std::vector<Job>& jobs, std::vector<std::string> skipped,
                 Messages& messages);

}  // namespace atrous
