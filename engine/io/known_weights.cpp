#include "engine/io/known_weights.h"

#include <fmt/core.h>

#include <filesystem>
#include <string_view>

#include "base/sha256.h"

namespace atrous::io {

// torchvision's file names, https://download.pytorch.org/models/NAME-DIGITS.pth (its models/*.py).
static constexpr KnownWeights known[] = {
    {"f37072fd", "resnet18", "ImageNet (IMAGENET1K_V1)"},
    {"b627a593", "resnet34", "ImageNet (IMAGENET1K_V1)"},
    {"0676ba61", "resnet50", "ImageNet (IMAGENET1K_V1)"},
    {"11ad3fa6", "resnet50", "ImageNet (IMAGENET1K_V2)"},
    {"63fe2227", "resnet101", "ImageNet (IMAGENET1K_V1)"},
    {"cd907fc2", "resnet101", "ImageNet (IMAGENET1K_V2)"},
    {"394f9c45", "resnet152", "ImageNet (IMAGENET1K_V1)"},
    {"f82ba261", "resnet152", "ImageNet (IMAGENET1K_V2)"},
    {"8a719046", "vgg11", "ImageNet (IMAGENET1K_V1)"},
    {"6002323d", "vgg11_bn", "ImageNet (IMAGENET1K_V1)"},
    {"19584684", "vgg13", "ImageNet (IMAGENET1K_V1)"},
    {"abd245e5", "vgg13_bn", "ImageNet (IMAGENET1K_V1)"},
    {"397923af", "vgg16", "ImageNet (IMAGENET1K_V1)"},
    {"6c64b313", "vgg16_bn", "ImageNet (IMAGENET1K_V1)"},
    {"dcbb9e9d", "vgg19", "ImageNet (IMAGENET1K_V1)"},
    {"c79401a0", "vgg19_bn", "ImageNet (IMAGENET1K_V1)"},
    {"b0353104", "mobilenet_v2", "ImageNet (IMAGENET1K_V1)"},
    {"8738ca79", "mobilenet_v3_large", "ImageNet (IMAGENET1K_V1)"},
    {"1167a1af", "fcn_resnet50", "COCO with VOC's 21 classes"},
    {"7ecb50ca", "fcn_resnet101", "COCO with VOC's 21 classes"},
    {"cd0a2569", "deeplabv3_resnet50", "COCO with VOC's 21 classes"},
    {"586e9e4e", "deeplabv3_resnet101", "COCO with VOC's 21 classes"},
    {"fc3c493d", "deeplabv3_mobilenet_v3_large", "COCO with VOC's 21 classes"},
    {"d234d4ea", "lraspp_mobilenet_v3_large", "COCO with VOC's 21 classes"},
};

std::span<const KnownWeights> known_weights() { return known; }

const KnownWeights* recognize(const std::string& sha256) {
    for (const KnownWeights& k : known)
        if (std::string_view(sha256).substr(0, 8) == k.sha256) return &k;
    return nullptr;
}

std::string recognized(const std::string& path) {
    const std::string hash = sha256_of_file(path);
    if (const KnownWeights* k = recognize(hash))
        return fmt::format("{}: torchvision's {}, {} (sha256 {}…)", path, k->name, k->about, hash.substr(0, 16));
    const std::string stem = std::filesystem::path(path).stem().string();
    const size_t dash = stem.rfind('-');
    if (dash == std::string::npos || stem.size() - dash != 9 ||
        stem.find_first_not_of("0123456789abcdef", dash + 1) != std::string::npos ||
        hash.starts_with(stem.substr(dash + 1)))
        return "";
    return fmt::format("warning: {}: its name promises a sha256 that begins {}, it is {}…: damaged or renamed", path,
                       stem.substr(dash + 1), hash.substr(0, 16));
}

}  // namespace atrous::io
