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
#include "data/band_names.h"
#include "data/few.h"
#include "segmentation/banded_inputs.h"
#include "segmentation/experiment.h"
#include "segmentation/inspection/page.h"
#include "segmentation/outputs.h"

namespace atrous::app {

namespace {

struct InspectArguments {
    std::vector<std::string> images, masks;
    std::string checkpoint, compare, output, bands = "auto";
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
        o.bind("bands", bands,
               "words in the names of files, or of their folders, that are the channels of one image, in their order, "
               "such as B04,B03,B02; none: each file is an image; auto: as in training");
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
        const bool files_are_images = bands == "none" || (bands == "auto" && checkpoint.empty());
        if (files_are_images || masks.size() > images.size()) check_number(images.size());
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

    // Of images whose channels are files, there are fewer than files.
    void check_number(size_t of_images) const {
        if (!masks.empty() && masks.size() != of_images)
            throw UsageError(fmt::format("`masks`: {} for {} images; expected one an image, in their order, or none",
                                         masks.size(), of_images));
        if (of_images * nets().size() > most_studies)
            throw UsageError(
                fmt::format("`images`: {} for {} nets; a page holds {} together; expected fewer, or several "
                            "pages",
                            of_images, nets().size(), most_studies));
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

std::string bands_text(const ModelCard& card) {
    return card.bands.empty() ? "none, each image a file" : data::text_of(card.bands);
}

// As they are given; all absolute where some are, so that they can be compared.
std::vector<std::string> comparable(std::vector<std::string> paths) {
    const auto absolute = [](const std::string& path) { return std::filesystem::path(path).is_absolute(); };
    if (std::any_of(paths.begin(), paths.end(), absolute))
        for (std::string& path : paths) path = absolute_path(path);
    return paths;
}

// In which all files lie: the bands of an image may be in folders of their own.
std::string common_folder(const std::vector<std::string>& files) {
    std::filesystem::path common = std::filesystem::path(files[0]).parent_path();
    for (const std::string& file : files) {
        const std::filesystem::path folder = std::filesystem::path(file).parent_path();
        const auto end = std::mismatch(common.begin(), common.end(), folder.begin(), folder.end()).first;
        std::filesystem::path both;
        for (auto part = common.begin(); part != end; ++part) both /= *part;
        common = both;
    }
    return common.empty() ? "." : common.string();
}

// The images in the order in which they, or their first files, are given.
std::vector<data::Sample> samples_of(const InspectArguments& a, const ModelCard& card, Messages& messages) {
    Images images;
    const std::vector<std::string> given = comparable(a.images);
    for (const std::string& path : given) images.taken.push_back({path, common_folder(given)});
    join_bands(images, a.bands, card, messages);
    if (!images.skipped.empty()) throw DataError(data::few_of(images.skipped));
    const auto place = [&](const InputImage& image) {
        const std::vector<std::string> files = image.bands.empty() ? std::vector{image.path} : image.bands;
        return std::find_first_of(given.begin(), given.end(), files.begin(), files.end());
    };
    std::stable_sort(images.taken.begin(), images.taken.end(),
                     [&](const InputImage& x, const InputImage& y) { return place(x) < place(y); });
    a.check_number(images.taken.size());
    std::vector<data::Sample> samples;
    for (size_t i = 0; i < images.taken.size(); ++i) {
        const InputImage& image = images.taken[i];
        const std::string& name = image.bands.empty() ? image.path : image.named;
        samples.push_back({image.path,
                           a.masks.empty() ? "" : a.masks[i],
                           std::filesystem::path(name).filename().string(),
                           {},
                           image.bands});
    }
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
    for (const std::string& path : paths) nets.push_back(a.load(path, device, console));
    for (const LoadedNet& net : nets)
        if (net.card.bands != nets[0].card.bands)
            throw UsageError(fmt::format(
                "`compare` {}: its training had the bands {}, that of {} had {}; expected nets of the same "
                "bands",
                short_name(paths[1]), bands_text(net.card), short_name(paths[0]), bands_text(nets[0].card)));
    const std::vector<data::Sample> samples = samples_of(a, nets[0].card, console);
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
