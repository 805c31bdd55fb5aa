// NumPy's .npy: a signature, a version, a header that is a dictionary of Python, then the array.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "base/error.h"
#include "data/codecs.h"
#include "data/elements.h"

namespace atrous::data::codec {

namespace {

constexpr std::string_view signature = "\x93NUMPY";

struct Header {
    std::string dtype;  // "<u2"
    bool fortran = false;
    std::vector<int64_t> shape;
    size_t end = 0;  // where the array begins
};

// Reads {'descr': '<u2', 'fortran_order': False, 'shape': (3, 4), } in any order of the keys.
class Dictionary {
 public:
    Dictionary(std::string_view text, const std::string& path) : text_(text), path_(path) {}

    void read(Header& header) {
        expect('{');
        while (!take('}')) {
            const std::string_view key = quoted();
            expect(':');
            if (key == "descr")
                header.dtype = peek() == '\'' || peek() == '"' ? quoted() : structured();
            else if (key == "fortran_order")
                header.fortran = truth();
            else if (key == "shape")
                header.shape = tuple();
            else
                fail(fmt::format("the key '{}'", key.substr(0, 20)));
            keys_ += std::string(key.substr(0, 1));
            if (!take(',') && peek() != '}') fail("no comma");
        }
        std::sort(keys_.begin(), keys_.end());
        if (keys_ != "dfs") fail("not once each of descr, fortran_order, shape");
    }

 private:
    [[noreturn]] void fail(const std::string& what) const {
        damaged(path_, "NumPy array", fmt::format("its header has {} at byte {}", what, at_));
    }
    char peek() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
        return at_ < text_.size() ? text_[at_] : '\0';
    }
    bool take(char c) {
        if (peek() != c || at_ == text_.size()) return false;
        ++at_;
        return true;
    }
    void expect(char c) {
        if (!take(c)) fail(fmt::format("no '{}'", c));
    }
    std::string_view quoted() {
        const char mark = peek();
        if (mark != '\'' && mark != '"') fail("no quoted word");
        const size_t end = text_.find(mark, at_ + 1);
        if (end == text_.npos) fail("an open quotation");
        const std::string_view word = text_.substr(at_ + 1, end - at_ - 1);
        at_ = end + 1;
        return word;
    }
    [[noreturn]] std::string structured() const {
        throw DataError(fmt::format("{}: an array of records is not read; save one of its fields as an array", path_));
    }
    bool truth() {
        peek();
        for (const auto& [word, value] : {std::pair<std::string_view, bool>{"False", false}, {"True", true}})
            if (text_.substr(at_).starts_with(word)) {
                at_ += word.size();
                return value;
            }
        fail("neither True nor False");
    }
    std::vector<int64_t> tuple() {
        std::vector<int64_t> numbers;
        expect('(');
        while (!take(')')) {
            if (numbers.size() == 32) fail("more than 32 dimensions");  // NumPy's limit of old
            numbers.push_back(number());
            if (!take(',') && peek() != ')') fail("no comma");
        }
        return numbers;
    }
    int64_t number() {
        int64_t value = 0;
        const char first = peek();
        if (first < '0' || first > '9') fail("no number");
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            value = 10 * value + (text_[at_] - '0');
            if (value > int64_t{1} << 40) fail("a number beyond 2^40");
        }
        if (at_ < text_.size() && text_[at_] == 'L') ++at_;  // of Python 2
        return value;
    }

    std::string_view text_;
    const std::string& path_;
    std::string keys_;
    size_t at_ = 0;
};

Header read_header(Bytes bytes, const std::string& path) {
    const int version = bytes.size() > 7 ? bytes[6] : 0;
    if (bytes.size() > 7 && (version < 1 || version > 3))
        throw DataError(
            fmt::format("{}: a NumPy array of version {}.{}; 1 to 3 are read", path, version, int(bytes[7])));
    const size_t field = version == 1 ? 2 : 4, start = 8 + field;
    size_t size = 0;
    for (size_t i = field; i-- > 0 && bytes.size() >= start;) size = size << 8 | bytes[8 + i];
    if (bytes.size() < start || size > bytes.size() - start)
        damaged(path, "NumPy array", "the file ends within its header");
    Header header;
    header.end = start + size;
    Dictionary({reinterpret_cast<const char*>(bytes.data()) + start, size}, path).read(header);
    return header;
}

std::optional<Element> element_of(std::string_view name) {
    constexpr std::pair<std::string_view, Element> names[] = {
        {"b1", Element::u8},  {"u1", Element::u8},  {"i1", Element::i8},  {"u2", Element::u16},
        {"i2", Element::i16}, {"u4", Element::u32}, {"i4", Element::i32}, {"u8", Element::u64},
        {"i8", Element::i64}, {"f2", Element::f16}, {"f4", Element::f32}, {"f8", Element::f64}};
    for (const auto& [word, element] : names)
        if (word == name) return element;
    return {};
}

// Element (y, x, ch) lies at y * sy + x * sx + ch * sc.
struct Form {
    int64_t h = 0, w = 0, c = 1, sy = 0, sx = 0, sc = 0;
};

[[noreturn]] void refuse_shape(const std::vector<int64_t>& shape, const char* why, const std::string& path) {
    std::string text;
    for (int64_t size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    throw DataError(fmt::format("{}: an array of shape ({}) {}; save HxW, HxWxC or CxHxW with at most {} channels C",
                                path, text, why, max_channels));
}

// Afterwards no product of sizes overflows.
void check_count(const std::vector<int64_t>& shape, const std::string& path) {
    int64_t count = 1;
    for (int64_t size : shape) {
        if (size == 0) refuse_shape(shape, "holds nothing", path);
        if (size > max_pixels * max_channels / count) refuse_shape(shape, "is too large", path);
        count *= size;
    }
}

Form form_of(const Header& header, const std::string& path) {
    const auto& shape = header.shape;
    check_count(shape, path);
    if (shape.size() != 2 && shape.size() != 3) refuse_shape(shape, "is no image", path);
    std::vector<int64_t> strides(shape.size(), 1);
    for (size_t i = 1; i < shape.size(); ++i) {
        const size_t at = header.fortran ? i : shape.size() - 1 - i, before = header.fortran ? at - 1 : at + 1;
        strides[at] = strides[before] * shape[before];
    }
    if (shape.size() == 2) return {shape[0], shape[1], 1, strides[0], strides[1], 0};
    const bool last = shape[2] <= max_channels, first = shape[0] <= max_channels;
    if (last && first) refuse_shape(shape, "may be HxWxC or CxHxW", path);
    if (!last && !first) refuse_shape(shape, "has no side of channels", path);
    if (last) return {shape[0], shape[1], shape[2], strides[0], strides[1], strides[2]};
    return {shape[1], shape[2], shape[0], strides[1], strides[2], strides[0]};
}

bool is_npy(Bytes bytes) { return starts_with(bytes, signature); }

Decoded decode_npy(Bytes bytes, const std::string& path, bool raw_values) {
    const Header header = read_header(bytes, path);
    const char order = header.dtype.empty() ? '?' : header.dtype[0];
    const auto element = element_of(std::string_view(header.dtype).substr(std::min<size_t>(1, header.dtype.size())));
    if (!element || std::string_view("<>|=").find(order) == std::string_view::npos)
        throw DataError(
            fmt::format("{}: an array of '{}' is not read; save bool, integers or floats of at most 64 bits", path,
                        header.dtype.substr(0, 20)));
    const Form form = form_of(header, path);
    check_size(form.h, form.w, path);
    const int64_t size = size_of(*element), needed = form.h * form.w * form.c * size;
    if (int64_t(bytes.size() - header.end) < needed)
        damaged(path, "NumPy array",
                fmt::format("{}x{} pixels of {} bytes need {} bytes, {} are there", form.w, form.h, form.c * size,
                            needed, bytes.size() - header.end));
    Image image = make_image(*element, form.h, form.w, int(form.c));
    image.bands = true;
    const bool swapped = order == (std::endian::native == std::endian::little ? '>' : '<');
    for (int64_t y = 0; y < form.h; ++y)
        for (int64_t ch = 0; ch < form.c; ++ch)
            put_elements(
                {*element, bytes.data() + header.end + (y * form.sy + ch * form.sc) * size, form.sx, form.w, swapped},
                image, y * form.w * form.c + ch, form.c);
    if (header.dtype.ends_with("b1"))
        for (uint8_t& v : image.u8) v = v == 0 ? 0 : raw_values ? 1 : 255;
    return {std::move(image)};
}

}  // namespace

Codec npy() { return {"NumPy", {".npy"}, is_npy, decode_npy}; }

}  // namespace atrous::data::codec
