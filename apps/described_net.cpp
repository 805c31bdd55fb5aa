#include "apps/described_net.h"

#include <fmt/core.h>

#include "base/paths.h"
#include "models/catalogue.h"
#include "segmentation/precision.h"

namespace atrous::app {

std::string weights_file(const std::string& path) { return is_folder(path) ? checkpoint_file(path) : path; }

void DescribedNet::describe(Options& o, const bool* multi_label) {
    o.group("Net, where the checkpoint does not describe it");
    first_ = o.all().size();
    atrous::describe(o, net_);
    o.bind("out-channels", net_.out_channels, "channels of the logits; 1 or 2 for two classes")
        .min(net_ranges::out_channels.low)
        .max(net_ranges::out_channels.high);
    o.bind("channels", net_.in_channels, "channels of the images").min(1).max(data::max_channels);
    bind_size(o, "size", size_, "size of the images that it was trained on; none: the checkpoint's")
        .min(card_ranges::size.low)
        .max(card_ranges::size.high)
        .or_none();
    o.bind("normalize", normalize_, "none: values 0..1; imagenet: minus mean, over std").one_of({"none", "imagenet"});
    o.bind("value-range", value_range_, "stored values that stand for 0 and 1: LOW..HIGH; auto: the whole range");
    multi_label_ = multi_label ? multi_label : &own_multi_label_;
    if (!multi_label)
        o.bind("multi-label", own_multi_label_, "classes overlap: each channel of the logits is one, with a sigmoid");
    end_ = o.all().size();
}

static void take_multi_label(ModelCard& card) {
    const int64_t channels = card.net.out_channels;
    if (channels < 2 || channels > max_bit_classes)
        throw UsageError(fmt::format("`out-channels` {}: with `multi-label` expected 2 to {}, one for each class",
                                     channels, max_bit_classes));
    card.loss.labels = LabelForm::bits;
    card.mask_values = "bits";
}

LoadedNet DescribedNet::load(const Options& o, const std::string& path, bool averaged, Device device,
                             const std::string& precision, Messages& messages) const {
    const std::string file = weights_file(path);
    const auto weights = io::open_tensors(file);
    if (!has_model_card(*weights)) return load_described(file, card(o, file), device, precision, messages);
    refuse_beside(o, file, averaged);
    return load_net(*weights, device, precision);
}

LoadedNet DescribedNet::fresh(const Options& o, Device device, const std::string& precision, uint64_t seed) const {
    LoadedNet loaded;
    loaded.card = card(o, "a net without --checkpoint");
    if (!precision.empty()) loaded.precision = precision;
    loaded.compute = use_precision(loaded.precision, device);
    loaded.net = make_net(loaded.card.net);
    loaded.net->materialize({.device = device, .compute = loaded.compute, .seed = seed});
    loaded.net->set_training(false);
    return loaded;
}

void DescribedNet::refuse_beside(const Options& o, const std::string& path, bool averaged) const {
    for (size_t i = first_; i < end_; ++i)
        if (o.all()[i]->given())
            throw UsageError("`" + o.all()[i]->key + "`: " + path + " says itself what net it is of; leave it out" +
                             (averaged ? "; of checkpoints that are averaged either all or none say so" : ""));
}

ModelCard DescribedNet::card(const Options& o, const std::string& path) const {
    if (size_.none())
        throw UsageError(path +
                         ": does not say what net it is of; say `model` and what belongs to it, and the `size` of "
                         "the images that it was trained on");
    check_applicable(o, net_);
    ModelCard card;
    card.net = net_;
    if (*multi_label_) take_multi_label(card);
    card.height = size_.height;
    card.width = size_.width;
    card.resize = data::ResizeMode::none;
    if (normalize_ == "imagenet") card.normalization = data::Normalization::imagenet();
    card.normalization.range = data::parse_value_range(value_range_).range;
    return card;
}

}  // namespace atrous::app
