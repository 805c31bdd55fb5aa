// Copies and near-copies of images across the parts of a set.
#include "data/image_print.h"

#include "base/philox.h"
#include "data/codecs.h"
#include "data/fingerprint.h"
#include "data/transform.h"
#include "sets.h"

namespace atrous::data::test {
namespace {

// Smooth blobs, as photographs have them; another seed gives another picture.
Image picture(uint64_t seed, int64_t h = 96, int64_t w = 128) {
    Random random(seed);
    Image small = make_image<uint8_t>(6, 7, 3);
    for (uint8_t& v : small.u8) v = uint8_t(random.below(256));
    return resize_bilinear(small, h, w);
}

ImagePrint print_of(const Image& image) { return data::print_of(image, 0, 255); }

Image as_jpeg(const Image& image, int quality) {
    return codec::decode(encode_jpeg(image, quality), "x.jpg", false).image;
}

}  // namespace

TEST(ImagePrint, FindsAPictureInAnotherSizeOrFileAndNoOtherPicture) {
    for (uint64_t seed = 1; seed <= 50; ++seed) {
        const Image original = picture(seed);
        const ImagePrint print = print_of(original);
        ASSERT_TRUE(print.has_look);
        EXPECT_TRUE(look_alike(print, print_of(as_jpeg(original, 70)))) << seed;
        EXPECT_TRUE(look_alike(print, print_of(resize_bilinear(original, 192, 256)))) << seed;
        EXPECT_FALSE(look_alike(print, print_of(flip_horizontal(original)))) << seed;
        for (uint64_t other = seed + 1; other <= 50; ++other)
            EXPECT_FALSE(look_alike(print, print_of(picture(other)))) << seed << " and " << other;
    }
}

// Otherwise each black image would be like each other.
TEST(ImagePrint, FlatImagesHaveNoLook) {
    for (const int level : {0, 100, 255}) {
        Image image = make_image<uint8_t>(64, 64, 3);
        Random random(7);
        for (uint8_t& v : image.u8) v = uint8_t(std::clamp(level + int(random.below(9)) - 4, 0, 255));
        EXPECT_FALSE(print_of(image).has_look) << level;
    }
    EXPECT_FALSE(print_of(make_image<uint8_t>(1, 1, 1)).has_look);
}

TEST(ImagePrint, DeepImagesAndFloatsAreStretched) {
    const Image bytes = picture(3);
    Image deep = make_image<uint16_t>(bytes.h, bytes.w, 3), floats = make_image<float>(bytes.h, bytes.w, 3);
    for (size_t i = 0; i < bytes.u8.size(); ++i)
        deep.u16[i] = uint16_t(bytes.u8[i] * 16), floats.f32[i] = float(bytes.u8[i]) / 100 - 1;
    EXPECT_TRUE(look_alike(print_of(bytes), data::print_of(deep, 0, 255 * 16)));
    EXPECT_TRUE(look_alike(print_of(bytes), data::print_of(floats, -1, 1.55f)));
}

TEST(ImagePrint, TwinsAreFoundOnceAndEqualFilesFirst) {
    std::vector<ImagePrint> train, val;
    for (uint64_t seed = 0; seed < 300; ++seed) {
        train.push_back(print_of(picture(seed)));
        train.back().bytes = seed;
    }
    for (const uint64_t seed : {7, 400, 20}) {
        val.push_back(print_of(as_jpeg(picture(seed), 80)));
        val.back().bytes = 1000 + seed;
    }
    val.push_back(train[30]);
    const std::vector<Twin> twins = twins_between(train, val);
    ASSERT_EQ(twins.size(), 3u);
    EXPECT_TRUE(twins[0].equal && twins[0].in_first == 30 && twins[0].in_second == 3);
    EXPECT_TRUE(!twins[1].equal && twins[1].in_first == 7 && twins[1].in_second == 0);
    EXPECT_TRUE(!twins[2].equal && twins[2].in_first == 20 && twins[2].in_second == 2);
    val.push_back(val[0]);
    const std::vector<Twin> equal = equal_files(val);
    ASSERT_EQ(equal.size(), 1u);
    EXPECT_TRUE(equal[0].in_first == 0 && equal[0].in_second == 4);
}

// A hash of files has no use where many files share it.
TEST(ImagePrint, HashesOfBytesDiffer) {
    std::vector<uint64_t> hashes;
    std::vector<uint8_t> bytes(40, 0);
    for (size_t size = 0; size <= 40; ++size) hashes.push_back(hash_of_bytes({bytes.data(), size}));
    for (size_t bit = 0; bit < 320; ++bit) {
        bytes[bit / 8] = uint8_t(1 << bit % 8);
        hashes.push_back(hash_of_bytes(bytes));
        bytes[bit / 8] = 0;
    }
    std::sort(hashes.begin(), hashes.end());
    EXPECT_EQ(std::adjacent_find(hashes.begin(), hashes.end()), hashes.end());
    EXPECT_NE(Fingerprint().add("ab").add("c").value(), Fingerprint().add("a").add("bc").value());
}

TEST(Check, WarnsOfImagesThatBothTrainAndValidate) {
    TempDir dir;
    std::vector<Sample> samples;
    for (int i = 0; i < 6; ++i) {
        const std::string stem = std::string(1, char('a' + i));
        const std::string image = dir / ("images/" + stem + ".jpg"), mask = dir / ("masks/" + stem + ".png");
        save_jpeg(image, picture(uint64_t(i == 4 || i == 5 ? 1 : i)), i == 5 ? 60 : 92);  // e is b, f is like b
        add_mask(mask, 96, 128);
        samples.push_back({image, mask, stem});
    }
    const auto warnings = check_dataset(samples, {.train_count = 4}).warnings;
    ASSERT_EQ(warnings.size(), 2u);
    EXPECT_NE(warnings[0].find("1 of 2 validation images are copies"), std::string::npos) << warnings[0];
    EXPECT_NE(warnings[0].find("e and b"), std::string::npos) << warnings[0];
    EXPECT_NE(warnings[1].find("1 of 2 validation images look like"), std::string::npos) << warnings[1];
    EXPECT_NE(warnings[1].find("f and b"), std::string::npos) << warnings[1];
    EXPECT_TRUE(check_dataset(samples, {}).warnings.empty()) << "one part";
}

}  // namespace atrous::data::test
