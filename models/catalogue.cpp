#include "models/catalogue.h"

#include "models/unet.h"

namespace atrous {

std::vector<std::string> model_names() { return {"unet"}; }

std::unique_ptr<SegmentationNet> make_net(const NetConfig& c) {
    if (c.model == "unet")
        return std::make_unique<UNet>(
            UNetOptions{c.in_channels, c.out_channels, c.base_channels, int(c.depth), c.bilinear});
    throw UsageError("model '" + c.model + "' is unknown; expected unet");
}

}  // namespace atrous
