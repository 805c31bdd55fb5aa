#include "data/mask.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/codecs.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

// One channel where all three are equal everywhere: many tools save gray masks as RGB.
Image without_equal_channels(Image image) {
    if (image.c == 1) return image;
    return dispatch_pixels(image, [&](auto zero) {
        using T = decltype(zero);
        const T* from = image.pixels<T>().data();
        const int64_t pixels = image.h * image.w;
        bool gray = true;
        for (int64_t i = 0; i < pixels && gray; ++i)
            gray = from[i * image.c] == from[i * image.c + 1] && from[i * image.c] == from[i * image.c + 2];
        if (!gray && image.c == 3) return std::move(image);
        Image out = make_image<T>(image.h, image.w, gray ? 1 : 3);
        T* to = out.pixels<T>().data();
        for (int64_t i = 0; i < pixels; ++i)
            for (int ch = 0; ch < out.c; ++ch) *to++ = from[i * image.c + ch];
        return out;
    });
}

// Whole numbers from 0 to 65535 that a file holds in another form.
Image whole_values(const Image& floats, const std::string& path, int64_t first_row, int64_t first_column) {
    Image out = make_image<uint16_t>(floats.h, floats.w, 1);
    bool small = true;
    for (size_t i = 0; i < floats.f32.size(); ++i) {
        const float v = floats.f32[i];
        if (!(v >= 0 && v <= 65535) || v != std::floor(v))
            throw DataError(
                fmt::format("{}: pixel ({}, {}) has the value {}; a mask holds whole numbers from 0 to 65535", path,
                            int64_t(i) % floats.w + first_column, int64_t(i) / floats.w + first_row, v));
        out.u16[i] = uint16_t(v);
        small = small && v < 256;
    }
    if (small) {
        out.u8.assign(out.u16.begin(), out.u16.end());
        out.u16.clear();
    }
    return out;
}

bool alpha_varies(const Image& image) {
    if (image.c != 4) return false;
    for (size_t i = 7; i < image.u8.size(); i += 4)
        if (image.u8[i] != image.u8[3]) return true;
    return false;
}

}  // namespace

RawMask load_mask(const std::string& path) {
    const auto bytes = read_file(path);
    codec::Decoded decoded = codec::decode(bytes, path, true);
    RawMask mask = mask_of_rows(std::move(decoded.image), std::move(decoded.palette), path, 0);
    mask.alpha_varies = mask.alpha_varies || decoded.alpha_varies;
    return mask;
}

RawMask mask_of_rows(Image rows, Palette palette, const std::string& path, int64_t first_row, int64_t first_column) {
    const int c = rows.c;
    if (c != 1 && c != 3 && (c != 4 || rows.bands))
        throw DataError(fmt::format("{}: a mask of {} channels; save class ids in one, or colours in three", path, c));
    if (c > 1 && (rows.is_16bit() || rows.is_float()))
        throw DataError(fmt::format("{}: a mask in colours of {} a channel; save it with 8 bits", path,
                                    rows.is_16bit() ? "16 bits" : "more than 16 bits"));
    if (rows.is_float()) return {whole_values(rows, path, first_row, first_column), {}, false};
    const bool alpha = alpha_varies(rows);
    return {without_equal_channels(std::move(rows)), std::move(palette), alpha};
}

uint32_t RawMask::value(int64_t pixel) const {
    if (image.c == 1) return image.is_16bit() ? image.u16[size_t(pixel)] : image.u8[size_t(pixel)];
    const uint8_t* rgb = image.u8.data() + 3 * pixel;
    return colour_flag | uint32_t(rgb[0]) << 16 | uint32_t(rgb[1]) << 8 | rgb[2];
}

// Of a value of one channel.
static uint32_t colour_of(const Palette& palette, uint32_t v) {
    if (!palette.empty() && v < palette.size()) return colour_flag | palette[v];
    return palette.empty() && v < 256 ? colour_flag | v * 0x010101u : v;
}

uint32_t RawMask::colour(int64_t pixel) const { return image.c == 3 ? value(pixel) : colour_of(palette, value(pixel)); }

std::string text_of_value(uint32_t value) {
    return value & colour_flag ? fmt::format("#{:06x}", value & 0xffffffu) : fmt::format("{}", value);
}

static uint32_t distance(uint32_t a, uint32_t b) {  // of colours: the largest of a channel
    uint32_t largest = 0;
    for (int shift : {0, 8, 16}) {
        const uint32_t x = a >> shift & 255, y = b >> shift & 255;
        largest = std::max(largest, x > y ? x - y : y - x);
    }
    return largest;
}

static int nearest_class(const MaskRule& rule, uint32_t colour) {
    uint32_t least = uint32_t(rule.within) + 1;
    int id = rule.otherwise;
    for (const auto& [listed, listed_id] : rule.classes)
        if (const uint32_t d = distance(colour, listed); d < least) least = d, id = listed_id;
    return id;
}

int MaskRule::class_of(uint32_t value) const {
    if (const auto found = classes.find(value); found != classes.end()) return found->second;
    const bool colour = value & colour_flag;
    if (kind == MaskKind::ids && !colour) {
        if (value == ignored_class || value < uint32_t(first_id)) return ignored_class;
        const uint32_t id = value - uint32_t(first_id);
        return id < uint32_t(class_count > 0 ? class_count : max_classes) ? int(id) : -1;
    }
    if (kind == MaskKind::bits && !colour) {
        if (value == ignored_class) return ignored_class;
        return value < label_values(LabelForm::bits, class_count > 0 ? class_count : max_bit_classes) ? int(value) : -1;
    }
    if (kind == MaskKind::colours && within > 0 && colour) return nearest_class(*this, value);
    if (kind == MaskKind::binary) {
        const uint32_t level = colour ? std::max({value >> 16 & 255, value >> 8 & 255, value & 255}) : value;
        return level >= uint32_t(threshold) ? 1 : 0;
    }
    return (kind == MaskKind::values && !colour) || kind == MaskKind::colours ? otherwise : -1;
}

bool MaskRule::allows(int label) const {
    return label == ignored_class || (label >= 0 && label < label_values(form(), class_count));
}

std::vector<int> MaskRule::classes_of(int label) const {
    if (label == ignored_class || label < 0) return {};
    if (kind != MaskKind::bits) return {label};
    std::vector<int> classes;
    for (int c = 0; label >> c; ++c)
        if (label >> c & 1) classes.push_back(c);
    return classes;
}

void refuse_mask_value(const MaskRule& rule, const RawValue& value, const std::string& path) {
    throw DataError(fmt::format(
        "{}: pixel ({}, {}) has the {} {}, which stands for no class; allowed: {} (`mask-values`)", path, value.x,
        value.y, value.value & colour_flag ? "colour" : "value", text_of_value(value.value), rule.allowed()));
}

// Of 8-bit values; false where one of them is not allowed.
static bool apply_by_table(const MaskRule& rule, const RawMask& mask, Image& labels) {
    uint8_t classes[256], refused[256];
    for (uint32_t v = 0; v < 256; ++v) {
        const int id = rule.class_of(rule.by_colour() ? colour_of(mask.palette, v) : v);
        classes[v] = uint8_t(id);
        refused[v] = id < 0;
    }
    const uint8_t* from = mask.image.u8.data();
    uint8_t *to = labels.u8.data(), any = 0;
    for (int64_t i = 0; i < labels.count(); ++i) {
        to[i] = classes[from[i]];
        any |= refused[from[i]];
    }
    return !any;
}

Image apply_mask_rule(const MaskRule& rule, const RawMask& mask, const std::string& path, int64_t first_row,
                      int64_t first_column) {
    require(rule.kind != MaskKind::automatic, "apply_mask_rule: resolve the rule first");
    Image labels = make_image<uint8_t>(mask.image.h, mask.image.w, 1);
    const bool colours = rule.by_colour();
    uint32_t last_value = 0;
    int last_class = -2;
    const auto class_at = [&](int64_t i) {
        const uint32_t value = colours ? mask.colour(i) : mask.value(i);
        if (last_class == -2 || value != last_value) {
            last_class = rule.class_of(value);
            last_value = value;
            if (last_class < 0)
                refuse_mask_value(
                    rule, {value, 1, int32_t(i % mask.image.w + first_column), int32_t(i / mask.image.w + first_row)},
                    path);
        }
        return last_class;
    };
    const bool by_table = mask.image.c == 1 && !mask.image.is_16bit() && apply_by_table(rule, mask, labels);
    for (int64_t i = 0; i < labels.count() && !by_table; ++i) labels.u8[size_t(i)] = uint8_t(class_at(i));
    return labels;
}

}  // namespace atrous::data
