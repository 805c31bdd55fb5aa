#include "apps/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "apps/exit_codes.h"
#include "apps/process.h"
#include "apps/ui/plain_output.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/suggest.h"
#include "base/text.h"

namespace atrous::app {
namespace {

struct Verb {
    const char* name;
    int (*run)(int, const char* const*);
    const char* about;
    bool computes = false;  // with all threads
};

constexpr Verb verbs[] = {
    {"train", train, "train a net on a folder of images and masks", true},
    {"find-lr", find_lr, "find a learning rate for a training by a range test", true},
    {"sweep", sweep, "train with varying settings, and rank what comes of it"},
    {"recipes", recipes, "list the settings with which known systems train, or show one"},
    {"eval", eval, "score a checkpoint on a data set", true},
    {"predict", predict, "write masks, probabilities or overlays for images", true},
    {"summary", summary, "show a net layer by layer, and the memory it takes"},
    {"inspect", inspect, "write a page that shows what a net does with an image", true},
    {"convert", convert, "convert weights between .pth and .safetensors"},
    {"export", export_net, "write a net as an ONNX file"},
    {"forward", forward, "run a net on a given tensor, with gradients if wanted", true},
    {"run-op", run_op, "run one op on given tensors, with gradients if wanted"},
    {"data", data, "check a data set, or show it as a training sees it"},
    {"synth", synth, "draw a labelled data set to try things on"},
    {"report", report, "write the report of a training, or compare several"},
    {"replay", replay, "run the step again that ended a training with NaN or Inf", true},
    {"tune", tune, "time a net's convolutions on a GPU, for later trainings", true},
    {"bench", bench, "time kernels and training steps", true},
    {"devices", devices, "say what will be used, and why not what won't"},
};

std::string usage() {
    std::string text =
        "atrous - image segmentation, trained and run from the command line\n\nusage: atrous VERB [options]     atrous "
        "VERB -h for its options\n\n";
    for (const Verb& v : verbs) {
        std::string name = v.name;
        name.resize(10, ' ');
        text += "  " + name + v.about + "\n";
    }
    return text +
           "\nexit codes: 0 ok, 2 usage, 3 data, 4 files and checkpoints, 5 device, 6 not a number,\n"
           "            7 memory, 129, 130 and 143 interrupted after saving, 1 anything else\n";
}

std::vector<std::string> names_of_verbs() {
    std::vector<std::string> names;
    for (const Verb& v : verbs) names.push_back(v.name);
    return names;
}

// An answer that needs no threads is given without starting the program anew.
bool asks_for_help(int argc, char** argv) {
    return std::any_of(argv, argv + argc,
                       [](std::string_view a) { return a == "-h" || a == "--help" || a == "--help-all"; });
}

int dispatch(int argc, char** argv) {
    const std::string all = fmt::format("{}", fmt::join(names_of_verbs(), ", "));
    if (argc < 2) throw UsageError("no verb given; expected one of " + all + " (atrous -h says more)");
    const std::string verb = argv[1];
    if (verb == "-h" || verb == "--help" || verb == "help") throw TextRequested{usage()};
    if (verb == "--version") throw TextRequested{"atrous 0.1.0\n"};
    for (const Verb& v : verbs) {
        if (verb != v.name) continue;
        if (v.computes && !asks_for_help(argc, argv)) bound_spinning(argv);
        return v.run(argc - 1, argv + 1);
    }
    throw UsageError("verb " + io::in_quotes(verb) + " is unknown; expected one of " + all +
                     did_you_mean(verb, names_of_verbs()));
}

}  // namespace
}  // namespace atrous::app

int atrous::run_program(int argc, char** argv) {
    app::prepare_process();
    app::make_output_plain();
    return app::run_guarded([&] { return app::dispatch(argc, argv); });
}
