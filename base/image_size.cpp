#include "base/image_size.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace atrous {

// Digits at the beginning of `text`, which are taken off; nothing where there are none, or they are 0 or too many.
static std::optional<int64_t> take_side(std::string_view& text) {
    int64_t side = 0;
    const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits > 9) return std::nullopt;
    std::from_chars(text.data(), text.data() + digits, side);
    text.remove_prefix(digits);
    if (side == 0) return std::nullopt;
    return side;
}

std::optional<ImageSize> parse_image_size(std::string_view text) {
    const auto width = take_side(text);
    if (!width) return std::nullopt;
    if (text.empty()) return ImageSize(*width);
    if (text.front() != 'x' && text.front() != 'X') return std::nullopt;
    text.remove_prefix(1);
    const auto height = take_side(text);
    if (!height || !text.empty()) return std::nullopt;
    return ImageSize::of_width_and_height(*width, *height);
}

std::string width_by_height(ImageSize size) { return fmt::format("{}x{}", size.width, size.height); }

std::string text_of(ImageSize size) {
    return size.none() ? "" : size.square() ? std::to_string(size.width) : width_by_height(size);
}

ImageSize raised_to_multiple(ImageSize size, int64_t multiple) {
    const auto raised = [multiple](int64_t side) { return (side + multiple - 1) / multiple * multiple; };
    return {raised(size.height), raised(size.width)};
}

SizeSetting::SizeSetting(std::string key, ImageSize& field, std::string help)
    : SettingBase(std::move(key), std::move(help)), value(field), default_(field) {}

std::string SizeSetting::rule() const { return fmt::format("N or WIDTHxHEIGHT, from {} to {}", low_, high_); }

std::vector<Word> SizeSetting::words() const {
    const bool number = value.square() && !may_be_none_;
    return {{text_of(value), number ? Word::Kind::integer : Word::Kind::text}};
}

bool SizeSetting::assign(const std::vector<Word>& words) {
    using Kind = Word::Kind;
    if (words.size() != 1) return false;
    const Word& word = words.front();
    if (word.kind != Kind::any && word.kind != Kind::text && word.kind != Kind::integer) return false;
    if (may_be_none_ && word.text.empty()) return value = {}, true;
    const auto size = parse_image_size(word.text);
    if (!size || std::min(size->height, size->width) < low_ || std::max(size->height, size->width) > high_)
        return false;
    return value = *size, true;
}

SizeSetting& bind_size(Settings& settings, std::string key, ImageSize& field, std::string help) {
    return settings.add(std::make_unique<SizeSetting>(std::move(key), field, std::move(help)));
}

}  // namespace atrous
