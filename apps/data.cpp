#include "apps/data.h"

#include "apps/exit_codes.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "segmentation/augment_presets.h"

namespace atrous::app {

DataArguments::DataArguments(std::string verb, std::string about) : o(std::move(verb), std::move(about)) {
    describe_images(o, e);
    describe_augment_preset(o, augment);
    o.bind("threads", e.machine.threads, "threads that look at images; 0: one a core").min(0).max(1024);
}

void DataArguments::parse(std::vector<std::string> words) {
    if (!words.empty() && !words[0].starts_with("-")) words.insert(words.begin(), "--data");
    o.parse(words);
    apply_augment_preset(o);
    check(e.augmentations);
    training_size(e);
}

Outputs DataArguments::inputs() const {
    Outputs files;
    files.reads("--config", o.config_file());
    files.reads("--train-list", e.data.train_list).reads("--val-list", e.data.val_list);
    return files;
}

int data(int argc, const char* const* argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "check") return data_check(argc - 1, argv + 1);
    if (what == "show") return data_show(argc - 1, argv + 1);
    if (what == "-h" || what == "--help")
        throw TextRequested{
            "usage: atrous data check DIR [options]   what a training would find in a data set, and what else to know\n"
            "       atrous data show DIR [options]    a contact sheet of samples as a training sees them\n"
            "-h behind either lists its options, those of train that concern the data\n"};
    throw UsageError("data '" + what + "': expected `atrous data check` or `atrous data show`");
}

}  // namespace atrous::app
