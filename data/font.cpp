#include "data/font.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/text.h"

#define STB_TRUETYPE_IMPLEMENTATION
#define STBTT_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_truetype.h>
#pragma GCC diagnostic pop

// The font's file, as it is. stb_truetype believes what a font says of itself: it reads this one and no other.
asm(".pushsection .rodata.atrous_font, \"a\", @progbits\n"
    ".globl atrous_font\n"
    ".hidden atrous_font\n"
    "atrous_font:\n"
    ".incbin \"" ATROUS_FONT
    "\"\n"
    ".popsection\n");
extern "C" [[gnu::visibility("hidden")]] const unsigned char atrous_font[];

namespace atrous::data {

namespace {

const stbtt_fontinfo& font() {
    static const stbtt_fontinfo info = [] {
        stbtt_fontinfo read;
        require(stbtt_InitFont(&read, atrous_font, 0) != 0, "font: the font within the program is none");
        return read;
    }();
    return info;
}

char32_t shown(char32_t code) {
    const bool control = code < 0x20 || (code >= 0x7f && code < 0xa0);
    return control ? U'\ufffd' : code;
}

// Calls f(glyph, x) for each character and gives the width of all.
template <class F>
double lay_out(std::string_view text, double size, F f) {
    const double scale = stbtt_ScaleForMappingEmToPixels(&font(), float(size));
    double x = 0;
    int before = 0;
    while (!text.empty()) {
        const io::Character character = io::first_character(text);
        text.remove_prefix(character.bytes);
        const int glyph = stbtt_FindGlyphIndex(&font(), int(shown(character.code)));
        int advance = 0, bearing = 0;
        stbtt_GetGlyphHMetrics(&font(), glyph, &advance, &bearing);
        if (before) x += scale * stbtt_GetGlyphKernAdvance(&font(), before, glyph);
        f(glyph, x);
        x += scale * advance;
        before = glyph;
    }
    return x;
}

void blend(Image& image, int64_t y, int64_t x, uint32_t colour, int opacity) {
    if (y < 0 || y >= image.h || x < 0 || x >= image.w) return;
    uint8_t* to = image.u8.data() + (y * image.w + x) * 3;
    for (int ch = 0; ch < 3; ++ch) {
        const int ink = int(colour >> (16 - 8 * ch) & 255);
        to[ch] = uint8_t((to[ch] * (255 - opacity) + ink * opacity + 127) / 255);
    }
}

void draw_glyph(Image& image, int64_t baseline, double at, int glyph, double size, uint32_t colour) {
    const float scale = stbtt_ScaleForMappingEmToPixels(&font(), float(size));
    const double column = std::floor(at);
    const auto shift = float(at - column);
    int left = 0, top = 0, right = 0, bottom = 0;
    stbtt_GetGlyphBitmapBoxSubpixel(&font(), glyph, scale, scale, shift, 0, &left, &top, &right, &bottom);
    const int w = right - left, h = bottom - top;
    if (w <= 0 || h <= 0) return;  // a space
    std::vector<uint8_t> opacity(size_t(w) * size_t(h));
    stbtt_MakeGlyphBitmapSubpixel(&font(), opacity.data(), w, h, w, scale, scale, shift, 0, glyph);
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
            blend(image, baseline + top + y, int64_t(column) + left + x, colour,
                  opacity[size_t(y) * size_t(w) + size_t(x)]);
}

}  // namespace

double text_width(std::string_view text, double size) {
    return lay_out(text, size, [](int, double) {});
}

std::string shortened(std::string_view text, double size, double width) {
    if (text_width(text, size) <= width) return std::string(text);
    std::vector<size_t> starts;  // of the characters
    for (size_t at = 0; at < text.size(); at += io::first_character(text.substr(at)).bytes) starts.push_back(at);
    const auto keeping = [&](size_t count) {  // characters, the odd one in front
        const size_t tail = count / 2, head = count - tail;
        return std::string(text.substr(0, starts[head])) + "…" +
               std::string(tail ? text.substr(starts[starts.size() - tail]) : "");
    };
    size_t fits = 0, too_many = starts.size();
    while (too_many - fits > 1) {
        const size_t middle = (fits + too_many) / 2;
        (text_width(keeping(middle), size) <= width ? fits : too_many) = middle;
    }
    return keeping(fits);
}

void draw_text(Image& image, int64_t baseline, int64_t x, std::string_view text, double size, uint32_t colour) {
    require(image.c == 3 && !image.is_16bit(), "draw_text: an RGB image of 8 bits");
    lay_out(text, size,
            [&](int glyph, double at) { draw_glyph(image, baseline, double(x) + at, glyph, size, colour); });
}

}  // namespace atrous::data
