// The net that predict and eval run: one checkpoint's or the mean of several, which goes on where memory runs out.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "segmentation/averaged_net.h"
#include "segmentation/image_view.h"
#include "segmentation/load_net.h"
#include "segmentation/messages.h"

namespace atrous {

// How a trained net sees images, beside what its checkpoint says.
struct PredictionOptions {
    WindowOptions windows;
    TestTimeAugmentation augmentation;
    std::vector<std::string> average_with = {};  // further checkpoints or run folders
};
void describe(Settings& settings, PredictionOptions& options);

// Loads the checkpoint `path` and the further ones by `load`, and returns a net under the first's card:
// segmentation/averaged_net.h around a segmentation/thrifty_net.h for each. Says of which the weights are averages.
// `messages` outlive it. UsageError where the checkpoints do not agree in what goes in and what comes out, and for exact windows of scaled images. The further ones
// compute in the precision of the first.
// `precision`: a word; empty: as asked for, or the checkpoint's.
using LoadCheckpoint = std::function<LoadedNet(const std::string& path, const std::string& precision)>;
LoadedNet prediction_net(const std::string& path, const PredictionOptions& options, const LoadCheckpoint& load,
                         Messages& messages);

}  // namespace atrous
