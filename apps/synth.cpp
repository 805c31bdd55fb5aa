#include <cstdio>
#include <filesystem>

#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "data/dataset.h"
#include "data/synth.h"

namespace atrous::app {

int synth(int argc, const char* const* argv) {
    Options o("synth",
              "Draws a labelled data set: cars, discs and polygons over textured backgrounds, with exact masks.");
    std::string output;
    int64_t count = 200, size = 128, seed = 0;
    double val_fraction = 0.2;
    data::SynthOptions options;
    o.bind("output", output, "folder to write {train,val}/{images,masks} into").letter('o').required();
    o.bind("count", count, "pictures in all").min(1).max(1000000);
    o.bind("size", size, "width and height of the pictures").min(16).max(4096).unit("pixels");
    o.bind("val-fraction", val_fraction, "share of the pictures that validate").min(0).max(data::max_val_fraction);
    o.bind("seed", seed, "the same seed draws the same pictures").min(0);
    o.bind("class-per-kind", options.class_per_kind,
           "cars are class 1, discs 2, polygons 3; otherwise every object is foreground");
    o.parse(argc, argv);
    std::error_code error;
    if (path_exists(output) && !is_folder(output))
        throw UsageError("--output " + output + ": is no folder; choose another name");
    if (is_folder(output) && !std::filesystem::is_empty(output, error) && !error)
        throw UsageError("--output " + output + ": the folder is not empty; choose a new one");
    data::write_dataset(output, count, size, uint64_t(seed), val_fraction, options);
    std::printf("wrote %lld pictures of %lldx%lld with masks to %s\n", static_cast<long long>(count),
                static_cast<long long>(size), static_cast<long long>(size), output.c_str());
    return 0;
}

}  // namespace atrous::app
