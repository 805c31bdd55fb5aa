#include "segmentation/model_card.h"

#include <algorithm>

#include "data/mask.h"
#include "data/palette.h"

namespace atrous {

static const char* key = "atrous.recipe";

io::Metadata to_metadata(const ModelCard& card) { return {{"format", "pt"}, {key, text_of(card)}}; }

bool has_model_card(const io::TensorFile& file) { return file.metadata().count(key) > 0; }

ModelCard model_card_of(const io::TensorFile& file) {
    const auto it = file.metadata().find(key);
    if (it == file.metadata().end())
        throw FormatError(file.path() + ": no '" + key +
                          "' in its metadata; expected a checkpoint written by atrous train");
    const ModelCard card = parse_model_card(it->second, file.path());
    try {
        make_net(card.net);
    } catch (const Error& e) {
        throw FormatError(file.path() + ": its model card's net cannot be built: " + e.what());
    }
    return card;
}

data::Palette ModelCard::label_colours() const {
    if (label_form() == LabelForm::bits) {
        data::Palette own = data::voc_palette();  // of what is no checkpoint; its first colour is the background's
        own = colours.empty() ? data::Palette(own.begin() + 1, own.begin() + 1 + classes()) : colours;
        return data::blended_palette(own);
    }
    data::Palette palette = data::mask_palette(int(classes()));
    std::copy_n(colours.begin(), std::min(colours.size(), palette.size()), palette.begin());
    return palette;
}

data::LoaderOptions loader_options(const ModelCard& r, int64_t batch_size, int workers, int64_t input_multiple) {
    data::LoaderOptions o;
    o.batch_size = batch_size;
    const ImageSize net(r.height, r.width);
    if (r.resize == data::ResizeMode::stretch)
        o.resize_h = r.height, o.resize_w = r.width;
    else
        o.fit = [mode = r.resize, net](ImageSize image) { return data::fit(mode, image, net); };
    o.size_multiple = input_multiple;
    o.channels = int(r.net.in_channels);
    o.bytes = true;
    o.normalization = r.normalization;
    o.workers = workers;
    return o;
}

bool is_softmax(const ModelCard& r) {
    const LossParts parts = loss_parts(r.loss, r.net.out_channels, data::ignored_class);
    return r.net.out_channels > 1 && !std::holds_alternative<BceDiceOptions>(parts.one_pass);
}

LossFactory loss_of(const ModelCard& r) { return loss_of(r.loss, r.net.out_channels, data::ignored_class); }

}  // namespace atrous
