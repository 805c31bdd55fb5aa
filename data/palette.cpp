#include "data/palette.h"

#include <algorithm>

#include "base/error.h"
#include "base/label_form.h"
#include "data/mask.h"

namespace atrous::data {

namespace {

void set_pixel(Image& image, int64_t y, int64_t x, uint32_t colour) {
    uint8_t* to = image.u8.data() + (y * image.w + x) * 3;
    to[0] = uint8_t(colour >> 16);
    to[1] = uint8_t(colour >> 8);
    to[2] = uint8_t(colour);
}

}  // namespace

Palette voc_palette() {
    Palette palette(256, 0);
    for (uint32_t id = 0; id < 256; ++id)  // bits 0, 1, 2 of the id go to red, green, blue, highest bit first
        for (uint32_t bit = 0; bit < 8; ++bit)
            for (uint32_t channel = 0; channel < 3; ++channel)
                if (bit * 3 + channel < 8 && id >> (bit * 3 + channel) & 1)
                    palette[id] |= 1u << (7 - bit) << (8 * (2 - channel));
    return palette;
}

Palette blended_palette(const Palette& colours) {
    Palette blended = voc_palette();
    for (uint32_t label = 0; label < uint32_t(label_values(LabelForm::bits, int64_t(colours.size()))); ++label) {
        uint32_t sums[3] = {}, of = 0;
        for (size_t c = 0; c < colours.size(); ++c) {
            if (!(label >> c & 1)) continue;
            for (int k = 0; k < 3; ++k) sums[k] += colours[c] >> 8 * k & 255;
            ++of;
        }
        blended[label] = 0;
        for (int k = 0; k < 3 && of > 0; ++k) blended[label] |= (sums[k] + of / 2) / of << 8 * k;
    }
    return blended;
}

Palette mask_palette(int class_count) {
    Palette palette = voc_palette();
    if (class_count <= 2) palette[1] = 0xffffff;
    return palette;
}

namespace {

uint8_t to_8bit(float v, const ValueRange& bounds) {
    return uint8_t(std::clamp((v - bounds.low) / (bounds.high - bounds.low) * 255 + 0.5f, 0.f, 255.f));
}

}  // namespace

Image to_8bit_rgb(const Image& image, const ValueRange& range) {
    const ValueRange bounds = range.of(image);
    Image out = make_image<uint8_t>(image.h, image.w, 3);
    dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        const T* from = image.pixels<T>().data();
        for (size_t i = 0; i < out.u8.size(); ++i) {
            const T v = from[i / 3 * size_t(image.c) + (image.c < 3 ? 0 : i % 3)];
            if constexpr (std::is_same_v<T, float>)
                out.u8[i] = to_8bit(v, bounds);
            else
                out.u8[i] = range.given() ? to_8bit(v, bounds) : uint8_t(sizeof(T) == 1 ? v : v / 257);
        }
    });
    return out;
}

Image colourize(const Image& labels, const Palette& palette) {
    require(labels.c == 1 && palette.size() == 256, "colourize: class ids and 256 colours");
    Image out = make_image<uint8_t>(labels.h, labels.w, 3);
    for (int64_t y = 0; y < labels.h; ++y)
        for (int64_t x = 0; x < labels.w; ++x) set_pixel(out, y, x, palette[labels.u8[size_t(y * labels.w + x)]]);
    return out;
}

Image overlay(const Image& image, const Image& labels, const Palette& palette, double opacity) {
    require(image.h == labels.h && image.w == labels.w, "overlay: image and mask of one size");
    require(labels.c == 1 && palette.size() == 256, "overlay: class ids and 256 colours");
    Image out = to_8bit_rgb(image);
    const int64_t h = labels.h, w = labels.w;
    const auto label = [&](int64_t y, int64_t x) {
        return labels.u8[size_t(std::clamp<int64_t>(y, 0, h - 1) * w + std::clamp<int64_t>(x, 0, w - 1))];
    };
    for (int64_t y = 0; y < h; ++y)
        for (int64_t x = 0; x < w; ++x) {
            const uint8_t id = label(y, x);
            const bool edge =
                label(y - 1, x) != id || label(y + 1, x) != id || label(y, x - 1) != id || label(y, x + 1) != id;
            if (palette[id] == 0 && id != ignored_class) continue;
            // White would wash the image out, so two-class masks are tinted green.
            const uint32_t tint = id == ignored_class ? 0x808080 : palette[id] == 0xffffff ? 0x20e060 : palette[id];
            const double weight = edge && id != ignored_class ? 1 : opacity;
            uint8_t* to = out.u8.data() + (y * w + x) * 3;
            for (int ch = 0; ch < 3; ++ch)
                to[ch] = uint8_t((1 - weight) * to[ch] + weight * (tint >> (16 - 8 * ch) & 255) + 0.5);
        }
    return out;
}

}  // namespace atrous::data
