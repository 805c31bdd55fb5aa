// The prediction of pictures and folders: which pictures, into which files, and what is said of those that fail.
#pragma once

#include <string>
#include <vector>

#include "segmentation/messages.h"
#include "segmentation/predictor.h"
#include "segmentation/result_names.h"

namespace atrous {

// What is to be predicted, and what has a picture's name and cannot be.
struct Pictures {
    std::vector<InputPicture> taken;
    std::vector<std::string> skipped;
};
// Each file once, whichever paths lead to it. Results of earlier predictions in `output`, which may lie among them, are
// passed over. DataError, UsageError.
Pictures find_inputs(const std::vector<std::string>& inputs, const std::string& output, bool recursive,
                     Messages& messages);

// UsageError where a result would replace a file that exists and is not this program's (not with `overwrite`), a picture
// that is predicted, or another file that is `read`. A name too long for the file system is one picture's trouble, which
// is skipped.
std::vector<Job> jobs_of(Pictures& pictures, const Predictor& predictor, const std::vector<std::string>& read,
                         bool overwrite);

// A picture that cannot be read, or does not fit into memory, stops no other: DataError or NumericError at the end names
// all that were left out.
void predict_all(Predictor& predictor, const std::vector<Job>& jobs, std::vector<std::string> skipped,
                 Messages& messages);

}  // namespace atrous
