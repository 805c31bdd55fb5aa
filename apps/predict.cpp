#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/interrupt.h"
#include "apps/predict_arguments.h"
#include "apps/verbs.h"
#include "base/paths.h"
#include "base/text_table.h"
#include "data/class_names.h"
#include "engine/context.h"
#include "segmentation/banded_inputs.h"
#include "segmentation/card_classes.h"
#include "segmentation/precision.h"
#include "segmentation/prediction.h"
#include "segmentation/tuning.h"

namespace atrous::app {

static std::vector<std::string> default_results(const ModelCard& card) {
    if (card.label_form() == LabelForm::bits) return {"classes", "overlay"};
    return {card.classes() == 2 ? "binary" : "index", "overlay"};
}

int predict(int argc, const char* const* argv) {
    PredictArguments a;
    a.o.parse(argc, argv);
    Console console;
    Images images = find_inputs(a.input, a.output, a.recursive, console);
    const Device device = open_device(a.machine, console);
    if (const int64_t limit = a.machine.memory_limit_mib) context_of(device).memory().set_limit(size_t(limit) << 20);
    LoadedNet loaded = prediction_net(
        a.checkpoint, a.prediction,
        [&](const std::string& path, const std::string& precision) {
            return a.described.load(a.o, path, !a.prediction.average_with.empty(), device,
                                    precision.empty() ? a.machine.precision : precision, console);
        },
        console);
    take_tuned_kernels(*io::open_tensors(weights_file(a.checkpoint)), device, console);
    if (!a.class_names.empty()) {
        const data::ClassNames given = data::given_class_names(a.class_names, ".");
        rename_classes(loaded.card, given.names, given.colours);
    }
    join_bands(images, a.bands, loaded.card, console);
    if (a.save.empty()) a.save = default_results(loaded.card);
    Predictor predictor(loaded, a.save, logit_thresholds(a.o, a.threshold, loaded.card), a.output, a.prediction.windows,
                        a.format);
    std::vector<std::string> read{weights_file(a.checkpoint), a.o.config_file(), a.threshold.file};
    for (const std::string& more : a.prediction.average_with) read.push_back(weights_file(more));
    const std::vector<Job> jobs = jobs_of(images, predictor, read, a.overwrite);
    std::fputs(format_table(a.o.table()).c_str(), stdout);
    watch_interrupts("row of windows");
    predictor.stop_when([] { return interrupt_signal() != 0; });
    predict_all(predictor, jobs, std::move(images.skipped), console);
    return interrupt_signal() ? exit_after_signal(interrupt_signal()) : exit_ok;
}

}  // namespace atrous::app
