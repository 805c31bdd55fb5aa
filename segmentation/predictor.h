// Predicts images with the net of a checkpoint, and writes what was asked for.
#pragma once

#include <string>
#include <vector>

#include "segmentation/image_view.h"
#include "segmentation/load_net.h"

namespace atrous {

// One image, and what its results are called: segmentation/result_names.h.
struct Job {
    std::string image, name;
};

class Predictor {
 public:
    // `wanted`: of index, binary, probability, overlay. `threshold`: of a binary net's logit.
    Predictor(LoadedNet& net, std::vector<std::string> wanted, double threshold, std::string output,
              WindowOptions windows = {});

    const std::string& output() const { return output_; }
    std::vector<std::string> paths_of(const Job& job) const;  // of its results

    // Writes the results, whose folder must be there; returns a line about them. DataError for an image that
    // cannot be read, NumericError where the net gives NaN or Inf. Memory: the image, one byte a pixel for each kind
    // of result, and the logits of a row of windows.
    std::string predict(const Job& job);

 private:
    struct Results {
        data::Image ids, probability;
    };
    bool wants(const std::string& what) const;
    std::string path_of(const Job& job, const std::string& what) const;
    Results results_of(const data::Image& image, const ImageView& view, const std::string& path);
    void write(const Job& job, const std::string& what, const data::Image& image, const data::Palette& colours) const;

    LoadedNet& net_;
    std::vector<std::string> wanted_;
    double threshold_;
    std::string output_;
    WindowOptions windows_;
};

}  // namespace atrous
