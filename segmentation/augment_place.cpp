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

// A resize to a third and a rotation: 7 taps an axis at four corners.
static constexpr int64_t most_reads = 4 * 7 * 7;
static constexpr int64_t most_pixels_for_one = 2;

std::string why_on_host(const data::Augmentations& augmentations, const data::DatasetReport& images,
                        const data::PlanFigures& plans, int64_t accumulate) {
    if (const std::string name = data::without_plan(augmentations); !name.empty())
        return fmt::format("`{}` has no form for a device", name);
    if (!plans.failure.empty()) return plans.failure;
    if (images.train_deep_images > 0)
        return fmt::format("{} of the training images {} more than 8 bits", images.train_deep_images,
                           images.train_deep_images == 1 ? "has" : "have");
    if (accumulate > 1) return fmt::format("`accumulate` {} counts labels on the host", accumulate);
    return "";
}

std::string why_better_on_host(ImageSize source, ImageSize crop, const data::PlanFigures& plans) {
    if (source.height * source.width > most_pixels_for_one * crop.height * crop.width)
        return fmt::format("images of up to {} are cropped to {}, and all of each would cross the bus",
                           width_by_height(source), width_by_height(crop));
    if (plans.reads > most_reads)
        return fmt::format("resized and rotated values are made of up to {} others each", plans.reads);
    return "";
}

bool augments_on_device(const std::string& augment_on, Device device, const std::string& why_on_host,
                        const std::string& why_better_on_host, std::string& note) {
    if (augment_on == "host" || (augment_on == "auto" && device.kind != DeviceKind::gpu)) return false;
    if (augment_on == "device") {
        if (why_on_host.empty()) return true;
        throw UsageError(fmt::format("`augment-on` device: {}; expected auto or host", why_on_host));
    }
    if (!why_on_host.empty())
        note = fmt::format("images are augmented on the host: {}", why_on_host);
    else if (!why_better_on_host.empty())
        note = fmt::format("images are augmented on the host: {}; `augment-on` device would not", why_better_on_host);
    return note.empty();
}

}  // namespace atrous
