// Images read row by row are those that are read as a whole, and images written row by row come back.
#include "data/image_rows.h"

#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <limits>

#include "data/row_writer.h"
#include "data/transform.h"
#include "fixtures.h"
#include "tiff_bytes.h"

namespace atrous::data::test {

namespace {

std::vector<uint8_t> noise(int64_t count) {
    std::vector<uint8_t> values;
    for (int64_t i = 0; i < count; ++i) values.push_back(uint8_t((i * 7919 + i * i / 3) % 251));
    return values;
}

Image noisy(int64_t h, int64_t w, int c) {
    Image image = make_image<uint8_t>(h, w, c);
    image.u8 = noise(image.count());
    return image;
}

// Uneven numbers of rows, so that blocks are left in their middle.
void same_as_whole(const std::string& path) {
    const Image whole = load_image(path);
    const auto rows = open_rows(path);
    ASSERT_EQ(rows->height(), whole.h);
    ASSERT_EQ(rows->width(), whole.w);
    for (int64_t y = 0, n = 1; y < whole.h; y += n, n = n % 7 + 2) {
        n = std::min(n, rows->left());
        const Image some = rows->next(n), expected = crop(whole, y, 0, n, whole.w);
        ASSERT_EQ(some.c, whole.c) << path;
        ASSERT_EQ(some.u8, expected.u8) << path << " row " << y;
        ASSERT_EQ(some.u16, expected.u16) << path << " row " << y;
        ASSERT_EQ(some.f32, expected.f32) << path << " row " << y;
        EXPECT_EQ(some.bands, whole.bands) << path;
    }
    EXPECT_EQ(rows->left(), 0);
}

// In each of these blocks the columns of the whole image, across the borders of tiles and of bytes.
void same_columns(const std::string& path) {
    const Image whole = load_image(path);
    const auto rows = open_rows(path);
    for (const Columns columns : {Columns{0, 1}, {0, 16}, {7, 13}, {15, 2}, {whole.w - 5, 5}, {0, whole.w}}) {
        const auto some = rows->again(columns);
        ASSERT_EQ(some->width(), columns.count);
        ASSERT_EQ(some->height(), whole.h);
        if (columns.count < whole.w) {
            EXPECT_THROW(some->again({0, 1}), Error) << "whose columns would it be?";
        }
        for (int64_t y = 0, n = 3; y < whole.h; y += n) {
            n = std::min(n, some->left());
            const Image part = some->next(n), expected = crop(whole, y, columns.first, n, columns.count);
            ASSERT_EQ(part.c, whole.c);
            ASSERT_EQ(part.u8, expected.u8) << path << " row " << y << ", column " << columns.first;
            ASSERT_EQ(part.u16, expected.u16) << path << " row " << y << ", column " << columns.first;
            ASSERT_EQ(part.f32, expected.f32) << path << " row " << y << ", column " << columns.first;
            EXPECT_EQ(part.bands, whole.bands);
        }
    }
    EXPECT_EQ(rows->next(1).u8, crop(whole, 0, 0, 1, whole.w).u8) << "what was opened first is untouched";
}

}  // namespace

TEST(ImageRows, OfTiffInEveryArrangement) {
    TempDir dir;
    for (int bits : {8, 16, 32})
        for (bool planes : {false, true})
            for (bool tiles : {false, true})
                for (int samples : {1, 3, 5})
                    for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE}) {
                        const TiffForm form{
                            .h = 41,
                            .w = 37,
                            .samples = samples,
                            .bits = bits,
                            .photometric = uint16_t(samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK),
                            .compression = compression,
                            .planes = planes,
                            .tiles = tiles};
                        write_file(dir / "x.tif", encode_tiff(form, noise(41 * 37 * samples * bits / 8)));
                        same_as_whole(dir / "x.tif");
                        same_columns(dir / "x.tif");
                    }
}

// A strip that holds the whole of a large image is not decoded at once.
TEST(ImageRows, OfTiffWithOneLargeStrip) {
    TempDir dir;
    for (uint16_t compression : {COMPRESSION_NONE, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS}) {
        TiffMemory memory;
        TIFF* tiff = open_for_writing(memory, "w");
        const std::vector<uint8_t> pixels = noise(2100 * 2050);
        set_tags(tiff, {.h = 2100, .w = 2050, .compression = compression});
        TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, 2100);
        for (uint32_t y = 0; y < 2100; ++y)
            ASSERT_EQ(TIFFWriteScanline(tiff, const_cast<uint8_t*>(pixels.data()) + y * 2050, y, 0), 1);
        TIFFClose(tiff);
        write_file(dir / "x.tif", memory.bytes);
        same_as_whole(dir / "x.tif");
        same_columns(dir / "x.tif");
        memory.bytes.resize(memory.bytes.size() / 2);
        if (compression == COMPRESSION_NONE) continue;  // its directory is at the end
    }
}

TEST(ImageRows, OfTiffThatIsTurnedOrConverted) {
    TempDir dir;
    TiffForm turned{.h = 20, .w = 31, .samples = 3, .photometric = PHOTOMETRIC_RGB};
    turned.tags = [](TIFF* tiff) { TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_RIGHTTOP); };
    write_file(dir / "turned.tif", encode_tiff(turned, noise(20 * 31 * 3)));
    same_as_whole(dir / "turned.tif");
    TiffForm cmyk{.h = 20, .w = 31, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED};
    write_file(dir / "cmyk.tif", encode_tiff(cmyk, noise(20 * 31 * 4)));
    same_as_whole(dir / "cmyk.tif");
    same_columns(dir / "cmyk.tif");
}

TEST(ImageRows, OfPng) {
    TempDir dir;
    for (int c : {1, 3, 4}) {
        save_png(dir / "x.png", noisy(33, 29, c));
        same_as_whole(dir / "x.png");
        same_columns(dir / "x.png");
    }
    Image deep = make_image<uint16_t>(21, 17, 3);
    for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(i * 977);
    save_png(dir / "deep.png", deep);
    same_as_whole(dir / "deep.png");
    Image indices = noisy(19, 23, 1);
    for (uint8_t& v : indices.u8) v %= 3;
    save_png(dir / "palette.png", indices, {0xff0000, 0x00ff00, 0x0000ff});
    same_as_whole(dir / "palette.png");
    same_columns(dir / "palette.png");
}

// Rows are read where they lie: of an image that is never in memory, and whose values may be fewer than its header's.
TEST(ImageRows, OfPnm) {
    TempDir dir;
    const std::vector<uint8_t> bytes = noise(2 * 3 * 41 * 37);
    const auto write = [&](const std::string& header, size_t count) {
        write_text(dir / "x.pnm", header + std::string(bytes.begin(), bytes.begin() + int64_t(count)));
    };
    for (const char* header :
         {"P5 37 41 255\n", "P5#a\n37 41 251\n", "P6 37 41 255\n", "P5 37 41 65535\n", "P6 37 41 65535\n"}) {
        SCOPED_TRACE(header);
        const bool colour = header[1] == '6', deep = std::string(header).find("65535") != std::string::npos;
        const size_t count = size_t(37 * 41 * (colour ? 3 : 1) * (deep ? 2 : 1));
        write(header, count);
        same_as_whole(dir / "x.pnm");
        same_columns(dir / "x.pnm");
        EXPECT_TRUE(open_rows(dir / "x.pnm")->decodes_columns());
        EXPECT_EQ(open_rows(dir / "x.pnm")->rows_at_once(), 1) << "it was read as a whole";
        write(header, count - 1);
        EXPECT_THROW(open_rows(dir / "x.pnm"), DataError) << "a byte is missing";
    }
    write("P5 37 41 240\n", 37 * 41);
    const Columns columns{5, 20};
    size_t first = 0;  // pixel of the columns that is above the header's largest value
    while (bytes[first] <= 240 || int64_t(first % 37) < columns.first || int64_t(first % 37) >= columns.end()) ++first;
    try {
        open_rows(dir / "x.pnm")->again(columns)->next(41);
        FAIL() << "a value is above the header's largest value";
    } catch (const DataError& error) {
        const std::string place = fmt::format("pixel ({}, {}) has the value {}", first % 37, first / 37, bytes[first]);
        EXPECT_NE(std::string(error.what()).find(place), std::string::npos) << place << "; " << error.what();
    }
    write_text(dir / "x.pnm", "P2 2 1 255 7 9");
    same_as_whole(dir / "x.pnm");
    write_text(dir / "x.pnm", "P5#" + std::string(5000, 'a') + "\n2 1 255\nxy");
    same_as_whole(dir / "x.pnm");
    // Headers whose numbers and end lie about byte 4096, where reading by rows stops looking for them.
    for (size_t end = 4088; end <= 4104; ++end)
        for (const char* numbers : {"40 30 255", "40 30 65535"}) {
            const std::string last = std::string("\n") + numbers + "\n";
            std::string text = "P5#" + std::string(end - 3 - last.size(), 'a') + last;
            ASSERT_EQ(text.size(), end);
            for (int i = 0; i < 2 * 40 * 30; ++i) text += char(i % 251);
            write_text(dir / "x.pnm", text);
            SCOPED_TRACE(end);
            same_as_whole(dir / "x.pnm");
        }
}

TEST(ImageRows, OfFormatsThatAreDecodedAsAWhole) {
    TempDir dir;
    save_jpeg(dir / "x.jpg", noisy(40, 50, 3));
    same_as_whole(dir / "x.jpg");
    same_columns(dir / "x.jpg");
}

// Samples of 1, 4 and 12 bits: a column need not begin at a byte.
TEST(ImageRows, OfTiffWhoseSamplesShareBytes) {
    TempDir dir;
    for (const int bits : {1, 4, 12})
        for (const bool tiles : {false, true}) {
            const TiffForm form{.h = 33, .w = 48, .bits = bits, .tiles = tiles};
            write_file(dir / "x.tif", encode_tiff(form, noise(33 * 48 * bits / 8)));
            same_as_whole(dir / "x.tif");
            same_columns(dir / "x.tif");
        }
}

// A value that is no number is named by its place in the file, not in the block.
TEST(ImageRows, AColumnIsNamedByItsPlaceInTheFile) {
    TempDir dir;
    std::vector<float> values(20 * 40, 1.f);
    values[size_t(7 * 40 + 31)] = std::numeric_limits<float>::quiet_NaN();
    std::vector<uint8_t> bytes(values.size() * 4);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    write_file(dir / "x.tif",
               encode_tiff({.h = 20, .w = 40, .bits = 32, .format = SAMPLEFORMAT_IEEEFP, .tiles = true}, bytes));
    const auto rows = open_rows(dir / "x.tif")->again({24, 16});
    try {
        rows->next(20);
        FAIL();
    } catch (const DataError& e) {
        EXPECT_NE(std::string(e.what()).find("(31, 7)"), std::string::npos) << e.what();
    }
}

TEST(ImageRows, ATruncatedFileIsRefusedWhereItEnds) {
    TempDir dir;
    std::vector<uint8_t> bytes = encode_png(noisy(200, 200, 3));
    bytes.resize(bytes.size() / 2);
    write_file(dir / "x.png", bytes);
    EXPECT_THROW(open_rows(dir / "x.png")->next(200), DataError);
}

// Enlarged, reduced, one side alone, and not at all.
TEST(RowResizer, GivesTheRowsOfTheWholeImage) {
    Image deep = make_image<uint16_t>(57, 31, 1);
    for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(i * 977);
    Image floats = make_image<float>(40, 40, 2);
    for (size_t i = 0; i < floats.f32.size(); ++i) floats.f32[i] = float(i % 97) / 7;
    for (const Image& image : {noisy(101, 67, 3), noisy(1, 1, 1), deep, floats})
        for (const auto& [h, w] :
             {std::pair<int64_t, int64_t>{20, 13}, {image.h, 13}, {20, image.w}, {image.h, image.w}, {250, 90}}) {
            int64_t at = 0;
            RowResizer resizer(
                [&](int64_t count) {
                    at += count;
                    return crop(image, at - count, 0, count, image.w);
                },
                image.h, image.w, h, w);
            const Image whole = resize_bilinear(image, h, w);
            for (int64_t y = 0, n = 3; y < h; y += n) {
                n = std::min(n, h - y);
                const Image rows = resizer.next(n), expected = crop(whole, y, 0, n, w);
                ASSERT_EQ(rows.u8, expected.u8) << h << "x" << w << " row " << y;
                ASSERT_EQ(rows.u16, expected.u16);
                ASSERT_EQ(rows.f32, expected.f32);
            }
        }
}

// Of each block the columns of the whole image's result, from the columns of the input that it needs and no others.
TEST(RowResizer, GivesColumnsOfTheWholeImage) {
    Image deep = make_image<uint16_t>(57, 131, 1), floats = make_image<float>(40, 140, 2);
    for (size_t i = 0; i < deep.u16.size(); ++i) deep.u16[i] = uint16_t(i * 977);
    for (size_t i = 0; i < floats.f32.size(); ++i) floats.f32[i] = float(i % 97) / 7;
    for (const Image& image : {noisy(61, 167, 3), deep, floats})
        for (const auto& [h, w] : {std::pair<int64_t, int64_t>{20, 63}, {image.h, 99}, {20, image.w}, {150, 390}}) {
            const Image whole = resize_bilinear(image, h, w);
            for (const Columns columns : {Columns{0, 17}, {16, 1}, {17, 46}, {w - 9, 9}}) {
                const Columns source = RowResizer::source_columns(image.w, w, columns);
                int64_t at = 0;
                const auto next = [&](int64_t count) {
                    at += count;
                    return crop(image, at - count, source.first, count, source.count);
                };
                const Image rows = RowResizer(next, image.h, image.w, h, w, columns).next(h);
                const Image expected = crop(whole, 0, columns.first, h, columns.count);
                ASSERT_EQ(rows.u8, expected.u8) << h << "x" << w << " from column " << columns.first;
                ASSERT_EQ(rows.u16, expected.u16) << h << "x" << w << " from column " << columns.first;
                ASSERT_EQ(rows.f32, expected.f32) << h << "x" << w << " from column " << columns.first;
            }
        }
}

namespace {

void write_by_rows(const std::string& path, const Image& image, bool tiff, const Palette& palette = {},
                   const std::vector<TiffTag>& tags = {}) {
    io::write_durably(path, [&](io::FileSink& sink) {
        const RowForm form{image.h, image.w, image.c, palette};
        const auto writer = tiff ? tiff_writer(sink, form, tags) : png_writer(sink, form, PngMark::ours, ".");
        for (int64_t y = 0, n = 5; y < image.h; y += n) {
            n = std::min(n, image.h - y);
            writer->put(crop(image, y, 0, n, image.w));
        }
        writer->finish();
    });
}

}  // namespace

TEST(RowWriter, PngIsTheSameFileAsOneWrittenAtOnce) {
    TempDir dir;
    const Image image = noisy(77, 301, 3);
    write_by_rows(dir / "x.png", image, false);
    EXPECT_EQ(read_file(dir / "x.png"), encode_png(image, {}, PngMark::ours));
}

TEST(RowWriter, TiffComesBack) {
    TempDir dir;
    for (int c : {1, 3}) {
        const Image image = noisy(517, 300, c);
        write_by_rows(dir / "x.tif", image, true);
        EXPECT_EQ(load_image(dir / "x.tif").u8, image.u8);
        EXPECT_TRUE(is_our_tiff(dir / "x.tif"));
    }
    Image indices = noisy(9, 11, 1);
    for (uint8_t& v : indices.u8) v %= 2;
    write_by_rows(dir / "palette.tif", indices, true, {0x102030, 0xfffefd});
    const Image colours = load_image(dir / "palette.tif");
    ASSERT_EQ(colours.c, 3);
    EXPECT_EQ(colours.u8[0], indices.u8[0] ? 0xff : 0x10);
    write_file(dir / "other.tif", encode_tiff({.h = 8, .w = 8}, noise(64)));
    EXPECT_FALSE(is_our_tiff(dir / "other.tif"));
    EXPECT_FALSE(is_our_tiff(dir / "none.tif"));
}

// Blocks of columns one after the other, the last of half a tile: the same image.
TEST(RowWriter, TiffOfBlocksOfColumnsComesBack) {
    TempDir dir;
    for (const int c : {1, 3}) {
        const Image image = noisy(300, 256 * 3 + 100, c);
        io::write_durably(dir / "x.tif", [&](io::FileSink& sink) {
            const auto writer = tiff_writer(sink, {image.h, image.w, c});
            for (const Columns columns : {Columns{0, 512}, {512, 256}, {768, 100}}) {
                writer->go_down(columns);
                for (int64_t y = 0; y < image.h; y += 60) writer->put(crop(image, y, columns.first, 60, columns.count));
            }
            EXPECT_THROW(writer->go_down({100, 256}), Error) << "tiles are not cut";
            writer->finish();
        });
        EXPECT_EQ(load_image(dir / "x.tif").u8, image.u8);
    }
}

// Blocks of columns, which wait on the disk: the same file as one that was written by rows, and nothing else stays.
TEST(RowWriter, PngOfBlocksOfColumnsIsTheSameFile) {
    TempDir dir;
    for (const int c : {1, 3}) {
        const Image image = noisy(300, 256 * 3 + 100, c);
        for (const bool one : {true, false}) {
            io::write_durably(dir / "x.png", [&](io::FileSink& sink) {
                const auto writer = png_writer(sink, {image.h, image.w, c}, PngMark::ours, dir.path().string());
                const std::vector<Columns> blocks{{0, 512}, {512, 256}, {768, 100}};
                for (const Columns columns : one ? std::vector{Columns{0, image.w}} : blocks) {
                    writer->go_down(columns);
                    for (int64_t y = 0; y < image.h; y += 60)
                        writer->put(crop(image, y, columns.first, 60, columns.count));
                }
                writer->finish();
            });
            EXPECT_EQ(read_file(dir / "x.png"), encode_png(image, {}, PngMark::ours)) << (one ? "one block" : "three");
        }
    }
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1) << "x.png alone";
    io::write_durably(dir / "x.png", [&](io::FileSink& sink) {
        const auto writer = png_writer(sink, {300, 868, 1}, PngMark::ours, dir.path().string());
        writer->go_down({0, 512});
        writer->put(noisy(299, 512, 1));
        EXPECT_THROW(writer->go_down({512, 356}), Error) << "a row is missing";
        writer->put(noisy(1, 512, 1));
        writer->go_down({512, 356});
        EXPECT_THROW(writer->finish(), Error) << "the last block is missing";
        writer->put(noisy(300, 356, 1));
        int pauses = 0;
        EXPECT_THROW(writer->finish([&] { throw ++pauses; }), int) << "it may be stopped there";
        writer->finish([&] { ++pauses; });
        EXPECT_GT(pauses, 1);
    });
    io::write_durably(dir / "x.png", [&](io::FileSink& sink) {
        const auto writer = png_writer(sink, {4, 512, 1}, PngMark::ours, dir / "none");
        EXPECT_THROW(writer->go_down({0, 256}), IoError) << "a folder that is not there";
        writer->go_down({0, 512});
        writer->put(noisy(4, 512, 1));
        writer->finish();
    });
}

// Before the first row, and not when all the work is done.
TEST(RowWriter, PngOfBlocksOfColumnsTakesItsSpaceAtOnce) {
    TempDir dir;
    const pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{100'000, 100'000};
        setrlimit(RLIMIT_FSIZE, &limit);
        int code = 1;
        try {
            io::write_durably(dir / "x.png", [&](io::FileSink& sink) {
                const auto writer = png_writer(sink, {300, 868, 1}, PngMark::ours, dir.path().string());
                writer->go_down({0, 512});
            });
        } catch (const IoError& error) {
            const std::string text = error.what();
            const auto says = [&](const std::string& words) { return text.find(words) != std::string::npos; };
            code = says("needs 260400 bytes") && says(dir.path().string()) && says("`format` tiff") ? 7 : 8;
        }
        _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 1) GTEST_SKIP() << "this file system cannot reserve space";
    EXPECT_EQ(WEXITSTATUS(status), 7);
    EXPECT_TRUE(std::filesystem::is_empty(dir.path()));
}

// A GeoTIFF in each order of bytes, and as BigTIFF.
TEST(GeoTags, AreCarriedToAnotherFile) {
    TempDir dir;
    static const TIFFFieldInfo fields[] = {
        {33550, -1, -1, TIFF_DOUBLE, FIELD_CUSTOM, 1, 1, const_cast<char*>("ModelPixelScale")},
        {34735, -1, -1, TIFF_SHORT, FIELD_CUSTOM, 1, 1, const_cast<char*>("GeoKeyDirectory")},
        {42113, -1, -1, TIFF_ASCII, FIELD_CUSTOM, 1, 0, const_cast<char*>("GDAL_NODATA")}};
    TiffForm form{.h = 8, .w = 8};
    form.tags = [](TIFF* tiff) {
        TIFFMergeFieldInfo(tiff, fields, 3);
        const double scale[] = {0.5, 0.25, 0};
        const uint16_t keys[] = {1, 1, 0, 1, 1024, 0, 1, 1};
        TIFFSetField(tiff, 33550, 3, scale);
        TIFFSetField(tiff, 34735, 8, keys);
        TIFFSetField(tiff, 42113, "-9999");
    };
    std::vector<TiffTag> first;
    for (const char* mode : {"wl", "wb", "w8"}) {
        form.mode = mode;
        write_file(dir / "x.tif", encode_tiff(form, noise(64)));
        const std::vector<TiffTag> tags = geo_tags_of(dir / "x.tif").tags;
        ASSERT_EQ(tags.size(), 2u) << mode << ": the value for no data is not of the place";
        EXPECT_EQ(tags[0].count, 3u);
        double scale = 0;
        std::copy_n(tags[0].value.begin(), 8, reinterpret_cast<uint8_t*>(&scale));
        EXPECT_EQ(scale, 0.5) << mode;
        EXPECT_EQ(tags[1].value, (std::vector<uint8_t>{1, 0, 1, 0, 0, 0, 1, 0, 0, 4, 0, 0, 1, 0, 1, 0})) << mode;
        write_by_rows(dir / "y.tif", noisy(8, 8, 1), true, {}, tags);
        EXPECT_EQ(geo_tags_of(dir / "y.tif").tags, tags) << mode;
        EXPECT_EQ(load_image(dir / "y.tif").u8, noisy(8, 8, 1).u8);
    }
    save_png(dir / "x.png", noisy(8, 8, 1));
    EXPECT_TRUE(geo_tags_of(dir / "x.png").tags.empty());
}

// As libtiff reads them: the first of several entries counts. What no program needs is not carried.
TEST(GeoTags, RepeatedLongAndOddOnesAreLeftOut) {
    TempDir dir;
    const auto tags_of = [&](std::vector<TiffEntry> more) {
        std::vector<TiffEntry> entries = gray_8x8();
        entries.insert(entries.end(), more.begin(), more.end());
        write_file(dir / "x.tif", tiff_of(entries));
        return geo_tags_of(dir / "x.tif");
    };
    const TiffEntry keys{34735, 3, 2, 7}, other{34735, 3, 2, 9};
    EXPECT_EQ(tags_of({keys, other, other}).tags, (std::vector<TiffTag>{{34735, 3, 2, {7, 0, 0, 0}}}));
    EXPECT_TRUE(tags_of({{33550, 3, 2, 7}, {34737, 4, 1, 8}}).tags.empty()) << "types they do not have";
    std::vector<uint8_t> large = tiff_of({{34736, 12, 8193, 8}});
    large.resize(100'000);
    write_file(dir / "x.tif", large);
    EXPECT_TRUE(geo_tags_of(dir / "x.tif").tags.empty()) << "more than 64 KiB";
}

TEST(GeoTags, OfATurnedImageAreLeftOutAndSaidToBe) {
    TempDir dir;
    for (const uint32_t orientation : {0u, 1u, 2u, 6u, 8u}) {
        std::vector<TiffEntry> entries = gray_8x8();
        entries.insert(entries.begin() + 6, {274, 3, 1, orientation});
        entries.push_back({34735, 3, 2, 7});
        write_file(dir / "x.tif", tiff_of(entries));
        const GeoTags found = geo_tags_of(dir / "x.tif");
        EXPECT_EQ(found.turned, orientation > 1) << orientation;
        EXPECT_EQ(found.tags.size(), orientation > 1 ? 0u : 1u) << orientation;
    }
    write_file(dir / "x.tif", tiff_of({{274, 3, 1, 6}}));
    EXPECT_FALSE(geo_tags_of(dir / "x.tif").turned) << "there is no place to carry";
}

// A column of tiles, most of whose pixels are beyond the image.
TEST(RowWriter, TiffOfManyTilesIsABigTiff) {
    TempDir dir;
    for (const auto& [height, version] : {std::pair<int64_t, int>{1 << 20, 42}, {1 << 24, 43}}) {
        io::write_durably(dir / "x.tif", [&, h = height](io::FileSink& sink) { tiff_writer(sink, {h, 1, 1}); });
        EXPECT_EQ(read_file(dir / "x.tif")[2], version) << height;
    }
}

TEST(ImageRows, TellWhetherColumnsAreDecodedAlone) {
    TempDir dir;
    for (const bool tiles : {false, true}) {
        const TiffForm form{.h = 33, .w = 48, .tiles = tiles};
        write_file(dir / "x.tif", encode_tiff(form, noise(33 * 48)));
        EXPECT_EQ(open_rows(dir / "x.tif")->decodes_columns(), tiles);
    }
    save_png(dir / "x.png", noisy(33, 29, 1));
    EXPECT_FALSE(open_rows(dir / "x.png")->decodes_columns());
    EXPECT_TRUE(open_rows(dir / "x.png", 33 * 29)->decodes_columns()) << "all of it is there";
}

// Of a row of tiles all that hold some of the columns have to be in memory.
TEST(ImageRows, OfTiffInTilesThatAreTooHighAreRefused) {
    TempDir dir;
    std::vector<uint8_t> bytes = tiff_of({{256, 4, 1, 300'000},
                                          {257, 4, 1, 4096},
                                          {258, 3, 1, 8},
                                          {259, 3, 1, 8},
                                          {262, 3, 1, 1},
                                          {277, 3, 1, 1},
                                          {322, 4, 1, 4096},
                                          {323, 4, 1, 4096},
                                          {324, 4, 74, 8},
                                          {325, 4, 74, 8}});
    bytes.resize(2'000'000);
    write_file(dir / "x.tif", bytes);
    const auto rows = open_rows(dir / "x.tif");
    const auto message_of = [&](Columns columns) -> std::string {
        try {
            rows->again(columns)->next(1);
        } catch (const DataError& e) {
            return e.what();
        }
        return "";
    };
    EXPECT_NE(message_of({0, 300'000}).find("save it in smaller tiles or strips"), std::string::npos);
    const std::string of_few = message_of({0, 1000});
    EXPECT_FALSE(of_few.empty()) << "there are no tiles in the file";
    EXPECT_EQ(of_few.find("save it in smaller tiles or strips"), std::string::npos) << of_few;
}

}  // namespace atrous::data::test
