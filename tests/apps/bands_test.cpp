// Images of floats, of seven bands and of 16 bits, from a folder to masks, as a user goes there.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "data/image.h"
#include "tests/apps/program.h"
#include "tests/data/npy_bytes.h"
#include "tests/data/tiff_bytes.h"

namespace atrous {
namespace {

namespace fs = std::filesystem;
using data::test::bytes_of;
using test::Outcome, test::program, test::shell;

bool says(const Outcome& outcome, const std::string& words) { return outcome.output.find(words) != std::string::npos; }

class BandsTest : public testing::Test {
 protected:
    BandsTest() { fs::create_directories(root_); }
    ~BandsTest() override { fs::remove_all(root_); }

    static constexpr int side = 16, images = 12;

    static bool inside(int image, int pixel) {
        const int y = pixel / side, x = pixel % side, at = image % 8;
        return y >= at && y < at + 8 && x >= 4 && x < 12;
    }

    // Only the last band tells a square from its ground; `value` is asked for 0 to 1.
    template <class T, class F>
    void draw(int c, uint16_t format, F value) {
        for (const char* folder : {"images", "masks"}) fs::create_directories(root_ / folder);
        for (int i = 0; i < images; ++i) {
            std::vector<T> values;
            data::Image mask = data::make_image<uint8_t>(side, side, 1);
            for (int p = 0; p < side * side; ++p) {
                mask.u8[size_t(p)] = inside(i, p) ? 255 : 0;
                for (int ch = 0; ch < c; ++ch) {
                    const double noise = (p * 37 + ch * 11 + i) % 23 / 23.0;
                    values.push_back(value(ch + 1 < c ? noise : (inside(i, p) ? 0.8 : 0) + 0.2 * noise));
                }
            }
            data::test::TiffForm form{.h = side, .w = side, .samples = c, .bits = int(8 * sizeof(T)), .format = format};
            if (c == 3) form.photometric = PHOTOMETRIC_RGB;
            const auto bytes = data::test::encode_tiff(form, bytes_of(values));
            write("images/" + name(i) + ".tif", bytes);
            data::save_png((root_ / "masks" / (name(i) + ".png")).string(), mask);
        }
    }
    void write(const std::string& path, const std::vector<uint8_t>& bytes) {
        std::ofstream(root_ / path, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), long(bytes.size()));
    }
    static std::string name(int i) { return "p" + std::to_string(10 + i); }
    std::string at(const std::string& path) const { return "'" + (root_ / path).string() + "'"; }

    Outcome train(const std::string& more = "") {
        return shell(program() + " train --data '" + root_.string() + "' --size 16 --base-channels 4 --depth 1 " +
                     "--epochs 15 --batch-size 3 --lr 1e-2 --threads 1 --workers 0 --val-fraction 0.25 --output-dir " +
                     at("run") + " " + more);
    }
    Outcome predict(const std::string& what) {
        return shell(program() + " predict " + at(what) + " --checkpoint " + at("run") + " --output " + at("out") +
                     " --save index overlay --threads 1");
    }
    Outcome eval(const std::string& more = "") {
        return shell(program() + " eval --data '" + root_.string() + "' --checkpoint " + at("run") +
                     " --threads 1 --sheet " + at("sheet.png") + " " + more);
    }
    // A file a band, in a folder of the data set; B03 tells the square from its ground, the others are noise.
    void draw_band_files(int count = images) {
        for (const char* folder : {"images", "masks"}) fs::create_directories(root_ / folder);
        for (int i = 0; i < count; ++i) {
            for (const char* band : {"B02", "B03", "B04"})
                data::save_png((root_ / "images" / (name(i) + "_" + band + ".png")).string(), band_of(i, band));
            data::Image mask = data::make_image<uint8_t>(side, side, 1);
            for (int p = 0; p < side * side; ++p) mask.u8[size_t(p)] = inside(i, p) ? 255 : 0;
            data::save_png((root_ / "masks" / (name(i) + ".png")).string(), mask);
        }
    }
    static data::Image band_of(int image, const std::string& band) {
        data::Image one = data::make_image<uint8_t>(side, side, 1);
        for (int p = 0; p < side * side; ++p) {
            const int noise = (p * 37 + band[2] * 11 + image) % 23;
            one.u8[size_t(p)] = uint8_t(band == "B03" ? (inside(image, p) ? 200 : 0) + noise : 11 * noise);
        }
        return one;
    }
    // A study page of two images, by this command. Nearly all pixels of both are right.
    void shows_bands_by(const std::string& inspect) {
        const Outcome made = shell(inspect + " --overwrite -o " + at("page.html"));
        ASSERT_EQ(made.code, 0) << made.output;
        std::stringstream page;
        page << std::ifstream(root_ / "page.html").rdbuf();
        const std::string text = page.str();
        EXPECT_LT(text.find("\"image\":\"p13.png\""), text.find("\"image\":\"p12.png\"")) << "in the order given";
        EXPECT_NE(text.find("\"image\":\"p12.png\""), std::string::npos);
        for (size_t dice = text.find("\"dice\":"); dice != std::string::npos; dice = text.find("\"dice\":", dice + 1))
            EXPECT_GT(std::stod(text.substr(dice + 7)), 0.9)
                << "channels in another order, or masks of the other image";
    }
    // Files in no order, beside each other and in a folder a band, also where only some of their paths are absolute.
    void shows_bands() {
        std::string files, in_folders, from_root;
        for (const char* band : {"B04", "B08", "B02", "B03"})
            for (const int i : {3, 2}) {
                const std::string file = "images/" + name(i) + "_" + band + ".png";
                const std::string in_folder = "by band/" + std::string(band) + "/" + name(i) + ".png";
                fs::create_directories((root_ / in_folder).parent_path());
                fs::copy(root_ / file, root_ / in_folder);
                files += at(file) + " ";
                in_folders += at(in_folder) + " ";
                from_root += (band[2] == '2' ? at(in_folder) : "'" + in_folder + "'") + " ";
            }
        const std::string masks = " --masks " + at("masks/" + name(3) + ".png") + " " + at("masks/" + name(2) + ".png");
        const std::string inspect = program() + " inspect --threads 1 --grid 1 --checkpoint " + at("run") + " ";
        shows_bands_by(inspect + files + masks);
        shows_bands_by(inspect + in_folders + masks);
        shows_bands_by("cd " + at("") + " && " + inspect + from_root + masks);
        fs::remove_all(root_ / "by band");
        const auto refuses = [&](const std::string& what, int code, const std::string& words) {
            const Outcome refused = shell(inspect + what + " --overwrite -o " + at("page.html"));
            EXPECT_EQ(refused.code, code) << refused.output;
            EXPECT_TRUE(says(refused, words)) << refused.output;
        };
        const std::string two = at("images/" + name(3) + "_B04.png") + " " + at("images/" + name(2) + "_B04.png");
        refuses(two, 3, "the image p13 has no band B02, B03, B08");
        refuses(two, 3, "the image p12 has no band B02, B03, B08");
        refuses(files + " --masks " + at("masks/" + name(2) + ".png"), 2, "--masks: 1 for 2 images");
        refuses(two + masks + " " + at("masks/" + name(2) + ".png"), 2, "--masks: 3 for 2 images");
    }
    // Of all pixels, how many are predicted rightly.
    double accuracy() {
        int64_t right = 0;
        for (int i = 0; i < images; ++i) {
            const auto ids = data::load_image((root_ / "out" / (name(i) + "_index.png")).string());
            for (int p = 0; p < side * side; ++p) right += (ids.u8[size_t(3 * p)] > 0) == inside(i, p);
        }
        return double(right) / (images * side * side);
    }
    void learns_and_predicts(const Outcome& trained) {
        ASSERT_EQ(trained.code, 0) << trained.output;
        const Outcome scored = eval(), predicted = predict("images");
        ASSERT_EQ(scored.code, 0) << scored.output;
        ASSERT_EQ(predicted.code, 0) << predicted.output;
        EXPECT_GT(accuracy(), 0.95) << trained.output;
    }
    std::vector<uint8_t> overlay_pixel(int image, int pixel) {
        const auto overlay = data::load_image((root_ / "out" / (name(image) + "_overlay.png")).string());
        return {overlay.u8.begin() + 3 * pixel, overlay.u8.begin() + 3 * pixel + 3};
    }

    const fs::path root_ = fs::temp_directory_path() / ("atrous bands " + std::to_string(getpid()));
};

}  // namespace

TEST_F(BandsTest, ThreeBandsOfFloats) {
    draw<float>(3, SAMPLEFORMAT_IEEEFP, [](double v) { return float(-300 + 1000 * v); });
    const Outcome trained = train();
    EXPECT_TRUE(says(trained, "values: -300 to ")) << trained.output;
    learns_and_predicts(trained);
    // A pixel of the ground, whose first band is noise: from the range to 8 bits.
    const int p = 15;
    EXPECT_FALSE(inside(7, p));
    EXPECT_NEAR(overlay_pixel(7, p)[0], 255 * ((p * 37 + 7) % 23 / 23.0), 14) << "the largest value is measured";
    const Outcome given = train("--overwrite --value-range -300..700");
    EXPECT_TRUE(says(given, "--value-range -300..700 becomes 0..1")) << given.output;
    learns_and_predicts(given);
    EXPECT_NEAR(overlay_pixel(7, p)[0], 255 * ((p * 37 + 7) % 23 / 23.0), 1);
}

TEST_F(BandsTest, WeightsOfThreeChannelsStartANetOfSeven) {
    const auto value = [](double v) { return uint8_t(255 * v); };
    draw<uint8_t>(3, SAMPLEFORMAT_UINT, value);
    ASSERT_EQ(train().code, 0);
    fs::copy(root_ / "run" / "best.safetensors", root_ / "start.safetensors");
    draw<uint8_t>(7, SAMPLEFORMAT_UINT, value);
    const Outcome trained = train("--overwrite --pretrained " + at("start.safetensors"));
    EXPECT_TRUE(says(trained, "repeated, times 3/7")) << trained.output;
    learns_and_predicts(trained);
}

TEST_F(BandsTest, SevenBands) {
    draw<uint8_t>(7, SAMPLEFORMAT_UINT, [](double v) { return uint8_t(255 * v); });
    const Outcome trained = train("--brightness 0.2");
    EXPECT_TRUE(says(trained, "16x16, 7 channels")) << trained.output;
    EXPECT_TRUE(says(trained, "these have 7 and stay as they are")) << trained.output;
    learns_and_predicts(trained);
    data::save_png((root_ / "colour.png").string(), data::make_image<uint8_t>(side, side, 3));
    const Outcome refused = predict("colour.png");
    EXPECT_EQ(refused.code, 3) << refused.output;
    EXPECT_TRUE(says(refused, "the image has 3 channels, expected 7")) << refused.output;
    const Outcome three = train("--overwrite --channels 3");
    EXPECT_EQ(three.code, 3) << three.output;
    EXPECT_TRUE(says(three, "has 7 channels, expected 3")) << three.output;
}

TEST_F(BandsTest, TwelveBitsInSixteen) {
    draw<uint16_t>(1, SAMPLEFORMAT_UINT, [](double v) { return uint16_t(4000 * v); });
    const Outcome plain = train();
    EXPECT_TRUE(says(plain, "--value-range 0..4095 would use the whole range")) << plain.output;
    const Outcome trained = train("--overwrite --value-range 0..4095 --channels 1");
    EXPECT_TRUE(says(trained, "16x16, 1 channel")) << trained.output;
    learns_and_predicts(trained);
    const std::vector<uint8_t> gray(side * side);
    write("pages.tif", data::test::encode_tiff({.h = side, .w = side}, gray, 2));
    const Outcome pages = predict("pages.tif");
    EXPECT_TRUE(says(pages, "pages.tif: 16x16, the first of several pages, ")) << pages.output;
    const std::ifstream config(root_ / "run" / "config.toml");
    std::stringstream text;
    text << config.rdbuf();
    EXPECT_NE(text.str().find("value-range = \"0..4095\""), std::string::npos) << text.str();
}

TEST_F(BandsTest, AFileABand) {
    const auto value = [](double v) { return uint16_t(4000 * v); };
    draw<uint16_t>(4, SAMPLEFORMAT_UINT, value);
    const char* const bands[] = {"B08", "B02", "B03", "B04"};  // what tells the square becomes the last of them, B08
    for (int i = 0; i < images; ++i) {
        const fs::path whole = root_ / "images" / (name(i) + ".tif");
        const data::Image image = data::load_image(whole.string());
        for (int b = 0; b < 4; ++b) {
            data::Image one = data::make_image<uint16_t>(side, side, 1);
            for (size_t p = 0; p < one.u16.size(); ++p) one.u16[p] = image.u16[4 * p + size_t(3 - b)];
            data::save_png((root_ / "images" / (name(i) + "_" + bands[b] + ".png")).string(), one);
        }
        fs::remove(whole);
    }
    const Outcome trained = train("--value-range 0..4095");
    EXPECT_TRUE(says(trained, "channels are in this order: B02,B03,B04,B08")) << trained.output;
    EXPECT_TRUE(says(trained, "16x16, 4 channels")) << trained.output;
    learns_and_predicts(trained);
    shows_bands();
    fs::remove(root_ / "images" / (name(0) + "_B03.png"));
    fs::copy(root_ / "images" / (name(1) + "_B03.png"), root_ / "images" / "legend.png");
    const Outcome fewer = predict("images");
    EXPECT_EQ(fewer.code, 3) << fewer.output;
    EXPECT_TRUE(says(fewer, "the image p10 has no band B03")) << fewer.output;
    EXPECT_TRUE(says(fewer, "passed over 1 files that are none of the bands B02,B03,B04,B08")) << fewer.output;
    EXPECT_TRUE(says(fewer, "wrote 11 images' results")) << fewer.output;
}

TEST_F(BandsTest, EvalTakesTheBandsOfTheTraining) {
    draw_band_files(4);
    ASSERT_EQ(train("--bands B04,B03 --epochs 1").code, 0);
    for (const char* bands : {"", "--bands auto"}) {
        const Outcome scored = eval(bands);
        ASSERT_EQ(scored.code, 0) << scored.output;
        EXPECT_TRUE(says(scored, "of these bands B04,B03 are taken, in this order")) << scored.output;
        EXPECT_FALSE(says(scored, "the net was trained on the bands")) << scored.output;
    }
    const Outcome turned = eval("--bands B3,B4");
    ASSERT_EQ(turned.code, 0) << turned.output;
    EXPECT_TRUE(says(turned, "the net was trained on the bands B04,B03; here B3,B4 take their places"))
        << turned.output;
    fs::remove(root_ / "images" / (name(0) + "_B03.png"));
    const Outcome lacking = eval();
    EXPECT_EQ(lacking.code, 3) << lacking.output;
    EXPECT_TRUE(says(lacking, "images lack bands: p10 (no B03)")) << lacking.output;
}

TEST_F(BandsTest, EvalTakesWholeFilesForTheBandsOfTheTraining) {
    draw_band_files(4);
    ASSERT_EQ(train("--bands B04,B03,B02 --epochs 1").code, 0);
    fs::remove_all(root_ / "images");
    fs::create_directories(root_ / "images");
    for (int i = 0; i < 4; ++i)
        data::save_png((root_ / "images" / (name(i) + ".png")).string(), data::make_image<uint8_t>(side, side, 3));
    for (const char* where : {"", "--images images --masks masks"}) {
        const Outcome scored = eval(where);
        ASSERT_EQ(scored.code, 0) << scored.output;
        EXPECT_TRUE(says(scored, "trained on the bands B04,B03,B02, each a file; here each image is a file"))
            << scored.output;
    }
    for (int i = 0; i < 4; ++i)
        data::save_png((root_ / "images" / (name(i) + ".png")).string(), data::make_image<uint8_t>(side, side, 1));
    const Outcome gray = eval();
    EXPECT_EQ(gray.code, 3) << gray.output;
    EXPECT_TRUE(says(gray, "images are gray, but the net was trained on the bands B04,B03,B02")) << gray.output;
    const Outcome asked = eval("--bands B04,B03,B02");
    EXPECT_EQ(asked.code, 3) << asked.output;
    EXPECT_TRUE(says(asked, "in this data set each image is a file")) << asked.output;
}

TEST_F(BandsTest, ANetTakesAsManyChannelsAsBands) {
    draw_band_files();
    for (const char* other : {"--bands B03 --channels 3", "--bands B04,B03,B02 --channels 1"}) {
        const Outcome refused = train(other);
        EXPECT_EQ(refused.code, 3) << refused.output;
        EXPECT_TRUE(says(refused, "or leave --channels out")) << refused.output;
    }
    const Outcome trained = train("--bands B03");
    EXPECT_TRUE(says(trained, "16x16, 1 channel")) << trained.output;
    learns_and_predicts(trained);
    const Outcome resumed = shell(program() + " train --resume " + at("run") + " --epochs 16");
    EXPECT_EQ(resumed.code, 0) << resumed.output;
}

TEST_F(BandsTest, ResultsAreNamedAfterTheFolderWhereNothingElseIsLeft) {
    draw_band_files(4);
    ASSERT_EQ(train("--bands B03,B04 --epochs 1").code, 0);
    for (const char* folder : {"scene", "tiles/R10m", "tiles/R20m"}) fs::create_directories(root_ / folder);
    for (const char* band : {"B03", "B04"}) {
        const std::string file = std::string(band) + ".png";
        data::save_png((root_ / "scene" / file).string(), band_of(0, band));
        const char* const folder = band[2] == '3' ? "tiles/R10m" : "tiles/R20m";
        data::save_png((root_ / folder / ("T31_" + file)).string(), band_of(1, band));
    }
    const auto predicts = [&](const std::string& from, const std::string& input, const std::string& result) {
        fs::remove_all(root_ / "out");
        const Outcome predicted = shell("cd " + at(from) + " && " + program() + " predict " + input + " --checkpoint " +
                                        at("run") + " --output " + at("out") + " --save index --threads 1");
        EXPECT_EQ(predicted.code, 0) << input << predicted.output;
        EXPECT_TRUE(fs::exists(root_ / "out" / result)) << input << predicted.output;
    };
    for (const char* input : {".", "./", "B03.png B04.png", "../scene", "../scene/"})
        predicts("scene", input, "scene_index.png");
    predicts("tiles", "-r .", "T31_index.png");
}

}  // namespace atrous
