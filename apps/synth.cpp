#include <cstdio>
#include <filesystem>

#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "data/synth.h"

namespace atrous::app {

int synth(int argc, const char* const* argv) {
    Options o("synth",
              "Draws a labelled data set: cars, discs and polygons over textured backgrounds, with exact masks.");
    auto& output = o.text("output", "", "folder to write {train,val}/{images,masks} into").letter('o').required();
    auto& count = o.integer("count", 200, "pictures in all").min(1).max(1000000);
    auto& size = o.integer("size", 128, "width and height in pixels").min(16).max(4096);
    auto& val_fraction = o.number("val-fraction", 0.2, "share of the pictures that validate").min(0).max(0.9);
    auto& seed = o.integer("seed", 0, "the same seed draws the same pictures").min(0);
    auto& classes =
        o.flag("class-per-kind", "cars are class 1, discs 2, polygons 3; otherwise every object is foreground");
    o.parse(argc, argv);
    std::error_code error;
    if (path_exists(output.value) && !is_folder(output.value))
        throw UsageError("--output " + output.value + ": is no folder; choose another name");
    if (is_folder(output.value) && !std::filesystem::is_empty(output.value, error) && !error)
        throw UsageError("--output " + output.value + ": the folder is not empty; choose a new one");
    data::SynthOptions options;
    options.class_per_kind = classes.value;
    data::write_dataset(output.value, count.value, size.value, uint64_t(seed.value), val_fraction.value, options);
    std::printf("wrote %lld pictures of %lldx%lld with masks to %s\n", static_cast<long long>(count.value),
                static_cast<long long>(size.value), static_cast<long long>(size.value), output.value.c_str());
    return 0;
}

}  // namespace atrous::app
