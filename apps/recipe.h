// What a checkpoint says about itself, so that it alone suffices to evaluate and predict: the net, how pictures are
// prepared, what the classes are. Kept as JSON in the file's metadata.
#pragma once

#include <string>
#include <vector>

#include "apps/loss_choice.h"
#include "data/loader.h"
#include "engine/io/checkpoint.h"
#include "models/catalogue.h"

namespace atrous::app {

struct Recipe {
    NetConfig net;
    int64_t height = 256, width = 256;  // pictures are resized to this
    data::Normalisation normalisation;
    std::string mask_values = "auto";  // the definite rule, in --mask-values' words
    std::vector<std::string> class_names;
    std::vector<uint32_t> colours;  // 0xrrggbb by class
    std::string precision = "fp32";
    LossChoice loss;
    int threads = 0;  // the cpu's; the last bits of convolutions depend on it

    int64_t classes() const { return net.out_channels == 1 ? 2 : net.out_channels; }
};

io::Metadata to_metadata(const Recipe& recipe);
Recipe recipe_of(const io::SafetensorsFile& file);  // FormatError where the file carries none

// How pictures of this recipe become batches; no augmentation, no shuffling.
data::LoaderOptions loader_options(const Recipe& recipe, int64_t batch_size, int workers, int64_t input_multiple);

DType compute_type(const std::string& precision);  // fp32 or bf16; UsageError
LossOptions loss_options(const Recipe& recipe);    // of labels in which 255 is ignored

}  // namespace atrous::app
