// Masks: what counts as the raw value, and which class it becomes.
#include "data/mask.h"

#include "fixtures.h"

namespace atrous::data::test {

namespace {

std::vector<uint8_t> labels_of(const std::string& path, const std::string& rule, int class_count = 0) {
    const RawMask mask = load_mask(path);
    const MaskRule asked = parse_mask_rule(rule);
    return apply_mask_rule(resolve_mask_rule(asked, raw_values(mask, asked), path, class_count), mask, path).u8;
}

using Labels = std::vector<uint8_t>;

// Two bits a pixel: indices 0 1 2 3 / 3 2 1 0, colours 10,20,30 and so on; written by PIL.
const std::vector<uint8_t> two_bit_palette_png = {
    137, 80, 78,  71,  13,  10,  26,  10,  0,   0, 0, 13, 73, 72, 68, 82, 0,  0,   0,   4,  0,   0,   0,   2,
    2,   3,  0,   0,   0,   2,   198, 149, 240, 0, 0, 0,  12, 80, 76, 84, 69, 10,  20,  30, 40,  50,  60,  70,
    80,  90, 100, 110, 120, 198, 72,  119, 223, 0, 0, 0,  12, 73, 68, 65, 84, 120, 156, 99, 144, 102, 120, 2,
    0,   1,  57,  1,   0,   69,  100, 145, 155, 0, 0, 0,  0,  73, 69, 78, 68, 174, 66,  96, 130};
const std::vector<uint8_t> one_bit_png = {137, 80,  78, 71, 13, 10,  26,  10, 0,   0,  0,  13,  73, 72, 68,  82, 0, 0,
                                          0,   3,   0,  0,  0,  2,   1,   0,  0,   0,  0,  181, 15, 91, 183, 0,  0, 0,
                                          12,  73,  68, 65, 84, 120, 156, 99, 112, 96, 56, 0,   0,  1,  132, 1,  1, 10,
                                          127, 144, 80, 0,  0,  0,   0,   73, 69,  78, 68, 174, 66, 96, 130};

Image rgb(int64_t w, const std::vector<uint32_t>& colours) {
    Image image = make_image<uint8_t>(int64_t(colours.size()) / w, w, 3);
    for (size_t i = 0; i < colours.size(); ++i)
        for (size_t ch = 0; ch < 3; ++ch) image.u8[3 * i + ch] = uint8_t(colours[i] >> (16 - 8 * ch));
    return image;
}

}  // namespace

TEST(Mask, PaletteFilesGiveTheIndex) {
    TempDir dir;
    write_file(dir / "p.png", two_bit_palette_png);
    EXPECT_EQ(labels_of(dir / "p.png", "ids"), (Labels{0, 1, 2, 3, 3, 2, 1, 0}));
    EXPECT_EQ(load_mask(dir / "p.png").colour(1), colour_flag | 0x28323c);
    EXPECT_EQ(labels_of(dir / "p.png", "#0a141e,#28323c,#46505a,#646e78"), (Labels{0, 1, 2, 3, 3, 2, 1, 0}));
}

TEST(Mask, OneBitFilesAreNotStretched) {
    TempDir dir;
    write_file(dir / "b.png", one_bit_png);
    EXPECT_EQ(labels_of(dir / "b.png", "ids"), (Labels{0, 1, 0, 1, 1, 0}));
    EXPECT_EQ(labels_of(dir / "b.png", "auto"), (Labels{0, 1, 0, 1, 1, 0}));
}

TEST(Mask, AutoTellsBinaryFromIds) {
    TempDir dir;
    save_png(dir / "a.png", gray(1, 4, {0, 255, 255, 0}));
    EXPECT_EQ(labels_of(dir / "a.png", "auto"), (Labels{0, 1, 1, 0}));
    save_png(dir / "a.png", gray(1, 4, {0, 1, 255, 2}));
    EXPECT_EQ(labels_of(dir / "a.png", "auto"), (Labels{0, 1, 255, 2}));
    save_png(dir / "a.png", gray(1, 4, {0, 11, 3, 11}));  // sparse ids need the number of classes
    expect_error([&] { labels_of(dir / "a.png", "auto"); }, {"a.png", "0,3,11", "`mask-values`"});
    EXPECT_EQ(labels_of(dir / "a.png", "auto", 12), (Labels{0, 11, 3, 11}));
}

TEST(Mask, AutoRefusesWhatIsUnclear) {
    TempDir dir;
    Image ramp = make_image<uint8_t>(1, 238, 1);
    for (size_t i = 0; i < ramp.u8.size(); ++i) ramp.u8[i] = uint8_t(i);
    save_png(dir / "soft.png", ramp);
    expect_error([&] { labels_of(dir / "soft.png", "auto"); }, {"soft.png", "238 different values", "binary:128"});
    save_png(dir / "two.png", gray(1, 2, {0, 128}));
    expect_error([&] { labels_of(dir / "two.png", "auto"); }, {"two.png", "0,128", "binary"});
    save_png(dir / "none.png", gray(1, 2, {0, 0}));
    expect_error([&] { labels_of(dir / "none.png", "auto"); }, {"none.png", "nothing to learn"});
    save_png(dir / "colour.png", rgb(2, {0x402020, 0xff0000}));
    expect_error([&] { labels_of(dir / "colour.png", "auto"); }, {"colour.png", "`mask-values` '#402020,#ff0000'"});
}

TEST(Mask, BinaryIsNonzeroOrAThreshold) {
    TempDir dir;
    save_png(dir / "a.png", gray(1, 5, {0, 1, 127, 128, 255}));
    EXPECT_EQ(labels_of(dir / "a.png", "binary"), (Labels{0, 1, 1, 1, 1}));
    EXPECT_EQ(labels_of(dir / "a.png", "binary:128"), (Labels{0, 0, 0, 1, 1}));
}

TEST(Mask, JpegMasksAreThresholded) {
    TempDir dir;
    Image mask = make_image<uint8_t>(32, 32, 1);
    for (int64_t y = 0; y < 32; ++y)
        for (int64_t x = 11; x < 32; ++x) mask.u8[size_t(y * 32 + x)] = 255;
    save_jpeg(dir / "m.jpg", mask, 75);
    EXPECT_GT(raw_values(load_mask(dir / "m.jpg"), {}).size(), 2u) << "ringing is what this is about";
    const Labels labels = labels_of(dir / "m.jpg", "binary:128");
    for (size_t i = 0; i < labels.size(); ++i) EXPECT_EQ(labels[i], mask.u8[i] ? 1 : 0) << i;
}

TEST(Mask, ListsOfValues) {
    TempDir dir;
    save_png(dir / "a.png", gray(1, 4, {0, 255, 7, 0}));
    EXPECT_EQ(labels_of(dir / "a.png", "0"), (Labels{1, 0, 0, 1}));
    EXPECT_EQ(labels_of(dir / "a.png", "255,7"), (Labels{0, 1, 2, 0}));
    EXPECT_EQ(labels_of(dir / "a.png", "0=2,255=ignore,7=0"), (Labels{2, 255, 0, 2}));
    EXPECT_EQ(labels_of(dir / "a.png", "7=1,*=0"), (Labels{0, 0, 1, 0}));
    EXPECT_EQ(labels_of(dir / "a.png", "ids,7=ignore"), (Labels{0, 255, 255, 0}));
    expect_error([&] { labels_of(dir / "a.png", "0=0,255=1"); },
                 {"a.png", "(2, 0)", "value 7", "0, 255", "`mask-values`"});
}

TEST(Mask, ColoursAreExact) {
    TempDir dir;
    save_png(dir / "c.png", rgb(2, {0x402020, 0xff0000, 0x808060, 0xff0000}));
    EXPECT_EQ(labels_of(dir / "c.png", "#402020,#ff0000,#808060"), (Labels{0, 1, 2, 1}));
    EXPECT_EQ(labels_of(dir / "c.png", "#402020=ignore,#ff0000=0,#808060=1"), (Labels{255, 0, 1, 0}));
    expect_error([&] { labels_of(dir / "c.png", "#402020,#ff0000"); },
                 {"c.png", "(0, 1)", "#808060", "#402020, #ff0000"});
    expect_error([&] { labels_of(dir / "c.png", "ids"); }, {"c.png", "#402020"});
}

TEST(Mask, AlphaAndEqualChannelsDoNotMatter) {
    TempDir dir;
    Image rgba = make_image<uint8_t>(1, 2, 4);
    rgba.u8 = {0x40, 0x20, 0x20, 255, 0xff, 0, 0, 7};
    save_png(dir / "a.png", rgba);
    EXPECT_EQ(labels_of(dir / "a.png", "#402020,#ff0000"), (Labels{0, 1}));
    save_png(dir / "g.png", rgb(2, {0x000000, 0xffffff}));
    EXPECT_EQ(labels_of(dir / "g.png", "auto"), (Labels{0, 1}));
    EXPECT_EQ(labels_of(dir / "g.png", "#000000,#ffffff"), (Labels{0, 1}));
}

TEST(Mask, SixteenBitIds) {
    TempDir dir;
    Image mask = make_image<uint16_t>(1, 3, 1);
    mask.u16 = {0, 2, 1};
    save_png(dir / "m.png", mask);
    EXPECT_EQ(labels_of(dir / "m.png", "ids"), (Labels{0, 2, 1}));
    mask.u16 = {0, 300, 1};
    save_png(dir / "m.png", mask);
    expect_error([&] { labels_of(dir / "m.png", "ids"); }, {"m.png", "(1, 0)", "300"});
    EXPECT_EQ(labels_of(dir / "m.png", "300"), (Labels{0, 1, 0}));
}

TEST(Mask, IdsBeyondTheClassCountAreRefused) {
    TempDir dir;
    save_png(dir / "m.png", gray(2, 2, {0, 1, 2, 3}));
    expect_error([&] { labels_of(dir / "m.png", "ids", 3); }, {"m.png", "(1, 1)", "value 3", "0 to 2"});
}

TEST(Mask, TheRuleSaysWhatItDoes) {
    EXPECT_EQ(parse_mask_rule("0").describe(), "0 is class 1, the rest is class 0");
    EXPECT_EQ(parse_mask_rule("binary:128").describe(), "class 1 where the value is at least 128");
    EXPECT_EQ(parse_mask_rule("#ff0000=3,#000000=ignore").describe(), "#000000 is ignored, #ff0000 is class 3");
}

TEST(Mask, TheTextOfARuleGivesTheRuleAgain) {
    const std::pair<const char*, const char*> texts[] = {{"auto", "auto"},
                                                         {"ids", "ids"},
                                                         {"ids,11=ignore,3=0", "ids,3=0,11=ignore"},
                                                         {"binary", "binary"},
                                                         {"binary:1", "binary"},
                                                         {"binary:128", "binary:128"},
                                                         {"0", "0=1,*=0"},
                                                         {"3, 7", "3=1,7=2,*=0"},
                                                         {"0=1,255=0,128=ignore", "0=1,128=ignore,255=0"},
                                                         {"5=2,*=ignored", "5=2,*=ignore"},
                                                         {"*=1", "*=1"},
                                                         {"*=ignore", "*=ignore"},
                                                         {"#402020,#ff0000", "#402020=0,#ff0000=1"},
                                                         {"*=1,#000000=ignore", "#000000=ignore,*=1"}};
    for (const auto& [given, text] : texts) {
        const MaskRule rule = parse_mask_rule(given), again = parse_mask_rule(text_of(rule));
        EXPECT_EQ(text_of(rule), text) << given;
        EXPECT_EQ(again.kind, rule.kind) << given;
        EXPECT_EQ(again.threshold, rule.threshold) << given;
        EXPECT_EQ(again.classes, rule.classes) << given;
        EXPECT_EQ(again.otherwise, rule.otherwise) << given;
    }
}

TEST(Mask, BadRulesAreUsageErrors) {
    for (const char* text : {"", "idz", "binary:", "binary:0", "binary:x", "1,,2", "1,1", "#ff00", "#gggggg",
                             "1,#ff0000", "1=1,2", "1=256", "70000", "ids,3", "-1", "1=1=1", "*"})
        expect_error<UsageError>([&] { parse_mask_rule(text); }, {"`mask-values`", "binary:128"});
}

// PNG has gray with alpha too: the alpha is dropped, and that it said something is not.
TEST(Mask, TheAlphaOfGrayIsSeen) {
    TempDir dir;
    write_file(
        dir / "shape.png",
        std::vector<uint8_t>{0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49, 0x48, 0x44,
                             0x52, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x04, 0x08, 0x04, 0x00, 0x00, 0x00, 0x03,
                             0xf8, 0x56, 0xf5, 0x00, 0x00, 0x00, 0x12, 0x49, 0x44, 0x41, 0x54, 0x78, 0xda, 0x63, 0x60,
                             0x40, 0x02, 0xff, 0x19, 0xfe, 0xc3, 0x18, 0xc8, 0x00, 0x00, 0x39, 0xea, 0x02, 0xfe, 0xdf,
                             0xd1, 0x98, 0x57, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82});
    const RawMask mask = load_mask(dir / "shape.png");
    EXPECT_EQ(mask.image.c, 1);
    EXPECT_EQ(mask.image.u8, std::vector<uint8_t>(16, 0));
    EXPECT_TRUE(mask.alpha_varies);
    EXPECT_EQ(load_image(dir / "shape.png").c, 1);
}

}  // namespace atrous::data::test
