// What a checkpoint says about itself, so that it alone suffices to evaluate and predict: the net, how pictures are
// prepared, what the classes are. Kept as JSON in the file's metadata.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/loss_choice.h"
#include "apps/split.h"
#include "data/loader.h"
#include "engine/io/checkpoint.h"
#include "models/catalogue.h"

namespace atrous::app {

// What its numbers may be: those that the options of atrous train allow; threads may also be the machine's.
namespace recipe_ranges {
inline constexpr net_ranges::Range size{8, 8192}, threads{0, 65536};
inline constexpr double most_val_fraction = 0.9;
}  // namespace recipe_ranges

struct Recipe {
    NetConfig net;
    int64_t height = 256, width = 256;  // pictures are resized to this
    data::Normalisation normalisation;
    std::string mask_values = "auto";  // the definite rule, in --mask-values' words
    std::vector<std::string> class_names;
    std::vector<uint32_t> colours;  // 0xrrggbb by class
    std::string precision = "fp32";
    LossChoice loss;
    int threads = 0;                   // the cpu's; the last bits of convolutions depend on it
    std::optional<SplitRecord> split;  // absent: from before it was recorded

    int64_t classes() const { return net.out_channels == 1 ? 2 : net.out_channels; }
};

io::Metadata to_metadata(const Recipe& recipe);
bool has_recipe(const io::TensorFile& file);
// FormatError where the file carries none, or one that train would not have written: a field that is missing, of
// another type or out of its range, or a net that cannot be built.
Recipe recipe_of(const io::TensorFile& file);
std::string text_of(const Recipe& recipe);  // JSON
// Of that text what recipe_of says of a file; whether its net can be built is not looked at. `path` is for the error
// message.
Recipe parse_recipe(const std::string& json, const std::string& path);

// How pictures of this recipe become batches; no augmentation, no shuffling.
data::LoaderOptions loader_options(const Recipe& recipe, int64_t batch_size, int workers, int64_t input_multiple);

// Whether the logits' channels are classes that exclude each other (softmax); else each is a class by itself (sigmoid).
bool is_softmax(const Recipe& recipe);

// fp32, bf16 or fp16. UsageError for another word, and for fp16 on the cpu, whose convolutions have none.
DType compute_type(const std::string& precision, Device device);
LossOptions loss_options(const Recipe& recipe);  // of labels in which 255 is ignored

}  // namespace atrous::app
