// TIFF without libtiff: a header, the mark, tiles as they are filled, and the directory at the end.
#include <fmt/core.h>
#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "data/open_file.h"
#include "data/row_writer.h"

namespace atrous::data {

namespace {

constexpr int64_t side = tiff_tile;
constexpr char mark[8] = "atrous";
constexpr uint16_t type_text = 2, type_short = 3, type_long = 4, type_long8 = 16;

void append(std::vector<uint8_t>& bytes, uint64_t number, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes.push_back(uint8_t(number >> 8 * i));
}

class TiffWriter : public RowWriter {
 public:
    TiffWriter(io::FileSink& sink, const RowForm& form, const std::vector<TiffTag>& tags)
        : sink_(sink), form_(form), tags_(tags), big_(most_bytes() > int64_t{3} << 30) {
        std::vector<uint8_t> head{'I', 'I', uint8_t(big_ ? 43 : 42), 0};
        if (big_) append(head, 8, 4);  // offsets have 8 bytes
        append(head, 0, word());       // where the directory is, once it is known
        sink_.write(head.data(), head.size());
        sink_.write(mark, sizeof mark);
        offsets_.resize(size_t(tiles_down() * tiles_across()));
        sizes_.resize(offsets_.size());
        columns_ = {0, form.w};
    }

    void go_down(Columns columns) override {
        require(columns.first % side == 0 && (columns.end() % side == 0 || columns.end() == form_.w),
                "TIFF: columns of whole tiles");
        if (filled_ > 0) write_tiles();
        columns_ = columns;
        tile_row_ = 0;
        band_ = {};
    }

    void put(const Image& rows) override {
        const int64_t row = columns_.count * form_.c;
        require(rows.w == columns_.count && rows.c == form_.c && int64_t(rows.u8.size()) == rows.h * row,
                "TIFF: rows of the form that was announced");
        if (band_.empty()) band_.resize(size_t(side * tiles_of_block() * side * form_.c));
        for (int64_t y = 0; y < rows.h; ++y) {
            std::copy_n(rows.u8.begin() + y * row, row, band_.begin() + filled_ * tiles_of_block() * side * form_.c);
            if (++filled_ == side) write_tiles();
        }
    }

    void finish(const std::function<void()>&) override {
        if (filled_ > 0) write_tiles();
        std::vector<TiffTag> all = pixel_tags();
        all.insert(all.end(), tags_.begin(), tags_.end());
        std::sort(all.begin(), all.end(), [](const TiffTag& a, const TiffTag& b) { return a.tag < b.tag; });
        write_directory(all);
    }

 private:
    size_t word() const { return big_ ? 8 : 4; }  // bytes of an offset
    int64_t tiles_across() const { return (form_.w + side - 1) / side; }
    int64_t tiles_down() const { return (form_.h + side - 1) / side; }
    int64_t tiles_of_block() const { return (columns_.count + side - 1) / side; }  // side by side
    // Of tiles that are not compressed, and of the tags that were given.
    int64_t most_bytes() const {
        int64_t bytes = tiles_down() * tiles_across() * side * side * form_.c;
        for (const TiffTag& t : tags_) bytes += int64_t(t.value.size());
        return bytes;
    }
    uint64_t here() const {
        if (!big_ && sink_.written() > UINT32_MAX)
            throw IoError(fmt::format("a TIFF of {}x{} pixels takes more than 4 GiB, beyond which it has no offsets",
                                      form_.w, form_.h));
        return sink_.written();
    }

    // The rows of band_ beyond the image are what they were, and nobody sees them.
    void write_tiles() {
        const int64_t tile_row = side * form_.c;
        std::vector<uint8_t> tile(size_t(side * tile_row)), packed(compressBound(uLong(tile.size())));
        for (int64_t x = 0; x < tiles_of_block(); ++x) {
            for (int64_t y = 0; y < side; ++y)
                std::copy_n(band_.begin() + (y * tiles_of_block() + x) * tile_row, tile_row,
                            tile.begin() + y * tile_row);
            uLongf size = uLongf(packed.size());
            if (compress2(packed.data(), &size, tile.data(), uLong(tile.size()), Z_DEFAULT_COMPRESSION) != Z_OK)
                throw IoError(
                    fmt::format("encoding a TIFF of {}x{} pixels failed; is there memory left?", form_.w, form_.h));
            const auto tile_index = size_t(tile_row_ * tiles_across() + columns_.first / side + x);
            offsets_.at(tile_index) = here();
            sizes_.at(tile_index) = size;
            sink_.write(packed.data(), size);
        }
        filled_ = 0;
        ++tile_row_;
    }

    static TiffTag tag(uint16_t number, uint16_t type, const std::vector<uint64_t>& values) {
        TiffTag t{number, type, values.size(), {}};
        for (const uint64_t v : values) append(t.value, v, size_t(size_of_tiff_type(type)));
        return t;
    }

    std::vector<TiffTag> pixel_tags() const {
        const bool indexed = !form_.palette.empty();
        const auto each = [&](uint64_t v) { return std::vector<uint64_t>(size_t(form_.c), v); };
        const uint16_t offset = big_ ? type_long8 : type_long;
        const uint64_t photometric = indexed ? 3 : form_.c == 1 ? 1 : 2;
        std::vector<TiffTag> tags{tag(256, type_long, {uint64_t(form_.w)}),
                                  tag(257, type_long, {uint64_t(form_.h)}),
                                  tag(258, type_short, each(8)),
                                  tag(259, type_short, {8}),  // Deflate
                                  tag(262, type_short, {photometric}),
                                  tag(277, type_short, {uint64_t(form_.c)}),
                                  tag(284, type_short, {1}),  // samples of a pixel together
                                  {305, type_text, 7, {mark, mark + 7}},
                                  tag(322, type_short, {side}),
                                  tag(323, type_short, {side}),
                                  tag(324, offset, offsets_),
                                  tag(325, offset, sizes_),
                                  tag(339, type_short, each(1))};
        if (indexed) tags.push_back(tag(320, type_short, colour_map()));
        return tags;
    }

    // All reds, all greens, all blues, of 16 bits.
    std::vector<uint64_t> colour_map() const {
        std::vector<uint64_t> map(3 * 256, 0);
        for (size_t i = 0; i < form_.palette.size(); ++i)
            for (size_t ch = 0; ch < 3; ++ch) map[ch * 256 + i] = (form_.palette[i] >> (16 - 8 * ch) & 255) * 257;
        return map;
    }

    // Values that are longer than an offset lie in front of it.
    void write_directory(const std::vector<TiffTag>& tags) {
        std::vector<uint8_t> entries;
        append(entries, tags.size(), big_ ? 8 : 2);
        for (const TiffTag& t : tags) {
            append(entries, t.tag, 2);
            append(entries, t.type, 2);
            append(entries, t.count, word());
            std::vector<uint8_t> value = t.value;
            if (value.size() > word()) {
                align();
                value.clear();
                append(value, here(), word());
                sink_.write(t.value.data(), t.value.size());
            }
            value.resize(word());
            entries.insert(entries.end(), value.begin(), value.end());
        }
        append(entries, 0, word());  // there is no other directory
        align();
        std::vector<uint8_t> at;
        append(at, here(), word());
        sink_.write(entries.data(), entries.size());
        sink_.patch(big_ ? 8 : 4, at.data(), at.size());
    }

    void align() { sink_.write("\0", size_t(sink_.written() % 2)); }

    io::FileSink& sink_;
    const RowForm form_;
    const std::vector<TiffTag> tags_;
    const bool big_;
    std::vector<uint8_t> band_;  // rows of whole tiles
    int64_t filled_ = 0;         // of them
    Columns columns_;            // that they have
    int64_t tile_row_ = 0;
    std::vector<uint64_t> offsets_, sizes_;  // of each tile
};

}  // namespace

std::unique_ptr<RowWriter> tiff_writer(io::FileSink& sink, const RowForm& form, const std::vector<TiffTag>& tags) {
    return std::make_unique<TiffWriter>(sink, form, tags);
}

bool is_our_tiff(const std::string& path) {
    try {
        std::string head(24, '\0');
        head.resize(read_part(open_file(path), head.data(), head.size(), 0, path));
        const size_t at = head.starts_with(std::string("II\x2b\0", 4)) ? 16 : 8;
        return head.starts_with("II") && head.size() >= at + sizeof mark &&
               head.compare(at, sizeof mark, mark, sizeof mark) == 0;
    } catch (const DataError&) {
        return false;
    }
}

}  // namespace atrous::data
