#include "segmentation/augment_place.h"

#include <fmt/core.h>

#include "base/error.h"

namespace atrous {

Setting<std::string>& describe_augment_on(Settings& s, std::string& augment_on) {
    return s
        .bind("augment-on", augment_on,
              "where training images are augmented, to the same bits: host, device, or auto, the device where it is a "
              "GPU and all of it can be done there")
        .one_of({"auto", "host", "device"})
        .when_resumed(Resume::free);
}

std::string why_on_host(const data::Augmentations& augmentations, const data::DatasetReport& images,
                        int64_t accumulate) {
    const int64_t deep = images.deep_images + images.float_images;
    if (const std::string name = data::without_plan(augmentations); !name.empty())
        return fmt::format("`{}` has no form for a device", name);
    if (deep > 0) return fmt::format("{} of {} images have more than 8 bits", deep, images.samples);
    if (accumulate > 1) return fmt::format("`accumulate` {} counts labels on the host", accumulate);
    return "";
}

bool augments_on_device(const std::string& augment_on, Device device, const std::string& why_on_host,
                        std::string& note) {
    if (augment_on == "host" || (augment_on == "auto" && device.kind != DeviceKind::gpu)) return false;
    if (why_on_host.empty()) return true;
    if (augment_on == "device")
        throw UsageError(fmt::format("`augment-on` device: {}; expected auto or host", why_on_host));
    note = fmt::format("images are augmented on the host: {}", why_on_host);
    return false;
}

}  // namespace atrous
