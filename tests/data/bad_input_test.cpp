// A table of what users' data sets look like when something is wrong with them, or merely odd. Each row makes a small
// data set and says what becomes of it before training starts: accepted as specified, or refused in one line that names
// the file, the place and the remedy.
#include <png.h>
#include <turbojpeg.h>

#include <cstring>

#include "data/dataset.h"
#include "data/rle.h"
#include "fixtures.h"
#include "npy_bytes.h"
#include "tiff_bytes.h"

namespace atrous::data::test {

namespace {

// A data set of three good samples of 8 x 6 (masks 0/255), which a row then spoils.
struct Scene {
    TempDir dir;
    DatasetOptions options;
    CheckOptions check;
    Scene() {
        options.root = dir.path().string();
        for (int i = 0; i < 3; ++i) {
            save_png(image(i), pattern(6, 8, 3));
            save_png(mask(i), binary(6, 8));
        }
    }
    std::string image(int i) { return dir / ("images/p" + std::to_string(i) + ".png"); }
    std::string mask(int i) { return dir / ("masks/p" + std::to_string(i) + ".png"); }
    std::string file(const std::string& name) { return dir / name; }
    void remove(const std::string& path) { fs::remove(path); }
    static Image binary(int64_t h, int64_t w, uint8_t on = 255) {
        Image m = make_image<uint8_t>(h, w, 1);
        for (size_t i = 0; i < m.u8.size(); i += 3) m.u8[i] = on;
        return m;
    }
    static Image filled(std::vector<uint8_t> values) {  // 6 x 8, the values in turn
        Image m = make_image<uint8_t>(6, 8, 1);
        for (size_t i = 0; i < m.u8.size(); ++i) m.u8[i] = values[i % values.size()];
        return m;
    }
    void all_masks(const Image& m, const Palette& palette = {}) {
        for (int i = 0; i < 3; ++i) save_png(mask(i), m, palette);
    }
    DatasetReport run() {
        const Dataset d = find_dataset(options);
        std::vector<Sample> all = d.train;
        all.insert(all.end(), d.val.begin(), d.val.end());
        return check_dataset(all, check);
    }
};

struct Row {
    const char* name;
    std::function<void(Scene&)> make;
    std::vector<std::string> refusal;  // words of the message; empty: accepted
    std::function<void(const DatasetReport&)> accepted = {};
};

void cut(const std::string& path, double share) {
    const auto bytes = read_file(path);
    write_file(path, std::span(bytes).first(size_t(double(bytes.size()) * share)));
}

// gray 16-bit PNG
Image deep(int64_t h, int64_t w, uint16_t on) {
    Image m = make_image<uint16_t>(h, w, 1);
    for (size_t i = 0; i < m.u16.size(); i += 2) m.u16[i] = on;
    return m;
}

void save_cmyk(const std::string& path, int w, int h) {
    std::vector<uint8_t> inks(size_t(w * h * 4), 100);
    tjhandle handle = tjInitCompress();
    unsigned char* buffer = nullptr;
    unsigned long size = 0;
    ASSERT_EQ(tjCompress2(handle, inks.data(), w, 0, h, TJPF_CMYK, &buffer, &size, TJSAMP_444, 90, 0), 0);
    write_file(path, {buffer, size});
    tjFree(buffer);
    tjDestroy(handle);
}

void save_progressive(const std::string& path, const Image& rgb) {
    tjhandle handle = tjInitCompress();
    unsigned char* buffer = nullptr;
    unsigned long size = 0;
    ASSERT_EQ(tjCompress2(handle, rgb.u8.data(), int(rgb.w), 0, int(rgb.h), TJPF_RGB, &buffer, &size, TJSAMP_420, 90,
                          TJFLAG_PROGRESSIVE),
              0);
    write_file(path, {buffer, size});
    tjFree(buffer);
    tjDestroy(handle);
}

// A JPEG with an EXIF orientation, little endian.
void save_oriented(const std::string& path, const Image& rgb, uint8_t orientation) {
    auto jpeg = encode_jpeg(rgb, 95);
    const std::vector<uint8_t> segment = {0xff, 0xe1, 0, 34, 'E',         'x', 'i', 'f', 0,    0,    'I', 'I',
                                          42,   0,    8, 0,  0,           0,   1,   0,   0x12, 0x01, 3,   0,
                                          1,    0,    0, 0,  orientation, 0,   0,   0,   0,    0,    0,   0};
    jpeg.insert(jpeg.begin() + 2, segment.begin(), segment.end());
    write_file(path, jpeg);
}

void use_list(Scene& s, const std::string& text, const std::string& name = "list.txt") {
    write_text(s.file(name), text);
    s.options.train_list = s.file(name);
}

const auto classes = [](int expected) {
    return [expected](const DatasetReport& r) { EXPECT_EQ(r.rule.class_count, expected); };
};

std::vector<Row> images() {
    return {
        {"a good set",
         [](Scene&) {},
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.samples, 3);
             EXPECT_EQ(r.pixels, (std::vector<int64_t>{96, 48}));
         }},
        {"image of no bytes", [](Scene& s) { write_text(s.image(1), ""); }, {"p1.png", "empty"}},
        {"image cut in half", [](Scene& s) { cut(s.image(1), .5); }, {"p1.png"}},
        {"image cut in its header", [](Scene& s) { cut(s.image(1), .1); }, {"p1.png"}},
        {"text called png",
         [](Scene& s) { write_text(s.image(0), "these are no pixels at all"); },
         {"p0.png", "convert"}},
        {"HTML error page called jpg",
         [](Scene& s) {
             s.remove(s.image(0));
             write_text(s.file("images/p0.jpg"), "<!DOCTYPE html><html>404</html>");
         },
         {"p0.jpg", "convert"}},
        {"JPEG called png", [](Scene& s) { write_file(s.image(0), encode_jpeg(pattern(6, 8, 3))); }, {}},
        {"JPEG cut",
         [](Scene& s) {
             write_file(s.image(0), encode_jpeg(pattern(6, 8, 3)));
             cut(s.image(0), .8);
         },
         {"p0.png"}},
        {"a TIFF of nothing",
         [](Scene& s) { write_text(s.image(2), std::string("II*\0", 4) + "and so on"); },
         {"p2.png", "TIFF", "damaged"}},
        {"gray image",
         [](Scene& s) { save_png(s.image(0), pattern(6, 8, 1)); },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.gray_images, 1); }},
        {"image with alpha", [](Scene& s) { save_png(s.image(0), pattern(6, 8, 4)); }, {}},
        {"16-bit image",
         [](Scene& s) { save_png(s.image(0), deep(6, 8, 60000)); },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.deep_images, 1); }},
        {"CMYK JPEG",
         [](Scene& s) {
             s.remove(s.image(0));
             save_cmyk(s.file("images/p0.jpg"), 8, 6);
         },
         {}},
        {"progressive JPEG",
         [](Scene& s) {
             s.remove(s.image(0));
             save_progressive(s.file("images/p0.jpeg"), pattern(6, 8, 3));
         },
         {}},
        {"JPEG called jfif and jpe",
         [](Scene& s) {
             for (int i : {0, 1}) {
                 s.remove(s.image(i));
                 write_file(s.file(i ? "images/p1.jpe" : "images/p0.jfif"), encode_jpeg(pattern(6, 8, 3)));
             }
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 3); }},
        {"upper-case extension", [](Scene& s) { fs::rename(s.image(0), s.file("images/p0.PNG")); }, {}},
        {"one pixel",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) {
                 save_png(s.image(i), pattern(1, 1, 3));
                 save_png(s.mask(i), gray(1, 1, {255}));
             }
             save_png(s.mask(0), gray(1, 1, {0}));
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.max_h, 1); }},
        {"header of 60000 x 60000",
         [](Scene& s) {
             write_text(s.file("images/q.pgm"), "P5\n60000 60000\n255\nxx");
             save_png(s.file("masks/q.png"), Scene::binary(6, 8));
         },
         {"q.pgm", "60000x60000", "limit"}},
        {"PNM header with endless digits",
         [](Scene& s) {
             write_text(s.file("images/q.pgm"), "P5 99999999999999999999 2\n255\nxx");
             save_png(s.file("masks/q.png"), Scene::binary(6, 8));
         },
         {"q.pgm", "7 digits"}},
        {"PGM with a comment that holds digits",
         [](Scene& s) {
             write_text(s.file("images/q.pgm"), "P5\n# made 20231231235959\n8 6\n255\n" + std::string(48, 'x'));
             save_png(s.file("masks/q.png"), Scene::binary(6, 8));
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 4); }},
        {"a folder called like an image",
         [](Scene& s) { fs::create_directories(s.dir.path() / "images" / "x.png"); },
         {}},
        {"hidden and foreign files",
         [](Scene& s) {
             write_text(s.file("images/.DS_Store"), "x");
             write_text(s.file("images/._p0.png"), "x");
             write_text(s.file("images/Thumbs.db"), "x");
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 3); }},
        {"unicode and spaces",
         [](Scene& s) {
             save_png(s.file("images/новая картинка 1.png"), pattern(6, 8, 3));
             save_png(s.file("masks/новая картинка 1.png"), Scene::binary(6, 8));
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 4); }},
        {"a broken link",
         [](Scene& s) {
             fs::create_symlink(s.dir.path() / "gone.png", s.dir.path() / "images" / "zz.png");
             save_png(s.file("masks/zz.png"), Scene::binary(6, 8));
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 3) << "what is no file is no image"; }},
    };
}

// Images in containers of other fields; the files are of 8 x 8 pixels, the masks of the last accepted ones too.
std::vector<Row> containers() {
    const auto with = [](const char* name, std::vector<uint8_t> bytes, std::vector<std::string> refusal) {
        return Row{name, [bytes](Scene& s) { write_file(s.image(1), bytes); }, std::move(refusal)};
    };
    auto vast = gray_8x8(), many_strips = vast;
    vast[1].value = vast[7].value = 0x7fffffff;  // rows, of a strip too
    many_strips[1].value = 1 << 25;
    many_strips[7].value = 1;
    return {
        with("TIFF: a directory beyond the end", {'I', 'I', 42, 0, 255, 255, 255, 127}, {"p1.png", "TIFF"}),
        with("TIFF: two thousand million rows", tiff_of(vast), {"p1.png", "8x2147483647", "limit"}),
        with("TIFF: a strip a row, of a small file", tiff_of(many_strips), {"p1.png", "StripOffsets"}),
        with("TIFF: 9000 channels", tiff_with({277, 3, 1, 9000}), {"p1.png", "9000 channels", "16"}),
        with("TIFF: pixels beyond the end", tiff_with({273, 4, 1, 4000}), {"p1.png", "TIFF"}),
        with("TIFF: 5 bits", tiff_with({258, 3, 1, 5}), {"p1.png", "5 bits"}),
        with("TIFF: compressed by LZMA", tiff_with({259, 3, 1, 34925}), {"p1.png", "LZMA", "Deflate"}),
        with("TIFF: complex numbers", tiff_with({339, 3, 1, 6}), {"p1.png", "complex"}),
        with("TIFF: tiles of 2^30", tiff_with({322, 4, 1, 1 << 30}), {"p1.png", "TIFF"}),
        with("WebP: a header alone", {'R', 'I', 'F', 'F', 99, 0, 0, 0, 'W', 'E', 'B', 'P'}, {"p1.png", "WebP"}),
        with("NumPy: objects", npy("|O", "(8, 6)", {}), {"p1.png", "'|O'"}),
        with("NumPy: fewer bytes than its shape", npy("<f4", "(6, 8)", {1, 2, 3}), {"p1.png", "192 bytes, 3"}),
        with("NumPy: a shape of 10^12", npy("|u1", "(1000000, 1000000)", {}), {"p1.png", "too large"}),
        with("NumPy: channels on either side", npy("|u1", "(3, 6, 8)", std::vector<uint8_t>(144)),
             {"p1.png", "may be"}),
        with("NumPy: not a number", npy("<f4", "(6, 8)", std::vector<uint8_t>(192, 0xff)), {"p1.png", "(0, 0)", "nan"}),
        {"TIFF: a directory that follows itself",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) {
                 write_file(s.image(i), tiff_of(gray_8x8(), 8));
                 save_png(s.mask(i), Scene::binary(8, 8));
             }
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 3); }},
        {"TIFF: several pages",
         [](Scene& s) { write_file(s.image(1), encode_tiff({.h = 6, .w = 8}, std::vector<uint8_t>(48), 2)); },
         {},
         [](const DatasetReport& r) {
             EXPECT_NE(r.text().find("1 of 3 images have several pages, of which the first is read"),
                       std::string::npos);
         }},
        {"NumPy: masks of 64 bits",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) {
                 s.remove(s.mask(i));
                 std::vector<int64_t> ids(48, 1);
                 ids[7] = 0;
                 write_file(s.file("masks/p" + std::to_string(i) + ".npy"), npy("<i8", "(6, 8)", bytes_of(ids)));
             }
         },
         {},
         classes(2)},
    };
}

std::vector<Row> orientations() {
    std::vector<Row> rows;
    static const char* names[] = {"EXIF 1", "EXIF 2", "EXIF 3", "EXIF 4", "EXIF 5", "EXIF 6", "EXIF 7", "EXIF 8"};
    for (int o = 1; o <= 8; ++o)
        rows.push_back({names[o - 1],
                        [o](Scene& s) {  // stored sideways from 5 on: 8 x 6 as seen
                            s.remove(s.image(0));
                            save_oriented(s.file("images/p0.jpg"), o < 5 ? pattern(6, 8, 3) : pattern(8, 6, 3),
                                          uint8_t(o));
                        },
                        {},
                        [](const DatasetReport& r) { EXPECT_TRUE(r.one_size()) << "turned upright like its mask"; }});
    rows.push_back({"EXIF 6 with a mask of the stored image",
                    [](Scene& s) {
                        s.remove(s.image(0));
                        save_oriented(s.file("images/p0.jpg"), pattern(6, 8, 3), 6);
                    },
                    {"p0.png", "8x6", "p0.jpg", "6x8", "export"}});
    rows.push_back({"EXIF orientation 77 is ignored",
                    [](Scene& s) {
                        s.remove(s.image(0));
                        save_oriented(s.file("images/p0.jpg"), pattern(6, 8, 3), 77);
                    },
                    {}});
    return rows;
}

std::vector<Row> masks() {
    return {
        {"mask of another size",
         [](Scene& s) { save_png(s.mask(1), Scene::binary(5, 8)); },
         {"p1.png", "8x5", "8x6", "export"}},
        {"mask transposed", [](Scene& s) { save_png(s.mask(1), Scene::binary(8, 6)); }, {"p1.png", "6x8", "export"}},
        {"mask of no bytes", [](Scene& s) { write_text(s.mask(0), ""); }, {"masks/p0.png", "empty"}},
        {"mask cut", [](Scene& s) { cut(s.mask(2), .6); }, {"masks/p2.png"}},
        {"masks 0/1", [](Scene& s) { s.all_masks(Scene::binary(6, 8, 1)); }, {}, classes(2)},
        {"masks of ids 0..3",
         [](Scene& s) {
             s.all_masks(Scene::filled({0, 1, 2, 3}));
         },
         {},
         classes(4)},
        {"ids with a border of 255",
         [](Scene& s) {
             s.all_masks(Scene::filled({0, 1, 2, 255}));
         },
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.rule.class_count, 3);
             EXPECT_EQ(r.ignored_pixels, 36);
         }},
        {"ids that start at 1",
         [](Scene& s) {
             s.all_masks(Scene::filled({1, 2, 3}));
         },
         {},
         [](const DatasetReport& r) {
             ASSERT_FALSE(r.warnings.empty());
             EXPECT_NE(r.warnings[0].find("start at 1"), std::string::npos) << r.warnings[0];
         }},
        {"masks all black",
         [](Scene& s) { s.all_masks(Scene::filled({0})); },
         {"masks/p", "0 everywhere", "nothing to learn"}},
        {"anti-aliased masks",
         [](Scene& s) {
             std::vector<uint8_t> levels;
             for (int v = 0; v < 40; ++v) levels.push_back(uint8_t(v * 6));
             s.all_masks(Scene::filled(levels));
         },
         {"different values", "binary:128"}},
        {"anti-aliased masks, thresholded as the message says",
         [](Scene& s) {
             s.all_masks(Scene::filled({0, 60, 130, 237}));
             s.check.rule = parse_mask_rule("binary:128");
         },
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.pixels, (std::vector<int64_t>{72, 72}));
         }},
        {"masks 0/128", [](Scene& s) { s.all_masks(Scene::binary(6, 8, 128)); }, {"values (0,128)", "`mask-values`"}},
        {"label out of range",
         [](Scene& s) {
             Image m = Scene::filled({0, 1});
             m.u8[2 * 8 + 5] = 9;
             save_png(s.mask(1), m);
             s.check.rule = parse_mask_rule("ids");
             s.check.class_count = 2;
             save_png(s.mask(0), Scene::binary(6, 8, 1));
             save_png(s.mask(2), Scene::binary(6, 8, 1));
         },
         {"masks/p1.png", "9", "(5, 2)", "0 to 1"}},
        {"a colour nobody listed",
         [](Scene& s) {
             Image m = make_image<uint8_t>(6, 8, 3);
             m.u8[3 * (3 * 8 + 4)] = 0x12;
             s.all_masks(m);
             s.check.rule = parse_mask_rule("#000000,#ff0000");
         },
         {"p0.png", "#120000", "(4, 3)"}},
        {"five colours without a rule",
         [](Scene& s) {
             Image m = make_image<uint8_t>(6, 8, 3);
             for (size_t i = 0; i < m.u8.size(); ++i) m.u8[i] = uint8_t(i % 5 * 50);
             s.all_masks(m);
         },
         {"colours", "`mask-values`"}},
        {"masks in RGBA",
         [](Scene& s) {
             Image m = make_image<uint8_t>(6, 8, 4);
             for (size_t i = 0; i < m.u8.size(); i += 4) {
                 m.u8[i] = i % 8 ? 255 : 0;
                 m.u8[i + 3] = 200;
             }
             s.all_masks(m);
             s.check.rule = parse_mask_rule("#000000,#ff0000");
         },
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.pixels, (std::vector<int64_t>{72, 72}));
         }},
        {"palette masks: the index counts",
         [](Scene& s) {
             s.all_masks(Scene::filled({0, 1, 2}), {0x000000, 0x800000, 0x008000});
         },
         {},
         classes(3)},
        {"16-bit ids",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) save_png(s.mask(i), deep(6, 8, 1));
         },
         {},
         classes(2)},
        {"16-bit instance ids",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) save_png(s.mask(i), deep(6, 8, 3001));
             s.check.rule = parse_mask_rule("ids");
         },
         {"p0.png", "3001", "(0, 0)"}},
        {"16-bit colours",
         [](Scene& s) { save_png(s.mask(0), make_image<uint16_t>(6, 8, 3)); },
         {"p0.png", "16 bits", "8"}},
        {"JPEG masks with ringing",
         [](Scene& s) {
             Image m = make_image<uint8_t>(6, 8, 1);
             for (size_t i = 0; i < m.u8.size(); ++i) m.u8[i] = i % 8 < 4 ? 0 : 255;
             for (int i = 0; i < 3; ++i) {
                 s.remove(s.mask(i));
                 write_file(s.file("masks/p" + std::to_string(i) + ".jpg"), encode_jpeg(m, 60));
             }
             s.check.rule = parse_mask_rule("binary:128");
         },
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.pixels, (std::vector<int64_t>{72, 72}));
         }},
        {"more classes than `classes`",
         [](Scene& s) {
             s.all_masks(Scene::filled({0, 1, 2, 3}));
             s.check.class_count = 3;
         },
         {"masks/p", "value 3|is 3|3", "(3, 0)", "0 to 2"}},
    };
}

std::vector<Row> folders() {
    return {
        {"an image without mask", [](Scene& s) { s.remove(s.mask(1)); }, {"images", "1 of 3", "p1.png", "_mask"}},
        {"a mask without image",
         [](Scene& s) { s.remove(s.image(1)); },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 2); }},
        {"p0.png beside p0.jpg",
         [](Scene& s) { write_file(s.file("images/p0.jpg"), encode_jpeg(pattern(6, 8, 3))); },
         {"p0.jpg", "extension", "keep one"}},
        {"no such folder", [](Scene& s) { s.options.root = s.file("nowhere"); }, {"nowhere", "no such folder"}},
        {"a file for a folder", [](Scene& s) { s.options.root = s.image(0); }, {"p0.png", "not a folder"}},
        {"images alone",
         [](Scene& s) { fs::remove_all(s.dir.path() / "masks"); },
         {"not recognized|no data set", "images/", "masks/"}},
        {"an empty images folder",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) s.remove(s.image(i));
         },
         {"images", "no images"}},
        {"one sample",
         [](Scene& s) {
             for (int i = 1; i < 3; ++i) {
                 s.remove(s.image(i));
                 s.remove(s.mask(i));
             }
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 1); }},
        {"masks called p_mask",
         [](Scene& s) {
             for (int i = 0; i < 3; ++i) fs::rename(s.mask(i), s.file("masks/p" + std::to_string(i) + "_mask.png"));
         },
         {}},
        {"a pattern that matches none", [](Scene& s) { s.options.val_pattern = "*9.png"; }, {"*9.png", "none", "glob"}},
        {"a pattern that matches all", [](Scene& s) { s.options.val_pattern = "*"; }, {"'*'", "all"}},
    };
}

std::vector<Row> lists() {
    return {
        {"list",
         [](Scene& s) { use_list(s, "images/p0.png masks/p0.png\n# a comment\n\nimages/p1.png masks/p1.png\r\n"); },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 2); }},
        {"list that is missing", [](Scene& s) { s.options.train_list = s.file("no.txt"); }, {"no.txt", "opened"}},
        {"list of nothing", [](Scene& s) { use_list(s, "# nothing\n\n"); }, {"list.txt", "no sample"}},
        {"list with ..",
         [](Scene& s) { use_list(s, "images/p0.png masks/p0.png\n../x.png masks/p0.png\n"); },
         {"list.txt:2", "../x.png", "without '..'"}},
        {"list with an absolute path",
         [](Scene& s) { use_list(s, "/etc/passwd masks/p0.png\n"); },
         {"list.txt:1", "/etc/passwd", "below"}},
        {"list of files that are not there",
         [](Scene& s) { use_list(s, "images/p0.png masks/p0.png\nimages/p7.png masks/p7.png\n"); },
         {"list.txt", "p7.png", "line 2"}},
        {"list of three fields",
         [](Scene& s) { use_list(s, "images/p0.png masks/p0.png 1\n"); },
         {"list.txt:1", "two fields", "tab"}},
        {"list of unknown stems", [](Scene& s) { use_list(s, "p0\np9\n"); }, {"list.txt:2", "p9"}},
        {"list that names a sample twice", [](Scene& s) { use_list(s, "p0\np0\n"); }, {"twice", "p0"}},
        {"both lists name a sample",
         [](Scene& s) {
             use_list(s, "p0\np1\n");
             write_text(s.file("val.txt"), "p1\n");
             s.options.val_list = s.file("val.txt");
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 2) << "what validates is not trained on"; }},
        {"CSV",
         [](Scene& s) {
             use_list(s, "image,mask\nimages/p0.png,masks/p0.png\n\"images/p1.png\",\"masks/p1.png\"\n", "l.csv");
         },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 2); }},
        {"CSV without a heading, with a byte order mark",
         [](Scene& s) { use_list(s, "\xef\xbb\xbfimages/p0.png,masks/p0.png\n", "l.csv"); },
         {},
         [](const DatasetReport& r) { EXPECT_EQ(r.samples, 1); }},
        {"CSV of unknown columns",
         [](Scene& s) { use_list(s, "id,price\nimages/p0.png,3\n", "l.csv"); },
         {"l.csv:1", "id, price", "rle_mask"}},
        {"CSV with one column",
         [](Scene& s) { use_list(s, "images/p0.png\n", "l.csv"); },
         {"l.csv:1", "1 fields", "comma"}},
        {"CSV with an open quotation",
         [](Scene& s) { use_list(s, "image,mask\n\"images/p0.png,masks/p0.png\n", "l.csv"); },
         {"l.csv:2", "quotation"}},
        {"CSV that climbs",
         [](Scene& s) { use_list(s, "image,mask\n../p0.png,masks/p0.png\n", "l.csv"); },
         {"l.csv:2", "../p0.png"}},
        {"CSV with an empty mask",
         [](Scene& s) { use_list(s, "image,mask\nimages/p0.png,\n", "l.csv"); },
         {"l.csv:2", "mask", "empty"}},
        {"runs",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,1 8 17 8\np1.png,48 1\np2.png,\n", "l.csv"); },
         {},
         [](const DatasetReport& r) {
             EXPECT_EQ(r.pixels, (std::vector<int64_t>{144 - 17, 17}));
         }},
        {"runs of an odd count",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,1 8 17\n", "l.csv"); },
         {"l.csv:2", "3 numbers", "pairs"}},
        {"runs from 0", [](Scene& s) { use_list(s, "img,rle_mask\np0.png,0 8\n", "l.csv"); }, {"l.csv:2", "positive"}},
        {"runs past the end",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,47 3\n", "l.csv"); },
         {"l.csv:2", "47 3", "8x6"}},
        {"runs that overlap",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,1 8 8 2\n", "l.csv"); },
         {"l.csv:2", "run at 8", "overlap"}},
        {"runs of 10^30",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,1 1000000000000000000000000000000\n", "l.csv"); },
         {"l.csv:2", "integer"}},
        {"runs of a huge sum",
         [](Scene& s) { use_list(s, "img,rle_mask\np0.png,2 9223372036854775807\n", "l.csv"); },
         {"l.csv:2", "leaves"}},
        {"runs of words", [](Scene& s) { use_list(s, "img,rle_mask\np0.png,1 x\n", "l.csv"); }, {"l.csv:2", "'x'"}},
        {"runs of an image that is not there",
         [](Scene& s) { use_list(s, "img,rle_mask\nq.png,1 2\n", "l.csv"); },
         {"l.csv", "q.png", "line 2"}},
    };
}

void run_row(const Row& row) {
    SCOPED_TRACE(row.name);
    Scene scene;
    row.make(scene);
    if (row.refusal.empty()) {
        try {
            const DatasetReport report = scene.run();
            if (row.accepted) row.accepted(report);
        } catch (const Error& error) {
            ADD_FAILURE() << "should be accepted, was refused: " << error.what();
        }
        return;
    }
    try {
        scene.run();
        ADD_FAILURE() << "should be refused";
    } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_EQ(message.find('\n'), std::string::npos) << "one line: " << message;
        for (const auto& alternatives : row.refusal) {  // "this|or that"
            bool found = false;
            for (size_t at = 0; at <= alternatives.size();) {
                const size_t bar = std::min(alternatives.find('|', at), alternatives.size());
                found = found || message.find(alternatives.substr(at, bar - at)) != std::string::npos;
                at = bar + 1;
            }
            EXPECT_TRUE(found) << message << "\nlacks: " << alternatives;
        }
    }
}

TEST(BadInput, Images) {
    for (const auto& row : images()) run_row(row);
}
TEST(BadInput, Containers) {
    for (const auto& row : containers()) run_row(row);
}
TEST(BadInput, Orientations) {
    for (const auto& row : orientations()) run_row(row);
}
TEST(BadInput, Masks) {
    for (const auto& row : masks()) run_row(row);
}
TEST(BadInput, Folders) {
    for (const auto& row : folders()) run_row(row);
}
TEST(BadInput, Lists) {
    for (const auto& row : lists()) run_row(row);
}

TEST(BadInput, AtLeastSixtyFixtures) {
    EXPECT_GE(images().size() + orientations().size() + masks().size() + folders().size() + lists().size(), 80u);
}

TEST(Runs, ComeBack) {
    Image m = Scene::binary(5, 7, 1);
    m.u8.back() = 1;
    EXPECT_EQ(decode_rle(encode_rle(m), 5, 7, "x").u8, m.u8);
    EXPECT_EQ(encode_rle(decode_rle("3 2 8 4", 4, 5, "x")), "3 2 8 4");
}

// Carvana's runs and its GIF masks say the same of every pixel.
TEST(Runs, OfCarvanaEqualItsGifs) {
    const fs::path root = shared_data() / "carvana_orig32";
    if (!fs::exists(root)) GTEST_SKIP() << root << " is not on this machine";
    DatasetOptions by_runs{.root = root.string(),
                           .train_list = (root / "train_masks.csv").string(),
                           .val_list = {},
                           .val_pattern = {},
                           .val_fraction = 0};
    const Dataset runs = find_dataset(by_runs);
    ASSERT_EQ(runs.train.size(), 32u);
    for (size_t i = 0; i < runs.train.size(); i += 11) {
        const auto& sample = runs.train[i];
        const std::string stem = fs::path(sample.image_path).stem().string();
        const RawMask gif = load_mask((root / "train_masks" / (stem + "_mask.gif")).string());
        EXPECT_EQ(load_mask(sample, gif.image.h, gif.image.w).image.u8, gif.image.u8) << stem;
    }
}

}  // namespace

}  // namespace atrous::data::test
