#include "data/drawn_mask.h"

#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "data/codecs.h"
#include "data/fingerprint.h"

namespace atrous::data {

namespace {

class Drawn : public MaskSource {
 public:
    explicit Drawn(DrawnMask mask, LabelForm form = LabelForm::ids) : mask_(std::move(mask)), form_(form) {}
    RawMask draw(int64_t h, int64_t w, const std::string& where) const override;
    uint64_t fingerprint() const override;
    std::shared_ptr<const MaskSource> in_bits() const override {
        return std::make_shared<Drawn>(mask_, LabelForm::bits);
    }

 private:
    const DrawnMask mask_;
    const LabelForm form_;
};

void refuse_outside(double x, double y, int64_t h, int64_t w, const std::string& where) {
    const double dx = 0.1 * double(w) + 1, dy = 0.1 * double(h) + 1;
    const bool inside = x >= -dx && x <= double(w) + dx && y >= -dy && y <= double(h) + dy;  // false for NaN
    if (!inside)
        throw DataError(
            fmt::format("{}: the point ({:.6g}, {:.6g}) of an annotation lies outside of its image of {}x{}; is it of "
                        "another image, or "
                        "of one that was resized?",
                        where, x, y, w, h));
}

void draw_rings(std::vector<Ring> rings, bool relative, uint8_t id, LabelForm form, Image& labels,
                const std::string& where) {
    for (Ring& ring : rings)
        for (Point& p : ring) {
            if (relative) p.x *= double(labels.w), p.y *= double(labels.h);
            refuse_outside(p.x, p.y, labels.h, labels.w, where);
        }
    if (form == LabelForm::ids) return fill_polygon(rings, id, labels);
    Image inside = make_image<uint8_t>(labels.h, labels.w, 1);
    fill_polygon(rings, 1, inside);
    for (size_t i = 0; i < inside.u8.size(); ++i)
        if (inside.u8[i]) mark(labels.u8[i], id, form);
}

void draw_bitmap(const Drawing& d, LabelForm form, Image& labels, const std::string& where) {
    refuse_outside(double(d.x), double(d.y), labels.h, labels.w, where);
    refuse_outside(double(d.x + d.bitmap.w), double(d.y + d.bitmap.h), labels.h, labels.w, where);
    for (int64_t y = 0; y < d.bitmap.h; ++y)
        for (int64_t x = 0; x < d.bitmap.w; ++x) {
            const int64_t to_y = d.y + y, to_x = d.x + x;
            if (to_y < 0 || to_y >= labels.h || to_x < 0 || to_x >= labels.w) continue;
            if (d.bitmap.u8[size_t(y * d.bitmap.w + x)]) mark(labels.u8[size_t(to_y * labels.w + to_x)], d.id, form);
        }
}

RawMask Drawn::draw(int64_t h, int64_t w, const std::string& where) const {
    if (mask_.h > 0 && (mask_.h != h || mask_.w != w))
        throw DataError(
            fmt::format("{}: the annotation is for an image of {}x{}, but the image is {}x{}; give the image "
                        "that was annotated",
                        where, mask_.w, mask_.h, w, h));
    RawMask mask{make_image<uint8_t>(h, w, 1), {}};
    for (const Drawing& d : mask_.drawings) {
        if (form_ == LabelForm::bits) check_bit_class(d.id, where);
        if (!d.rings.empty()) draw_rings(d.rings, mask_.relative, d.id, form_, mask.image, where);
        if (d.bitmap.h > 0) draw_bitmap(d, form_, mask.image, where);
        if (d.runs.empty()) continue;
        const Image inside = decode_rle(d.runs, h, w, where, RunOrder::columns);
        for (size_t i = 0; i < inside.u8.size(); ++i)
            if (inside.u8[i]) mark(mask.image.u8[i], d.id, form_);
    }
    return mask;
}

uint64_t Drawn::fingerprint() const {
    Fingerprint print;
    print.add(mask_.h), print.add(mask_.w), print.add(mask_.relative);
    for (const Drawing& d : mask_.drawings) {
        print.add(d.id), print.add(d.x), print.add(d.y), print.add(d.runs);
        print.add(d.bitmap.h), print.add(d.bitmap.w), print.add(d.bitmap.u8);
        for (const Ring& ring : d.rings) {
            print.add(ring.size());
            for (const Point& p : ring) print.add(p.x), print.add(p.y);
        }
    }
    if (form_ == LabelForm::bits) print.add(int(form_));
    return print.value();
}

}  // namespace

std::shared_ptr<const MaskSource> drawn_mask(DrawnMask mask) { return std::make_shared<Drawn>(std::move(mask)); }

std::vector<uint8_t> from_base64(const std::string& text, const std::string& where) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::vector<uint8_t> bytes;
    uint32_t bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=' || c == '\n' || c == '\r') continue;
        const size_t digit = digits.find(c);
        if (digit == std::string_view::npos) throw DataError(where + ": a bitmap that is not base64; export it again");
        bits = bits << 6 | uint32_t(digit);
        count += 6;
        if (count >= 8) bytes.push_back(uint8_t(bits >> (count -= 8)));
    }
    return bytes;
}

std::vector<uint8_t> inflate_zlib(const std::vector<uint8_t>& bytes, const std::string& where) {
    std::vector<uint8_t> out;
    for (uLongf room = 1 << 16; room <= 64 << 20; room *= 4) {
        out.resize(room);
        uLongf size = room;
        const int result = uncompress(out.data(), &size, bytes.data(), uLong(bytes.size()));
        if (result == Z_OK) return out.resize(size), out;
        if (result != Z_BUF_ERROR) break;
    }
    throw DataError(where + ": a bitmap that cannot be decompressed; export it again");
}

Image bitmap_of_png(const std::vector<uint8_t>& bytes, const std::string& where) {
    const Image image = codec::decode(bytes, where, true).image;
    if (image.u8.empty()) throw DataError(where + ": a bitmap of more than 8 bits; export it again");
    Image inside = make_image<uint8_t>(image.h, image.w, 1);
    for (int64_t i = 0; i < image.h * image.w; ++i) {
        const uint8_t* pixel = image.u8.data() + i * image.c;
        inside.u8[size_t(i)] =
            image.c == 4 ? pixel[3] != 0 : std::any_of(pixel, pixel + image.c, [](uint8_t v) { return v != 0; });
    }
    return inside;
}

std::string runs_of_counts(const std::vector<int64_t>& counts, const std::string& where) {
    std::string text;
    int64_t at = 1;
    for (size_t i = 0; i < counts.size(); ++i) {
        if (counts[i] < 0 || counts[i] > max_pixels)
            throw DataError(fmt::format("{}: a run of {} pixels; expected counts of pixels", where, counts[i]));
        if (i % 2 == 1 && counts[i] > 0) text += fmt::format("{}{} {}", text.empty() ? "" : " ", at, counts[i]);
        at = std::min(at + counts[i], 2 * max_pixels);
    }
    return text;
}

// Characters from 48 on hold five bits each, the lowest first; bit 5 says that there are more, and the highest is the
// sign. From the fourth on, a count is the difference to the one two before.
std::vector<int64_t> counts_of_text(const std::string& text, const std::string& where) {
    std::vector<int64_t> counts;
    for (size_t i = 0; i < text.size();) {
        int64_t value = 0;
        int shift = 0;
        for (bool more = true; more; shift += 5) {
            if (i == text.size() || text[i] < 48 || text[i] > 111 || shift > 40)
                throw DataError(where + ": compressed runs that are damaged; export the annotation again");
            const int64_t bits = text[i++] - 48;
            value |= (bits & 31) << shift;
            more = bits & 32;
            if (!more && (bits & 16)) value |= int64_t(-1) * (int64_t{1} << (shift + 5));
        }
        if (counts.size() > 2) value += counts[counts.size() - 2];
        if (value < -max_pixels || value > max_pixels)
            throw DataError(where + ": compressed runs that are damaged; export the annotation again");
        counts.push_back(value);
    }
    return counts;
}

}  // namespace atrous::data
