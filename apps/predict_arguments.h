// What `atrous predict` is asked for.
#pragma once

#include <string>
#include <vector>

#include "apps/options.h"
#include "base/image_size.h"
#include "models/catalogue.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/postprocess.h"
#include "segmentation/prediction_net.h"

namespace atrous::app {

struct PredictArguments {
    std::vector<std::string> input, save;
    std::string checkpoint, output, class_names, format = "png";
    double threshold = 0.5;
    bool recursive = false, overwrite = false;
    PredictionOptions prediction;
    Machine machine;
    // Of weights that do not describe their net.
    NetConfig net;
    ImageSize size;
    std::string normalize = "none", value_range = "auto";
    size_t described_from;  // the first of these settings
    Options o{"predict", "Writes masks, probabilities or overlays for images and folders of them."};

    PredictArguments() {
        o.bind("input", input, "images, and folders of images").positional().required();
        describe_checkpoint(o, checkpoint).required().help +=
            ", or with `model` and `size` any .pth or .safetensors of the net";
        describe_output_folder(o, output);
        describe_results();
        describe_threshold(o, threshold);
        o.bind("class-names", class_names,
               "file that names and colours the classes (classes.toml, class_dict.csv), for the colours of index and "
               "overlay; not given: as in training");
        describe(o, prediction);
        o.bind("recursive", recursive, "also the images of the folders in the folder").letter('r');
        describe_device(o, machine);
        describe_precision(o, machine);
        describe_memory_limit(o, machine);
        describe_overwrite(o, overwrite);
        o.group("Net, where the checkpoint does not describe it");
        described_from = o.all().size();
        describe_net();
    }
    // UsageError for settings of the net beside the checkpoint `path`, which has its own.
    void refuse_description(const std::string& path) const {
        for (size_t i = described_from; i < o.all().size(); ++i)
            if (o.all()[i]->given())
                throw UsageError("`" + o.all()[i]->key + "`: " + path + " says itself what net it is of; leave it out" +
                                 (prediction.average_with.empty()
                                      ? ""
                                      : "; of checkpoints that are averaged either all or none say so"));
    }
    // The card of the weights `path`, which have none. Images are seen as they are, larger ones by windows of this size.
    ModelCard described_card(const std::string& path) const {
        if (size.none())
            throw UsageError(path +
                             ": does not say what net it is of; say `model` and what belongs to it, and the `size` of "
                             "the images that it was trained on");
        check_applicable(o, net);
        ModelCard card;
        card.net = net;
        card.height = size.height;
        card.width = size.width;
        card.resize = data::ResizeMode::none;
        if (normalize == "imagenet") card.normalization = data::Normalization::imagenet();
        card.normalization.range = data::parse_value_range(value_range).range;
        return card;
    }

 private:
    void describe_results() {
        o.bind("save", save,
               "what to write: index (class ids, with a palette), binary (0/255, all classes but the first alike), "
               "probability (0..255), overlay; not given: binary overlay, or of a net of several classes index overlay")
            .one_of({"index", "binary", "probability", "overlay"});
        o.bind("format", format,
               "of these files: png, or tiff (tiles, Deflate), which say where they lie where the image is a GeoTIFF")
            .one_of({"png", "tiff"});
    }
    void describe_net() {
        describe(o, net);
        o.bind("out-channels", net.out_channels, "channels of the logits; 1 or 2 for two classes")
            .min(net_ranges::out_channels.low)
            .max(net_ranges::out_channels.high);
        o.bind("channels", net.in_channels, "channels of the images").min(1).max(data::max_channels);
        bind_size(o, "size", size, "size of the images that it was trained on; none: the checkpoint's")
            .min(card_ranges::size.low)
            .max(card_ranges::size.high)
            .or_none();
        o.bind("normalize", normalize, "none: values 0..1; imagenet: minus mean, over std")
            .one_of({"none", "imagenet"});
        o.bind("value-range", value_range, "stored values that stand for 0 and 1: LOW..HIGH; auto: the whole range");
    }
};

}  // namespace atrous::app
