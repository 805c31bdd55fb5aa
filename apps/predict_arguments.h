// What `atrous predict` is asked for.
#pragma once

#include <string>
#include <vector>

#include "apps/described_net.h"
#include "apps/options.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/prediction_net.h"
#include "segmentation/thresholds.h"

namespace atrous::app {

struct PredictArguments {
    std::vector<std::string> input, save;
    std::string checkpoint, output, class_names, format = "png", bands = "auto";
    Thresholds threshold;
    bool recursive = false, overwrite = false;
    PredictionOptions prediction;
    Machine machine;
    DescribedNet described;
    Options o{"predict", "Writes masks, probabilities or overlays for images and folders of them."};

    PredictArguments() {
        o.bind("input", input, "images, and folders of images").positional().required();
        describe_checkpoint(o, checkpoint).required().help += DescribedNet::beside_checkpoints;
        describe_output_folder(o, output);
        describe_results();
        describe_thresholds(o, threshold);
        o.bind("class-names", class_names,
               "file that names and colours the classes (classes.toml, class_dict.csv), for the colours of index and "
               "overlay; not given: as in training");
        describe(o, prediction);
        o.bind("bands", bands,
               "words in the names of files, or of their folders, that are the channels of one image, in their order, "
               "such as B04,B03,B02; none: each file is an image; auto: as in training");
        o.bind("recursive", recursive, "also the images of the folders in the folder").letter('r');
        describe_device(o, machine);
        describe_precision(o, machine);
        describe_memory_limit(o, machine);
        describe_overwrite(o, overwrite);
        described.describe(o);
    }

 private:
    void describe_results() {
        o.bind(
             "save", save,
             "what to write: index (class ids, with a palette), binary (0/255, all classes but the first alike), "
             "probability (0..255), overlay, classes (of `multi-label`: a mask for each, in a folder of its name); not "
             "given: binary overlay, of a net of several classes index overlay, of `multi-label` classes overlay")
            .one_of({"index", "binary", "probability", "overlay", "classes"});
        o.bind("format", format,
               "of these files: png, or tiff (tiles, Deflate), which say where they lie where the image is a GeoTIFF")
            .one_of({"png", "tiff"});
    }
};

}  // namespace atrous::app
