// Masks that are drawn: polygons, bitmaps, runs, and the files of COCO, YOLO, LabelMe and Supervisely.
#include <zlib.h>

#include "data/drawn_mask.h"
#include "data/layouts/coco.h"
#include "layout_rows.h"

namespace atrous::data::test {

namespace {

std::vector<uint8_t> fill(const std::vector<Ring>& rings, int64_t h = 4, int64_t w = 5) {
    Image labels = make_image<uint8_t>(h, w, 1);
    fill_polygon(rings, 1, labels);
    return labels.u8;
}

std::string base64(const std::vector<uint8_t>& bytes) {
    static const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (size_t i = 0; i < bytes.size(); i += 3) {
        const size_t n = std::min<size_t>(3, bytes.size() - i);
        const uint32_t bits =
            uint32_t(bytes[i]) << 16 | uint32_t(n > 1 ? bytes[i + 1] : 0) << 8 | uint32_t(n > 2 ? bytes[i + 2] : 0);
        for (size_t k = 0; k < 4; ++k) text += k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::vector<uint8_t> deflated(const std::vector<uint8_t>& bytes) {
    std::vector<uint8_t> out(compressBound(bytes.size()));
    uLongf size = uLongf(out.size());
    compress(out.data(), &size, bytes.data(), uLong(bytes.size()));
    out.resize(size);
    return out;
}

std::string coco(const std::string& annotations,
                 const std::string& images = R"({"id": 7, "file_name": "a.png", "height": 6, "width": 8})",
                 const std::string& categories = R"({"id": 4, "name": "dog"}, {"id": 2, "name": "cat"})") {
    return fmt::format(R"({{"images": [{}], "categories": [{}], "annotations": [{}]}})", images, categories,
                       annotations);
}
std::string object(const std::string& segmentation, int category = 4, int image = 7) {
    return fmt::format(R"({{"id": 1, "image_id": {}, "category_id": {}, "segmentation": {}}})", image, category,
                       segmentation);
}

SetRow coco_row(const char* name, const std::string& text, std::function<void(const Read&)> accepted,
                Names refusal = {}) {
    return {name,
            [=](TempDir& d) {
                add_image(d / "train/a.png");
                write_text(d / "train/_annotations.coco.json", text);
            },
            std::move(accepted), std::move(refusal)};
}

auto is_drawn(const Names& rows, int classes) {
    return [=](const Read& r) {
        EXPECT_EQ(r.mask().image.u8, drawn(rows));
        EXPECT_EQ(r.report.rule.class_count, classes);
    };
}

const Names dog = {"........", ".222....", ".222....", "........", "........", "........"};

std::vector<SetRow> of_coco() {
    const std::string square = "[[1, 1, 4, 1, 4, 3, 1, 3]]";
    return {
        coco_row("a polygon", coco(object(square)), is_drawn(dog, 3)),
        coco_row("two of one class, and a later class over them",
                 coco(object(square) + "," + object("[[5, 1, 7, 1, 7, 3, 5, 3]]") + "," +
                      object("[[2, 2, 6, 2, 6, 4, 2, 4]]", 2)),
                 is_drawn({"........", ".222.22.", ".211112.", "..1111..", "........", "........"}, 3)),
        coco_row("runs of counts", coco(object(R"({"size": [6, 8], "counts": [7, 2, 4, 2, 4, 2, 27]})")),
                 is_drawn(dog, 3)),
        coco_row("Roboflow's category of none",
                 coco(object(square, 1), R"({"id": 7, "file_name": "a.png", "height": 6, "width": 8})",
                      R"({"id": 0, "name": "objects", "supercategory": "none"}, {"id": 1, "name": "cat"})"),
                 [](const Read& r) {
                     EXPECT_EQ(r.dataset.class_names, (Names{"background", "cat"}));
                 }),
        coco_row("no annotation at all", coco(""), {}, {"no image has an annotation", "nothing to learn"}),
        coco_row("cut off", coco(object(square)).substr(0, 90), {}, {"_annotations.coco.json", "broken JSON at byte"}),
        coco_row("no list of images", R"({"categories": [], "annotations": []})", {}, {"coco.json", "categories"}),
        coco_row("an unknown image", coco(object(square, 4, 8)), {}, {"annotation 1", "not in 'images'"}),
        coco_row("an unknown category", coco(object(square, 9)), {}, {"annotation 1", "not in 'categories'"}),
        coco_row("a box", coco(object("[]")), {}, {"annotation 1", "a box without a polygon"}),
        coco_row("two points", coco(object("[[1, 1, 2, 2]]")), {}, {"annotation 1", "three points"}),
        coco_row("words for numbers", coco(object(R"([[1, 1, 2, "x", 4, 4]])")), {},
                 {"annotation 1", "expected a number"}),
        coco_row("a number beyond all", coco(object("[[1, 1, 4, 1, 4, 1" + std::string(400, '0') + "]]")), {},
                 {"_annotations.coco.json", "too large"}),
        coco_row("far outside", coco(object("[[1, 1, 400, 1, 4, 3]]")), {},
                 {"annotation", "(400, 1)", "outside", "8x6"}),
        coco_row("another size", coco(object(square), R"({"id": 7, "file_name": "a.png", "height": 60, "width": 80})"),
                 {}, {"a.png", "80x60", "8x6"}),
        coco_row("a missing image", coco(object(square), R"({"id": 7, "file_name": "b.png", "height": 6, "width": 8})"),
                 {}, {"1 of 1 images are not there", "b.png"}),
        coco_row("runs of another size", coco(object(R"({"size": [8, 6], "counts": [48]})")), {},
                 {"annotation 1", "8x6"}),
        coco_row("runs that leave the image", coco(object(R"({"size": [6, 8], "counts": [7, 90]})")), {},
                 {"leaves the image"}),
        coco_row("runs of nonsense", coco(object(R"({"size": [6, 8], "counts": "~~"})")), {},
                 {"annotation 1", "damaged"}),
        {"two parts whose categories differ",
         [=](TempDir& d) {
             for (const char* part : {"train", "valid"}) add_image(d / fmt::format("{}/a.png", part));
             const std::string image = R"({"id": 7, "file_name": "a.png", "height": 6, "width": 8})";
             write_text(d / "train/_annotations.coco.json", coco(object(square)));
             write_text(d / "valid/_annotations.coco.json", coco(object(square), image, R"({"id": 4, "name": "dog"})"));
         },
         {},
         {"valid/_annotations.coco.json", "background, dog", "background, cat, dog"}},
        {"a name in which val and test are no words",
         [=](TempDir& d) {
             for (const char* part : {"latest", "interval", "val_1"}) {
                 add_image(d / fmt::format("{}/{}.png", part, part));
                 write_text(d / fmt::format("annotations/instances_{}.json", part),
                            coco(object(square),
                                 fmt::format(R"({{"id": 7, "file_name": "{}.png", "height": 6, "width": 8}})", part)));
             }
         },
         counts(2, 1, 0, 3)},
        {"as COCO itself",
         [=](TempDir& d) {
             for (const char* part : {"train2017", "val2017"}) {
                 add_image(d / fmt::format("{}/a.png", part));
                 write_text(d / fmt::format("annotations/instances_{}.json", part), coco(object(square)));
             }
         },
         [](const Read& r) {
             counts(1, 1, 0, 3)(r);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "cat", "dog"}));
         }},
    };
}

SetRow yolo_row(const char* name, const std::string& labels, std::function<void(const Read&)> accepted,
                Names refusal = {}, const std::string& yaml = "names:\n- cat\n- dog\nnc: 2\n") {
    return {name,
            [=](TempDir& d) {
                add_image(d / "train/images/a.jpg");
                write_text(d / "train/labels/a.txt", labels);
                write_text(d / "data.yaml", yaml);
            },
            std::move(accepted), std::move(refusal)};
}

std::vector<SetRow> of_yolo() {
    const std::string square = "1 0.125 0.16667 0.5 0.16667 0.5 0.5 0.125 0.5\n";
    const auto named = [](const Read& r) { EXPECT_EQ(r.dataset.class_names, (Names{"background", "cat", "dog"})); };
    return {
        yolo_row("polygons", square, is_drawn(dog, 3)),
        yolo_row("names by id", square, named, {}, "train: x\nnames:\n  0: cat\n  1: 'dog'\n"),
        yolo_row("names in brackets", square, named, {}, "names: ['cat', \"dog\"]\n"),
        yolo_row("boxes", "0 0.5 0.5 0.2 0.2\n", {}, {"labels/a.txt:1", "a box, not a polygon"}),
        yolo_row("words", "0 a b c\n" + square, {}, {"a mask has its image's name"}),
        yolo_row("a word later", square + "0 0.1 x\n", {}, {"labels/a.txt:2", "not a number"}),
        yolo_row("an odd count", "0 0.1 0.1 0.2 0.2 0.3\n" + square, {}, {"labels/a.txt:1", "6 numbers"}),
        yolo_row("a class without a name", square + "2 0.1 0.1 0.2 0.1 0.2 0.2\n", {},
                 {"labels/a.txt:2", "class 2", "0 to 1"}),
        yolo_row("pixels for shares", "0 10 10 20 10 20 20\n", {}, {"labels/a.txt", "(80, 60)", "outside"}),
        {"images/ and labels/ without names, an image without labels",
         [=](TempDir& d) {
             for (const char* n : {"a", "b", "c"}) add_image(d / fmt::format("images/{}.jpg", n));
             for (const char* n : {"a", "b"}) write_text(d / fmt::format("labels/{}.txt", n), square);
         },
         [](const Read& r) {
             EXPECT_EQ(r.report.samples, 3);
             EXPECT_EQ(r.dataset.class_names, (Names{"background", "class 0", "class 1"}));
             EXPECT_TRUE(r.notes("1 images have no label file and are background"));
             EXPECT_FALSE(r.notes("belong to no image"));
         }},
        {"label files that belong to no image",
         [=](TempDir& d) {
             add_image(d / "images/a.jpg");
             for (const char* n : {"a", "b", "a.jpg"}) write_text(d / fmt::format("labels/{}.txt", n), square);
             write_text(d / "labels/classes.txt", "cat\ndog\n");
         },
         [](const Read& r) {
             EXPECT_TRUE(r.notes("2 label files belong to no image and are left out: a.jpg.txt, b"));
         }},
        {"a part whose label files have other names",
         [=](TempDir& d) {
             for (const char* part : {"train", "val"}) add_image(d / fmt::format("{}/images/a.png", part));
             write_text(d / "train/labels/a.txt", square);
             write_text(d / "val/labels/a.png.txt", square);
         },
         {},
         {"val/labels", "no image", "val/images", "a.png.txt", "that of a.png is a.txt"}},
        {"images of a kind that is not read",
         [=](TempDir& d) {
             for (const char* n : {"a", "b"}) write_text(d / fmt::format("labels/{}.txt", n), square);
             add_image(d / "images/a.jpg");
             write_text(d / "images/b.heic", std::string("\0\0\0\x18", 4) + "ftypheic" + std::string(20, '\0'));
         },
         {},
         {"images: 1 of 2 images", "not read", "HEIC (b.heic)"}},
        {"images that cannot be looked at",
         [=](TempDir& d) {
             add_image(d / "images/a.jpg");
             write_text(d / "labels/a.txt", square);
             fs::create_symlink("nowhere.jpg", d / "images/b.jpg");
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("1 files cannot be looked at and are left out")); }},
    };
}

std::string labelme(const std::string& shapes, const std::string& image = "a.png") {
    return fmt::format(R"({{"version": "5", "imagePath": "{}", "imageHeight": 6, "imageWidth": 8, "shapes": [{}]}})",
                       image, shapes);
}
std::string shape(const std::string& label, const std::string& points, const std::string& type = "polygon") {
    return fmt::format(R"({{"label": "{}", "points": {}, "shape_type": "{}"}})", label, points, type);
}
SetRow labelme_row(const char* name, const std::string& text, std::function<void(const Read&)> accepted,
                   Names refusal = {}) {
    return {name,
            [=](TempDir& d) {
                add_image(d / "a.png");
                write_text(d / "a.json", text);
            },
            std::move(accepted), std::move(refusal)};
}

std::vector<SetRow> of_labelme() {
    const std::string cat = shape("cat", "[[5, 4], [7, 4], [7, 5], [5, 5]]");
    Image bits = gray(2, 3, {1, 1, 1, 1, 1, 1});
    const std::string bitmap = R"({"label": "dog", "points": [[1, 1], [3, 2]], "shape_type": "mask", "mask": ")" +
                               base64(encode_png(bits)) + "\"}";
    const Names both = {"........", ".222....", ".222....", "........", ".....11.", "........"};
    return {
        labelme_row("polygons", labelme(shape("dog", "[[1, 1], [4, 1], [4, 3], [1, 3]]") + "," + cat),
                    is_drawn(both, 3)),
        labelme_row("a rectangle", labelme(shape("dog", "[[4, 3], [1, 1]]", "rectangle") + "," + cat),
                    is_drawn(both, 3)),
        labelme_row("a bitmap", labelme(bitmap + "," + cat), is_drawn(both, 3)),
        labelme_row("a circle", labelme(shape("dog", "[[4, 3], [4, 4]]", "circle")),
                    is_drawn({"........", "........", "...11...", "...11...", "........", "........"}, 2)),
        labelme_row("a path of Windows", labelme(cat, R"(..\\images\\a.png)"), counts(1, 0, 0, 2)),
        labelme_row("what is to be ignored",
                    labelme(cat + "," + shape("__ignore__", "[[0, 0], [8, 0], [8, 1], [0, 1]]")),
                    [](const Read& r) { EXPECT_EQ(r.report.ignored_pixels, 8); }),
        labelme_row("a line", labelme(cat + "," + shape("cat", "[[0, 0], [8, 0]]", "line")),
                    [](const Read& r) { EXPECT_TRUE(r.notes("have no area and are left out: line")); }),
        labelme_row("two points", labelme(shape("dog", "[[1, 1], [4, 1]]")), {},
                    {"a.json, shape 1", "polygon of 2 points"}),
        labelme_row("no points", labelme(R"({"label": "dog"})"), {}, {"a.json, shape 1", "'points' is missing"}),
        labelme_row("cut off", labelme(cat).substr(0, 100), {}, {"a.json", "broken JSON"}),
        {"an image that is missing",
         [=](TempDir& d) { write_text(d / "b.json", labelme(cat)); },
         {},
         {"b.json", "its image"}},
        {"images without a file",
         [=](TempDir& d) {
             add_image(d / "a.png");
             add_image(d / "b.png");
             write_text(d / "a.json", labelme(cat));
         },
         [](const Read& r) { EXPECT_TRUE(r.notes("1 images have no JSON file and are left out: b.png")); }},
    };
}

SetRow supervisely_row(const char* name, const std::string& objects, std::function<void(const Read&)> accepted,
                       Names refusal = {}) {
    return {name,
            [=](TempDir& d) {
                add_image(d / "ds/img/a.png");
                write_text(
                    d / "meta.json",
                    R"({"classes": [{"title": "cat", "color": "#ff0000"}, {"title": "dog", "color": "#00ff00"}]})");
                write_text(d / "ds/ann/a.png.json",
                           fmt::format(R"({{"size": {{"height": 6, "width": 8}}, "objects": [{}]}})", objects));
            },
            std::move(accepted), std::move(refusal)};
}

std::vector<SetRow> of_supervisely() {
    const std::string data = base64(deflated(encode_png(gray(2, 3, {255, 255, 255, 255, 255, 255}))));
    const auto bitmap = [](const std::string& text, const std::string& origin) {
        return fmt::format(
            R"({{"classTitle": "dog", "geometryType": "bitmap", "bitmap": {{"data": "{}", "origin": {}}}}})", text,
            origin);
    };
    return {
        supervisely_row("a bitmap", bitmap(data, "[1, 1]"),
                        [](const Read& r) {
                            is_drawn(dog, 3)(r);
                            EXPECT_EQ(r.dataset.palette, (Palette{0, 0xff0000, 0x00ff00}));
                        }),
        supervisely_row(
            "a polygon with a hole",
            R"({"classTitle": "cat", "geometryType": "polygon", "points": {"exterior": [[1, 1], [6, 1], [6, 5], [1, 5]],
                           "interior": [[[2, 2], [5, 2], [5, 4], [2, 4]]]}})",
            is_drawn({"........", ".11111..", ".1...1..", ".1...1..", ".11111..", "........"}, 3)),
        supervisely_row("a bitmap outside", bitmap(data, "[90, 1]"), {}, {"a.png.json", "(90, 1)", "outside"}),
        supervisely_row("a bitmap that is no base64", bitmap("?", "[1, 1]"), {}, {"object 1", "base64"}),
        supervisely_row("a bitmap that is cut", bitmap(data.substr(0, 40), "[1, 1]"), {}, {"object 1", "decompressed"}),
        supervisely_row(
            "a class that is not in meta.json",
            R"({"classTitle": "cow", "geometryType": "rectangle", "points": {"exterior": [[1, 1], [6, 4]]}})", {},
            {"object 1", "'cow'", "meta.json"}),
        supervisely_row("a point",
                        R"({"classTitle": "cat", "geometryType": "point", "points": {"exterior": [[1, 1]]}})", {},
                        {"object 1", "'point'", "no area"}),
    };
}

}  // namespace

TEST(Annotations, OfCoco) { run_rows(of_coco()); }
TEST(Annotations, OfYolo) { run_rows(of_yolo()); }
TEST(Annotations, OfLabelMe) { run_rows(of_labelme()); }
TEST(Annotations, OfSupervisely) { run_rows(of_supervisely()); }

TEST(Polygon, APixelIsInsideWhereItsCentreIs) {
    EXPECT_EQ(fill({{{1, 1}, {3, 1}, {3, 3}, {1, 3}}}), drawn({".....", ".11..", ".11..", "....."}));
    EXPECT_EQ(fill({{{1.5, 1.5}, {3.5, 1.5}, {3.5, 2.5}, {1.5, 2.5}}}), drawn({".....", ".11..", ".....", "....."}))
        << "left and upper edges are inside, right and lower ones outside";
    EXPECT_EQ(fill({{{1.6, 0}, {2.4, 0}, {2.4, 4}, {1.6, 4}}}), drawn({".....", ".....", ".....", "....."}))
        << "between centres";
    EXPECT_EQ(fill({{{0, 0}, {5, 0}, {0, 4}}}), drawn({"1111.", "111..", "11...", "1...."}));
    EXPECT_EQ(fill({{{-9, -9}, {90, -9}, {90, 90}, {-9, 90}}}), drawn({"11111", "11111", "11111", "11111"}));
    EXPECT_EQ(fill({{{0, 0}, {5, 0}, {5, 4}, {0, 4}}, {{1, 1}, {4, 1}, {4, 3}, {1, 3}}}),
              drawn({"11111", "1...1", "1...1", "11111"}))
        << "a hole";
    EXPECT_EQ(fill({{}}), drawn({".....", ".....", ".....", "....."}));
}

TEST(Polygon, NeighboursShareNoPixelAndLeaveNone) {
    const auto left = fill({{{0, 0}, {2.3, 0}, {3.1, 4}, {0, 4}}}),
               right = fill({{{2.3, 0}, {5, 0}, {5, 4}, {3.1, 4}}});
    for (size_t i = 0; i < left.size(); ++i) EXPECT_EQ(left[i] + right[i], 1) << i;
}

// The compressed text of pycocotools for a 6 x 8 mask whose pixels 7, 8 and, two columns on, likewise are inside.
TEST(CocoRuns, CompressedTextIsRead) {
    EXPECT_EQ(counts_of_text("724000g0", "x"), (std::vector<int64_t>{7, 2, 4, 2, 4, 2, 27}))
        << "differences from the fourth on";
    EXPECT_EQ(runs_of_counts({7, 2, 4, 2}, "x"), "8 2 14 2");
    EXPECT_EQ(runs_of_counts({0, 3}, "x"), "1 3");
}

}  // namespace atrous::data::test
