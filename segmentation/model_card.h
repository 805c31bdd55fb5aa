// A model card is what a checkpoint says about itself, so that it alone suffices to evaluate and predict: the net, the
// preparation of images, the classes. It is kept as JSON in the file's metadata.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/loader.h"
#include "engine/io/checkpoint.h"
#include "models/catalogue.h"
#include "segmentation/loss_config.h"
#include "segmentation/machine.h"
#include "segmentation/split_record.h"

namespace atrous {

// Numbers of a card lie in the ranges that the options of atrous train allow; threads may also be the machine's.
namespace card_ranges {
inline constexpr net_ranges::Range size{8, 8192}, threads{0, 65536};
}  // namespace card_ranges

// The smallest and the largest of the images that a net was trained with, in their own pixels.
struct SourceSizes {
    int64_t min_height = 0, min_width = 0, max_height = 0, max_width = 0;
    bool known() const { return max_height > 0; }
};

struct ModelCard {
    NetConfig net;
    int64_t height = 256, width = 256;  // images are resized to this, or not at all and seen in windows of it
    data::ResizeMode resize = data::ResizeMode::stretch;
    SourceSizes sources;  // unknown: from before they were recorded
    data::Normalization normalization;
    std::string mask_values = "auto";  // the definite rule, in `mask-values`' words
    std::vector<std::string> class_names;
    std::vector<uint32_t> colours;   // 0xrrggbb by class
    std::vector<std::string> bands;  // what the channels of images are called whose channels are files (`bands`)
    std::string precision = "fp32";
    LossConfig loss;
    int threads = 0;                   // the cpu's; the last bits of convolutions depend on it
    std::optional<SplitRecord> split;  // absent: from before it was recorded

    int64_t classes() const {
        return label_form() == LabelForm::bits ? net.out_channels : classes_of(net.out_channels);
    }
    LabelForm label_form() const { return loss.labels; }  // bits: a pixel may be of several classes
    // Colours by label, at most 256: by class, or of labels in bits by what classes they are of, blended.
    data::Palette label_colours() const;
};

io::Metadata to_metadata(const ModelCard& card);
bool has_model_card(const io::TensorFile& file);
// Throws FormatError where the file carries no card, or one that train would not have written: a field that is missing,
// of another type or out of its range, or a net that cannot be built.
ModelCard model_card_of(const io::TensorFile& file);
std::string text_of(const ModelCard& card);  // JSON
// Parses the text of a card with the checks of model_card_of, except that its net may be impossible to build. `path` is
// for the error message.
ModelCard parse_model_card(const std::string& json, const std::string& path);

// Returns how images of this card become batches; no augmentation, no shuffling.
data::LoaderOptions loader_options(const ModelCard& card, int64_t batch_size, int workers, int64_t input_multiple);

// Tells whether the logits' channels are classes that exclude each other (softmax); else each is a class by itself
// (sigmoid).
bool is_softmax(const ModelCard& card);

LossFactory loss_of(const ModelCard& card);  // of labels in which 255 is ignored

}  // namespace atrous
