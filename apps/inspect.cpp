#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/console.h"
#include "apps/described_net.h"
#include "apps/exit_codes.h"
#include "apps/inspect.h"
#include "apps/options.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "base/paths.h"
#include "segmentation/experiment.h"
#include "segmentation/inspection/page.h"
#include "segmentation/outputs.h"

namespace atrous::app {

namespace {

struct InspectArguments {
    std::vector<std::string> images, masks;
    std::string checkpoint, compare, output;
    inspection::StudyOptions study;
    uint64_t seed = 0;
    bool overwrite = false;
    Machine machine;
    DescribedNet described;
    Options o{
        "inspect",
        "Writes a page that shows what a net does with images: its graph with the feature maps of every layer, "
        "probabilities and receptive fields by pixel, class activations. It opens in any browser, without a network. "
        "`atrous inspect kernel` OP writes one that plays how the kernels of an op run."};

    InspectArguments() {
        o.bind("images", images, "images to look at").positional().required();
        describe_checkpoint(o, checkpoint).help += fmt::format(
            "{}; not given: the net that `model` and `size` describe, "
            "before any training",
            DescribedNet::beside_checkpoints);
        o.bind("masks", masks, "masks of the images, in their order, for scores and gradients of the loss");
        o.bind("mask-values", study.mask_values,
               "what their values mean, as for train; not given: as in training; of a net that does not know it "
               "binary, or ids "
               "for several classes");
        o.bind("compare", compare, "checkpoint or run folder whose net is shown beside the first");
        o.bind("output", output, "file to write (HTML)").letter('o').required();
        o.bind("grid", study.grid,
               "logits down and across whose effective receptive field is found, by a backward pass each; 0: none")
            .min(0)
            .max(inspection::most_grid);
        o.bind("feature-channels", study.channels, "channels of each feature map that are drawn, the strongest ones")
            .min(1)
            .max(inspection::most_channels);
        o.bind("seed", seed, "seed of the values of a net without `checkpoint`");
        describe_device(o, machine);
        describe_overwrite(o, overwrite);
        described.describe(o);
    }

    void parse(int argc, const char* const* argv) {
        o.parse(argc, argv);
        if (!masks.empty() && masks.size() != images.size())
            throw UsageError(fmt::format("`masks`: {} for {} images; expected one an image, in their order, or none",
                                         masks.size(), images.size()));
        if (images.size() * nets().size() > most_studies)
            throw UsageError(
                fmt::format("`images`: {} for {} nets; a page holds {} together; expected fewer, or several "
                            "pages",
                            images.size(), nets().size(), most_studies));
        if (!checkpoint.empty() && o.at("seed").given())
            throw UsageError("`seed`: the values are those of `checkpoint`; leave one of them out");
        Outputs files;
        if (!checkpoint.empty()) files.reads("--checkpoint", weights_file(checkpoint));
        if (!compare.empty()) files.reads("--compare", weights_file(compare));
        for (const std::string& image : images) files.reads("images", image);
        for (const std::string& mask : masks) files.reads("--masks", mask);
        files.reads("--config", o.config_file()).writes("--output", output, FileKind::page).check(overwrite);
    }

    std::vector<std::string> nets() const {
        return compare.empty() ? std::vector{checkpoint} : std::vector{checkpoint, compare};
    }

    // What is described is the net of those that do not say what they are of.
    LoadedNet load(const std::string& path, Device device, Messages& messages) const {
        if (path.empty()) return described.fresh(o, device, precision, seed);
        const auto knows = [](const std::string& net) {
            return !net.empty() && has_model_card(*io::open_tensors(weights_file(net)));
        };
        const std::vector<std::string> all = nets();
        if (knows(path) && !std::all_of(all.begin(), all.end(), knows))
            return load_net(*io::open_tensors(weights_file(path)), device, precision);
        return described.load(o, path, false, device, precision, messages);
    }

 private:
    static constexpr const char* precision = "fp32";  // gradients of single logits are too small for less
    static constexpr size_t most_studies = 16;
};

std::string short_name(const std::string& path) {
    return path.empty() ? "untrained" : std::filesystem::path(path).lexically_normal().string();
}

std::vector<data::Sample> samples_of(const InspectArguments& a) {
    std::vector<data::Sample> samples;
    for (size_t i = 0; i < a.images.size(); ++i)
        samples.push_back(
            {a.images[i], a.masks.empty() ? "" : a.masks[i], std::filesystem::path(a.images[i]).filename().string()});
    return samples;
}

}  // namespace

int inspect(int argc, const char* const* argv) {
    if (argc > 1 && std::string_view(argv[1]) == "kernel") return inspect_kernel(argc - 1, argv + 1);
    InspectArguments a;
    a.parse(argc, argv);
    Console console;
    const Device device = open_device(a.machine, console);
    const std::vector<std::string> paths = a.nets();
    std::vector<LoadedNet> nets;
    for (const std::string& path : paths) {
        nets.push_back(a.load(path, device, console));
        if (!nets.back().card.bands.empty())
            throw UsageError(short_name(path) +
                             ": the channels of its images are files of their own, which a page "
                             "cannot show yet; expected a net of images that are one file each");
    }
    const std::vector<data::Sample> samples = samples_of(a);
    for (const LoadedNet& net : nets)
        for (const data::Sample& sample : samples) check_sample(net, sample, a.study);
    inspection::Json studies = inspection::Json::array();
    for (const data::Sample& sample : samples)
        for (size_t i = 0; i < nets.size(); ++i)
            studies.push_back(inspection::net_study(nets[i], short_name(paths[i]), sample, a.study, console));
    const std::string title = fmt::format("{} – what the net does", studies[0]["net"].get<std::string>());
    inspection::write_page(a.output, title, studies);
    fmt::print("wrote {}\n", a.output);
    return exit_ok;
}

}  // namespace atrous::app
