// The size of an image in pixels, and the setting that holds one. People and programs write WIDTHxHEIGHT, tensors and
// arrays are height by width: both have names here, so that they are not exchanged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/settings.h"

namespace atrous {

struct ImageSize {
    int64_t height = 0, width = 0;

    constexpr ImageSize() = default;
    constexpr ImageSize(int64_t side) : height(side), width(side) {}  // square
    constexpr ImageSize(int64_t height, int64_t width) : height(height), width(width) {}
    static constexpr ImageSize of_width_and_height(int64_t width, int64_t height) { return {height, width}; }

    bool square() const { return height == width; }
    bool none() const { return height == 0; }
    bool operator==(const ImageSize&) const = default;
};

// "256" is a square, "640x480" is 640 wide and 480 high. Nothing for any other text, and for sides of 0 or 10^9 and more.
std::optional<ImageSize> parse_image_size(std::string_view text);
std::string text_of(ImageSize size);          // as one would type it: "256", "640x480"; of none ""
std::string width_by_height(ImageSize size);  // "256x256"

// `size` with each side raised to the next multiple.
ImageSize raised_to_multiple(ImageSize size, int64_t multiple);

// In files a square is a number, as it was before sizes had two sides, and any other size is text.
class SizeSetting : public SettingBase {
 public:
    SizeSetting(std::string key, ImageSize& field, std::string help);

    ImageSize& value;

    SizeSetting& min(int64_t side) { return low_ = side, *this; }
    SizeSetting& max(int64_t side) { return high_ = side, *this; }
    SizeSetting& unit(std::string name) { return unit_name = std::move(name), *this; }
    SizeSetting& when_resumed(Resume rule) { return resume = rule, *this; }
    // An empty text is none; in files every value is text.
    SizeSetting& or_none() { return may_be_none_ = true, *this; }

    bool differs() const override { return value != default_; }
    bool is_list() const override { return false; }
    bool is_flag() const override { return false; }
    std::string kind() const override { return "SIZE"; }
    std::string rule() const override;
    bool restricted() const override { return true; }
    std::vector<std::string> choices() const override { return {}; }
    std::string shown() const override { return shown(value); }
    std::string shown_default() const override { return shown(default_); }
    std::vector<Word> words() const override;
    bool assign(const std::vector<Word>& words) override;

 private:
    static std::string shown(ImageSize size) { return size.none() ? "\"\"" : text_of(size); }

    ImageSize default_;
    int64_t low_ = 1, high_ = 999999999;
    bool may_be_none_ = false;
};

SizeSetting& bind_size(Settings& settings, std::string key, ImageSize& field, std::string help);

}  // namespace atrous
