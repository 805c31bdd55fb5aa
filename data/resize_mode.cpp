#include "data/resize_mode.h"

#include <algorithm>
#include <cmath>

namespace atrous::data {

const std::vector<std::pair<std::string, ResizeMode>>& resize_modes() {
    static const std::vector<std::pair<std::string, ResizeMode>> modes{
        {"stretch", ResizeMode::stretch}, {"letterbox", ResizeMode::letterbox}, {"none", ResizeMode::none}};
    return modes;
}

std::string word_of(ResizeMode mode) {
    for (const auto& [word, m] : resize_modes())
        if (m == mode) return word;
    return "?";
}

double letterbox_scale(ImageSize image, ImageSize net) {
    return std::min(double(net.height) / double(image.height), double(net.width) / double(image.width));
}

Fitted fit(ResizeMode mode, ImageSize image, ImageSize net) {
    if (mode == ResizeMode::none) return {image};
    if (mode == ResizeMode::stretch) return {net};
    const double scale = letterbox_scale(image, net);
    const auto scaled = [scale](int64_t side, int64_t most) {
        return std::clamp<int64_t>(std::llround(double(side) * scale), 1, most);
    };
    return {{scaled(image.height, net.height), scaled(image.width, net.width)}, net};
}

}  // namespace atrous::data
