// Where a training augments its images: on the host, whose loader then gives finished images, or on the device, which gets
// samples as they are stored and what is to become of them. Both give the same bits, so a training may change at any time.
#pragma once

#include <string>

#include "base/image_size.h"
#include "base/settings.h"
#include "data/augmentation.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "engine/device.h"

namespace atrous {

// Declares `augment-on`: host, device or auto, which is the device where it is a GPU and nothing speaks against it.
Setting<std::string>& describe_augment_on(Settings& settings, std::string& augment_on);

// Why only the host can augment: an augmentation without a plan (data/augmentation.h) or with one that fails, training
// images of more than 8 bits, or several batches a step, whose loss is normalized by labels that the host sees. Empty: a
// device can.
std::string why_on_host(const data::Augmentations& augmentations, const data::DatasetReport& images,
                        const data::PlanFigures& plans, int64_t accumulate);

// Why the host is the better place although a device can: sources of over twice the pixels of their crops, which would all
// cross the bus and stay in memory, or values that are made of very many others. Empty: it is not.
std::string why_better_on_host(ImageSize source, ImageSize crop, const data::PlanFigures& plans);

// Whether the device augments. Where `auto` is the host against a GPU, `note` becomes a line that says why. UsageError
// where `device` was asked for and cannot.
bool augments_on_device(const std::string& augment_on, Device device, const std::string& why_on_host,
                        const std::string& why_better_on_host, std::string& note);

}  // namespace atrous
