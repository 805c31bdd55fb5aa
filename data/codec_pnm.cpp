// PNM: gray (P2, P5) and RGB (P3, P6), its values as text (P2, P3) or big endian in one byte, or two where the largest
// value, which the header states, is above 255. https://netpbm.sourceforge.net/doc/pnm.html
#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "base/error.h"
#include "data/codecs.h"
#include "data/open_file.h"

namespace atrous::data::codec {

namespace {

bool is_space(int c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

class Reader {
 public:
    Reader(Bytes bytes, const std::string& path) : bytes_(bytes), path_(path) {}

    // A decimal number and the one byte that ends it.
    uint32_t number() {
        int c = next();
        while (is_space(c)) c = next();
        if (c < 0) damaged(path_, "PNM", "the file ends too early");
        uint32_t value = 0;
        int digits = 0;
        for (; c >= '0' && c <= '9'; c = next()) {
            if (++digits > 7 && value >= 1000000) damaged(path_, "PNM", "a number has more than 7 digits");
            value = 10 * value + uint32_t(c - '0');
        }
        if (digits == 0 || (c >= 0 && !is_space(c)))
            damaged(path_, "PNM", fmt::format("byte {} is 0x{:02x}, not part of a number", at_ - 1, c));
        return value;
    }
    uint32_t binary(size_t size) {
        uint32_t value = 0;
        for (size_t i = 0; i < size; ++i) value = value << 8 | bytes_[at_++];
        return value;
    }
    void skip(size_t size) { at_ += size; }
    size_t at() const { return at_; }

 private:
    // -1 at the end. A comment counts as the end of line that closes it.
    int next() {
        bool comment = false;
        while (at_ < bytes_.size()) {
            const int c = bytes_[at_++];
            comment = comment ? c != '\n' && c != '\r' : c == '#';
            if (!comment) return c;
        }
        return -1;
    }

    Bytes bytes_;
    const std::string& path_;
    size_t at_ = 0;
};

struct Header {
    bool text = false;
    int channels = 1;
    int64_t w = 0, h = 0;
    uint32_t top = 0;  // the largest value
    bool deep() const { return top > 255; }
    int64_t count() const { return h * w * channels; }
};

Header read_header(Reader& reader, Bytes bytes) {
    Header header;
    header.text = bytes[1] < '5';
    header.channels = bytes[1] == '3' || bytes[1] == '6' ? 3 : 1;
    reader.skip(2);
    header.w = reader.number();
    header.h = reader.number();
    header.top = reader.number();
    return header;
}

// `left`: bytes behind the header.
void check_header(const Header& header, int64_t left, const std::string& path, decltype(check_size)& check_sides) {
    check_sides(header.h, header.w, path);
    if (header.top < 1 || header.top > 65535)
        damaged(path, "PNM", fmt::format("its header's largest value is {}, not 1 to 65535", header.top));
    // As text a value takes a digit and a space.
    const int64_t needed = header.text ? 2 * header.count() - 1 : header.count() * (header.deep() ? 2 : 1);
    if (left < needed)
        damaged(path, "PNM", fmt::format("{}x{} pixels need {} bytes, {} are there", header.w, header.h, needed, left));
}

// What each value becomes. The arithmetic is Pillow's: halves go to the even neighbour.
template <class T>
std::vector<T> levels_of(uint32_t top, bool raw_values) {
    std::vector<T> levels(top + 1);
    for (uint32_t v = 0; v <= top; ++v)
        levels[v] = T(raw_values ? v : std::nearbyint(double(v) / top * std::numeric_limits<T>::max()));
    return levels;
}

[[noreturn]] void refuse_value(uint32_t value, uint32_t top, int64_t x, int64_t y, const std::string& path) {
    damaged(path, "PNM",
            fmt::format("pixel ({}, {}) has the value {}, above its header's largest, {}", x, y, value, top));
}

template <class T>
Image read_pixels(Reader& reader, const Header& header, const std::string& path, bool raw_values) {
    const std::vector<T> levels = levels_of<T>(header.top, raw_values);
    Image image = make_image<T>(header.h, header.w, header.channels);
    T* to = image.pixels<T>().data();
    for (int64_t i = 0; i < header.count(); ++i) {
        const uint32_t value = header.text ? reader.number() : reader.binary(sizeof(T));
        const int64_t pixel = i / header.channels;
        if (value > header.top) refuse_value(value, header.top, pixel % header.w, pixel / header.w, path);
        to[i] = levels[value];
    }
    return image;
}

// Some columns of a binary file, each row read where it lies.
template <class T>
class PnmRows : public ImageRows {
 public:
    PnmRows(const Header& header, size_t begin, Columns columns, const std::string& path, bool raw_values)
        : ImageRows(header.h, columns.count, path),
          header_(header),
          begin_(begin),
          columns_(columns),
          levels_(levels_of<T>(header.top, raw_values)),
          file_(open_file(path)) {
        raw_values_ = raw_values;
        pixel_bytes_ = header.channels * int64_t(sizeof(T));
        rows_at_once_ = 1;
        has_all_columns_ = columns == Columns{0, header.w};
        decodes_columns_ = true;
    }

 private:
    std::unique_ptr<ImageRows> open_again(Columns columns) const override {
        return std::make_unique<PnmRows>(header_, begin_, columns, path(), raw_values_);
    }

    Image read(int64_t count) override {
        Image rows = make_image<T>(count, columns_.count, header_.channels);
        T* to = rows.pixels<T>().data();
        const int64_t at_once = has_all_columns_ ? count : 1;  // whole rows lie behind each other
        std::vector<uint8_t> bytes(size_t(at_once * columns_.count * pixel_bytes_));
        for (int64_t y = at_; y < at_ + count; y += at_once) {
            const uint64_t from = begin_ + uint64_t((y * header_.w + columns_.first) * pixel_bytes_);
            const size_t there = read_part(file_, bytes.data(), bytes.size(), from, path());
            if (there < bytes.size())
                damaged(path(), "PNM",
                        fmt::format("the file ends in row {}", y + int64_t(there) / (columns_.count * pixel_bytes_)));
            Reader reader(bytes, path());
            for (int64_t i = 0; i < at_once * columns_.count * header_.channels; ++i) {
                const uint32_t value = reader.binary(sizeof(T));
                if (value > header_.top) refuse(value, y, i / header_.channels);
                *to++ = levels_[value];
            }
        }
        return rows;
    }

    // `pixel`: counted from the first of the columns in row y.
    [[noreturn]] void refuse(uint32_t value, int64_t y, int64_t pixel) const {
        refuse_value(value, header_.top, columns_.first + pixel % columns_.count, y + pixel / columns_.count, path());
    }

    const Header header_;
    const size_t begin_;  // of the pixels, in the file
    const Columns columns_;
    const std::vector<T> levels_;
    const io::FileDescriptor file_;
};

// P2, P3, P5 and P6.
bool is_pnm(Bytes bytes) {
    if (bytes.size() < 3 || bytes[0] != 'P' || !(is_space(bytes[2]) || bytes[2] == '#')) return false;
    return bytes[1] == '2' || bytes[1] == '3' || bytes[1] == '5' || bytes[1] == '6';
}

Decoded decode_pnm(Bytes bytes, const std::string& path, bool raw_values) {
    Reader reader(bytes, path);
    const Header header = read_header(reader, bytes);
    check_header(header, int64_t(bytes.size() - reader.at()), path, check_size);
    return {header.deep() ? read_pixels<uint16_t>(reader, header, path, raw_values)
                          : read_pixels<uint8_t>(reader, header, path, raw_values)};
}

// Values as text come as a whole, and so does what hides its header behind a long comment.
std::unique_ptr<ImageRows> rows_of_pnm(const std::string& path, bool raw_values) {
    const io::FileDescriptor file = open_file(path);
    std::vector<uint8_t> head(4096);
    head.resize(read_part(file, head.data(), head.size(), 0, path));
    const int64_t size = size_of_file(file, path);
    if (head.size() < 3 || head[1] < '5') return nullptr;
    Reader reader(head, path);
    Header header;
    try {
        header = read_header(reader, head);
    } catch (const DataError&) {
        return nullptr;
    }
    // A number may go on behind what was read.
    if (reader.at() == head.size() && size > int64_t(head.size())) return nullptr;
    check_header(header, size - int64_t(reader.at()), path, check_size_by_rows);
    const Columns all{0, header.w};
    if (header.deep()) return std::make_unique<PnmRows<uint16_t>>(header, reader.at(), all, path, raw_values);
    return std::make_unique<PnmRows<uint8_t>>(header, reader.at(), all, path, raw_values);
}

}  // namespace

Codec pnm() { return {"PNM", {".ppm", ".pgm", ".pnm"}, is_pnm, decode_pnm, rows_of_pnm}; }

}  // namespace atrous::data::codec
