#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/text_table.h"
#include "data/class_names.h"
#include "segmentation/card_classes.h"
#include "engine/context.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/outputs.h"
#include "segmentation/postprocess.h"
#include "segmentation/precision.h"
#include "segmentation/prediction.h"
#include "segmentation/prediction_net.h"

namespace atrous::app {

int predict(int argc, const char* const* argv) {
    Options o("predict", "Writes masks, probabilities or overlays for images and folders of them.");
    std::vector<std::string> input, save;
    std::string checkpoint, output, class_names, format = "png";
    double threshold = 0.5;
    bool recursive = false, overwrite = false;
    PredictionOptions prediction;
    Machine machine;
    o.bind("input", input, "images, and folders of images").positional().required();
    describe_checkpoint(o, checkpoint).required();
    describe_output_folder(o, output);
    o.bind("save", save,
           "what to write: index (class ids, palette PNG), binary (0/255, all classes but the first alike), "
           "probability (0..255), overlay; not given: binary overlay, or of a net of several classes index overlay")
        .one_of({"index", "binary", "probability", "overlay"});
    o.bind("format", format,
           "of these files: png, or tiff (tiles, Deflate), which say where they lie where the image is a GeoTIFF")
        .one_of({"png", "tiff"});
    describe_threshold(o, threshold);
    o.bind(
        "class-names", class_names,
        "file that names and colours the classes (classes.toml, class_dict.csv), for the colours of index and overlay; "
        "not given: as in training");
    describe(o, prediction);
    o.bind("recursive", recursive, "also the images of the folders in the folder").letter('r');
    describe_device(o, machine);
    describe_precision(o, machine);
    describe_memory_limit(o, machine);
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);

    Console console;
    Images images = find_inputs(input, output, recursive, console);
    const std::string net = checkpoint_file(checkpoint);
    const Device device = open_device(machine, console);
    if (const int64_t limit = machine.memory_limit_mib) context_of(device).memory().set_limit(size_t(limit) << 20);
    LoadedNet loaded =
        prediction_net(load_net(net, device, machine.precision), net, prediction, machine.precision, console);
    if (!class_names.empty()) {
        const data::ClassNames given = data::given_class_names(class_names, ".");
        rename_classes(loaded.card, given.names, given.colours);
    }
    if (save.empty()) save = {loaded.card.classes() == 2 ? "binary" : "index", "overlay"};
    Predictor predictor(loaded, save, logit_threshold(o, threshold, loaded.card), output, prediction.windows, format);
    const std::vector<Job> jobs = jobs_of(images, predictor, {net, o.config_file()}, overwrite);
    std::fputs(format_table(o.table()).c_str(), stdout);
    predict_all(predictor, jobs, std::move(images.skipped), console);
    return exit_ok;
}

}  // namespace atrous::app
