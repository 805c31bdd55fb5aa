#include <cstdio>
#include <filesystem>

#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "data/dataset.h"
#include "data/synth.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"

namespace atrous::app {

int synth(int argc, const char* const* argv) {
    Options o("synth",
              "Draws a labelled data set: cars, discs and polygons over textured backgrounds, with exact masks.");
    std::string output;
    int64_t count = 200, seed = 0;
    ImageSize size = 128;
    double val_fraction = 0.2;
    data::SynthOptions options;
    describe_output_folder(o, output).help += ": {train,val}/{images,masks}";
    o.bind("count", count, "images in all").min(1).max(1000000);
    describe_size(o, size).min(16).max(4096).help = "size of the images, square or width by height";
    data::describe_val_fraction(o, val_fraction).help = "share of the images that validate";
    data::describe_seed(o, seed).help = "the same seed draws the same images";
    o.bind("class-per-kind", options.class_per_kind,
           "cars are class 1, discs 2, polygons 3; otherwise every object is foreground");
    o.parse(argc, argv);
    std::error_code error;
    if (path_exists(output) && !is_folder(output))
        throw UsageError("--output " + output + ": is no folder; choose another name");
    if (is_folder(output) && !std::filesystem::is_empty(output, error) && !error)
        throw UsageError("--output " + output + ": the folder is not empty; choose a new one");
    data::write_dataset(output, count, size, uint64_t(seed), val_fraction, options);
    std::printf("wrote %lld images of %lldx%lld with masks to %s\n", static_cast<long long>(count),
                static_cast<long long>(size.width), static_cast<long long>(size.height), output.c_str());
    return 0;
}

}  // namespace atrous::app
