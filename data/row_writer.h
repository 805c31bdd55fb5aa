// Images written from the top to the bottom, some rows at a time, so that no more than these rows are in memory; TIFF also
// some columns after the others.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/columns.h"
#include "base/durable_file.h"
#include "data/geo_tags.h"
#include "data/image.h"

namespace atrous::data {

class RowWriter {
 public:
    virtual ~RowWriter() = default;
    virtual void put(const Image& rows) = 0;  // the next ones; IoError
    // From here on the rows are those of these columns, from the top. They begin at a multiple of tiff_tile and end at one or
    // at the border. Before the first call rows are whole.
    virtual void go_down(Columns columns) = 0;
    // After the last one of all columns. `pause` is called now and then where much is still to be done, and may throw.
    virtual void finish(const std::function<void()>& pause = [] {}) = 0;
};

inline constexpr int64_t tiff_tile = 256;  // the side of a tile

// What is written: 1 or 3 channels of 8 bits; with a palette, one channel of indices into it.
struct RowForm {
    int64_t h = 0, w = 0;
    int c = 1;
    Palette palette = {};
};

// The same bytes as encode_png's, through one row. The sink outlives the writer.
// A PNG is made of whole rows: where some columns come after the others, all wait on the disk of the folder `scratch`, a byte a
// value, and the file is written by finish(). Their space is taken by the first go_down(): IoError where there is none.
std::unique_ptr<RowWriter> png_writer(io::Sink& sink, const RowForm& form, PngMark mark, const std::string& scratch);

// Tiles of 256 x 256, Deflate; BigTIFF where its tiles would take more than 3 GiB. `tags` say where on Earth the image lies.
// Memory: one row of tiles, of the columns that are gone down. "Software: atrous" follows the header, so that results are known again.
std::unique_ptr<RowWriter> tiff_writer(io::FileSink& sink, const RowForm& form, const std::vector<TiffTag>& tags = {});

// Tells whether tiff_writer wrote the file, by its first bytes. The answer is no for whatever cannot be read.
bool is_our_tiff(const std::string& path);

}  // namespace atrous::data
