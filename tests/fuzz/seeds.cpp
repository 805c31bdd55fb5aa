// Writes starting points for the fuzz targets: seeds FOLDER makes FOLDER/<target>/….
#include <webp/encode.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/durable_file.h"
#include "data/image.h"
#include "data/rle.h"
#include "engine/io/safetensors.h"
#include "segmentation/model_card.h"
#include "tests/data/npy_bytes.h"
#include "tests/data/png_bytes.h"
#include "tests/data/tiff_bytes.h"
#include "tests/engine/pth_bytes.h"

using namespace atrous;
namespace fs = std::filesystem;

static data::Image ramp(int64_t h, int64_t w, int c) {
    data::Image image = data::make_image<uint8_t>(h, w, c);
    for (size_t i = 0; i < image.u8.size(); ++i) image.u8[i] = uint8_t(i * 29);
    return image;
}

static void text(const fs::path& path, const std::string& words) { std::ofstream(path) << words; }

static void write_pnm_seeds(const fs::path& folder) {
    text(folder / "pgm", "P5\n2 2\n255\nabcd");
    text(folder / "pgm16", "P5 #x\n2 1\n40000\nabcd");
    text(folder / "pgm-text", "P2\n2 2\n15\n1 2\n3 15\n");
    text(folder / "ppm", "P6\n1 2\n127\nabcdef");
    text(folder / "ppm16", "P6\n1 1\n65535\nabcdef");
    text(folder / "ppm-text", "P3\n1 1\n255\n1 2 3\n");
}

static void bytes(const fs::path& path, const std::vector<uint8_t>& contents) {
    io::write_durably(path.string(), contents, {.quick = true});
}

static void write_tiff_seeds(const fs::path& folder) {
    namespace t = data::test;
    const std::vector<uint8_t> pixels(20 * 18 * 3 * 4, 65);
    const t::TiffForm gray{.h = 20, .w = 18}, tiles{.h = 20, .w = 18, .tiles = true};
    for (uint16_t compression :
         {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_PACKBITS, COMPRESSION_JPEG})
        for (t::TiffForm form : {gray, tiles}) {
            form.compression = compression;
            bytes(folder / ("gray" + std::to_string(compression) + (form.tiles ? "t" : "s")),
                  t::encode_tiff(form, pixels));
        }
    bytes(folder / "pages", t::encode_tiff(gray, pixels, 2));
    bytes(folder / "big", t::encode_tiff({.h = 20, .w = 18, .mode = "wb8"}, pixels));
    for (bool planes : {false, true})
        bytes(
            folder / (planes ? "planes" : "rgb"),
            t::encode_tiff({.h = 20, .w = 18, .samples = 3, .photometric = PHOTOMETRIC_RGB, .planes = planes}, pixels));
    bytes(folder / "floats", t::encode_tiff({.h = 20, .w = 18, .bits = 32, .format = SAMPLEFORMAT_IEEEFP}, pixels));
    bytes(folder / "inks",
          t::encode_tiff({.h = 2, .w = 3, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED}, pixels));
    bytes(folder / "ycc", t::encode_tiff({.h = 2, .w = 3, .samples = 3, .photometric = PHOTOMETRIC_YCBCR}, pixels));
    bytes(folder / "fax", t::encode_tiff({.h = 4, .w = 16, .bits = 1, .compression = COMPRESSION_CCITTFAX4}, pixels));
    bytes(folder / "cycle", t::tiff_of(t::gray_8x8(), 8));
}

static void write_webp_seeds(const fs::path& folder) {
    for (int c : {3, 4})
        for (bool lossless : {false, true}) {
            const data::Image image = ramp(9, 10, c);
            uint8_t* out = nullptr;
            const int row = 10 * c;
            const size_t size = c == 4 ? (lossless ? WebPEncodeLosslessRGBA(image.u8.data(), 10, 9, row, &out)
                                                   : WebPEncodeRGBA(image.u8.data(), 10, 9, row, 80, &out))
                                       : (lossless ? WebPEncodeLosslessRGB(image.u8.data(), 10, 9, row, &out)
                                                   : WebPEncodeRGB(image.u8.data(), 10, 9, row, 80, &out));
            bytes(folder / ((lossless ? "lossless" : "lossy") + std::to_string(c)), {out, out + size});
            WebPFree(out);
        }
}

static void write_npy_seeds(const fs::path& folder) {
    using data::test::npy;
    const std::vector<uint8_t> array(400, 1);
    bytes(folder / "u1", npy("|u1", "(4, 5)", array));
    bytes(folder / "f4", npy(">f4", "(4, 5)", array, true, 2));
    bytes(folder / "i8", npy("<i8", "(17, 1, 2)", array, false, 3));
    bytes(folder / "b1", npy("|b1", "(2, 17, 3)", array));
}

static std::string repeated(const std::string& part, size_t bytes) {
    std::string all;
    while (all.size() + part.size() <= bytes) all += part;
    return all;
}

// As large as a configuration file may be, so that libFuzzer makes others of that size.
static void write_deep_configs(const fs::path& folder) {
    constexpr size_t most = (1 << 20) - 8;
    text(folder / "deep key", repeated("a.", most) + "a = 1");
    text(folder / "deep table", "[" + repeated("a . ", most) + "a]");
    text(folder / "deep inline", "x = {" + repeated("'a'.", most - 8) + "a=1}");
    text(folder / "deep values", "x = " + repeated("[{a=", most));
    text(folder / "many keys", repeated("data = \"x\"\n", most));
    text(folder / "sixteen parts", "[a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a]\na.b = {a.b.c = 1.5}\n");
}

static void write_model_cards(const fs::path& folder) {
    ModelCard card;
    card.class_names = {"background", "foreground"};
    card.colours = {0, 0x800000};
    card.split = SplitRecord{.val_fraction = 0.25, .trained = 3, .sketch = {1, 2, 3}};
    text(folder / "binary", text_of(card));
    card.net.out_channels = 3;
    card.net.rates = {6, 12};
    card.mask_values = "0=0,255=1,128=ignore,*=2";
    card.loss.name = "focal+tversky";
    card.loss.class_weights = {1, 2.5, 0.5};
    text(folder / "classes", text_of(card));
}

// See pth_fuzz.cpp for the first byte.
static void write_pth_seeds(const fs::path& folder) {
    const test::RawTensor first{.count = 16, .sizes = {4, 4}, .strides = {1, 4}};
    test::RawTensor second = first;
    second.key = "1";
    const std::string state = test::dict({{"w", test::tensor(first)}, {"v", test::tensor(second)}});
    const std::string value = test::dict({{"state_dict", state}, {"epoch", test::integer(3)}}), floats(64, 'x');
    text(folder / "zip", std::string(1, '\0') + test::zip_text(test::archive(value, {floats, floats})));
    text(folder / "legacy", std::string(1, '\0') + test::legacy(value, {{16, floats}, {16, floats}}));
    text(folder / "pickle", "\1" + value);
    text(folder / "object", "\2" + value);
}

int main(int argc, char** argv) {
    if (argc != 2) return 2;
    const fs::path root = argv[1];
    for (const char* name : {"image_fuzz", "list_fuzz", "coco_fuzz", "classes_fuzz", "safetensors_fuzz", "pth_fuzz",
                             "config_fuzz", "model_card_fuzz", "tiff_fuzz", "webp_fuzz", "npy_fuzz"})
        fs::create_directories(root / name);
    const fs::path images = root / "image_fuzz";
    for (int c : {1, 3, 4}) io::write_durably(images / ("png" + std::to_string(c)), data::encode_png(ramp(5, 6, c)));
    data::Image indices = ramp(4, 4, 1);
    for (auto& v : indices.u8) v %= 3;
    io::write_durably(images / "palette", data::encode_png(indices, {0, 0x800000, 0x8000}));
    for (int c : {1, 3}) io::write_durably(images / ("jpeg" + std::to_string(c)), data::encode_jpeg(ramp(9, 8, c)));
    write_pnm_seeds(images);
    io::write_durably(images / "exif", data::test::with_chunk(data::encode_png(ramp(3, 4, 1), {}, data::PngMark::ours),
                                                              "eXIf", data::test::tiff_of_orientation(6, true)));
    text(images / "gif", std::string("GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;", 35));
    write_tiff_seeds(root / "tiff_fuzz");
    write_webp_seeds(root / "webp_fuzz");
    write_npy_seeds(root / "npy_fuzz");
    text(root / "list_fuzz" / "list", "images/a b.png\tmasks/a b.png\n# x\nstem\n");
    text(root / "list_fuzz" / "csv", "img,rle_mask\na.png,1 8 17 8\n\"b.png\",\n");
    text(root / "list_fuzz" / "rule", "0=1,255=0,*=ignore");
    text(root / "list_fuzz" / "colours", "#402020,#ff0000=2");
    text(
        root / "coco_fuzz" / "polygons",
        R"({"images": [{"id": 1, "file_name": "a.png", "height": 6, "width": 8}], "categories": [{"id": 2, "name": "cat"}],
             "annotations": [{"id": 3, "image_id": 1, "category_id": 2, "segmentation": [[1, 1, 4, 1, 4.5, 3e0]]},
                             {"id": 4, "image_id": 1, "category_id": 2, "segmentation": {"size": [6, 8], "counts": [7, 2, 39]}},
                             {"id": 5, "image_id": 1, "category_id": 2, "segmentation": {"size": [6, 8], "counts": "724000g0"}}]})");
    text(root / "coco_fuzz" / "runs", "724000g0");
    text(root / "coco_fuzz" / "base64", "eJzLSM3JyQcABiwCFQ==");
    text(root / "config_fuzz" / "toml", "data = \"x\"\nbatch-size = 8\nlr = 1e-3\nturn = true\nloss = \"dice\"\n");
    write_deep_configs(root / "config_fuzz");
    text(root / "classes_fuzz" / "toml",
         "ignore = [255]\n[[class]]\nname = \"a\"\ncolour = \"#804080\"\nvalues = [7, 8]\n");
    text(root / "classes_fuzz" / "labelmap", "background:0,0,0::\ncat:1,2,3::\n");
    text(root / "classes_fuzz" / "dict", "name,r,g,b\na,1,2,3\n");
    text(root / "classes_fuzz" / "ids", "Pixel Value, Class\n0, a\n3, b\n");
    text(root / "classes_fuzz" / "yaml", "names:\n  0: a\n  2: b\n");
    write_model_cards(root / "model_card_fuzz");
    write_pth_seeds(root / "pth_fuzz");
    const float values[6] = {1, 2, 3, 4, 5, 6};
    io::write_safetensors(
        (root / "safetensors_fuzz" / "two").string(),
        {io::tensor_in_memory("a", DType::f32, {2, 3}, values), io::tensor_in_memory("b.c", DType::f32, {}, values)},
        {{"key", "value"}});
    const std::string header = R"({"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})";
    text(root / "safetensors_fuzz" / "plain",
         std::string(1, char(header.size())) + std::string(7, '\0') + header + "abcd");
}
