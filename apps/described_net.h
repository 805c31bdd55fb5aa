// Settings that say what net weights are of that do not say so themselves, such as PyTorch's.
#pragma once

#include <string>
#include <vector>

#include "apps/options.h"
#include "base/image_size.h"
#include "models/net_config.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/load_net.h"

namespace atrous::app {

// The file itself, or the checkpoint of a run folder.
std::string weights_file(const std::string& path);

class DescribedNet {
 public:
    static constexpr const char* beside_checkpoints =
        ", or with `model` and `size` any .pth or .safetensors of the net";

    // As a group of their own. `multi_label`: the setting of that name where the program has it for itself; null: it is
    // one of the group.
    void describe(Options& options, const bool* multi_label = nullptr);

    // The net of a checkpoint or run folder, or of such weights as it is described. UsageError for a description beside a
    // checkpoint that has its own, and for weights without any. `averaged`: with others, which the messages then mention.
    // `precision`: as load_net.
    LoadedNet load(const Options& options, const std::string& path, bool averaged, Device device,
                   const std::string& precision, Messages& messages) const;
    // The net as it is described, with the values from which a training begins.
    LoadedNet fresh(const Options& options, Device device, const std::string& precision, uint64_t seed) const;

 private:
    void refuse_beside(const Options& options, const std::string& path, bool averaged) const;
    ModelCard card(const Options& options, const std::string& path) const;  // `path`: for messages

    NetConfig net_;
    ImageSize size_;
    bool own_multi_label_ = false;
    const bool* multi_label_ = nullptr;  // own_multi_label_ or the program's
    std::string normalize_ = "none", value_range_ = "auto";
    size_t first_ = 0, end_ = 0;  // of these settings among the options
};

}  // namespace atrous::app
