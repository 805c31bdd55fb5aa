// What the catalogues of augmentations, layouts and formats refuse, and that people are told what is in them.
#include <gtest/gtest.h>

#include <sstream>

#include "data/augmentation.h"
#include "data/codecs.h"
#include "data/layouts.h"
#include "fixtures.h"
#include "tests/paths.h"

namespace atrous::data::test {

namespace {

class Nothing : public Copied<Nothing, Augmentation> {
 public:
    explicit Nothing(uint64_t stream) : Copied("nothing", stream, Stage::after_crop) {}
    void describe(Settings&) override {}
    bool active() const override { return false; }
    void apply(Example&, Random&) const override {}
};

}  // namespace

// Trainings of before have drawn with these.
TEST(Catalogue, AugmentationsComeInOrderWithTheirStreams) {
    std::vector<std::pair<std::string, uint64_t>> all;
    const Augmentations augmentations;
    for (const Augmentation* a : augmentations.all()) all.emplace_back(a->name(), a->stream);
    const std::vector<std::pair<std::string, uint64_t>> expected{
        {"scale", 1},  {"rotate", 6}, {"mosaic", 15}, {"copy-paste", 16}, {"hflip", 3},
        {"vflip", 4},  {"turn", 5},   {"colour", 7},  {"tint", 8},        {"gamma", 9},
        {"night", 14}, {"blur", 10},  {"noise", 11},  {"jpeg", 12},       {"coarse-dropout", 13}};
    EXPECT_EQ(all, expected);
}

TEST(Catalogue, AStreamIsOneDecisions) {
    const auto refuse = [](uint64_t stream, const std::string& owner) {
        expect_error<Error>([&] { add_augmentation(Nothing(stream)); }, {"'nothing'", owner});
    };
    refuse(order_stream, "the order");
    refuse(crop_stream, "the crop");
    refuse(5, "'turn'");
}

TEST(Catalogue, ACopyOfAugmentationsHasItsOwnSettings) {
    const auto turns = [](Augmentations& a) {
        Settings s;
        describe(s, a);
        return s.at("turn").shown();
    };
    Augmentations a;
    Augmentations b = a;
    b.set("turn", "true");
    EXPECT_EQ(turns(a), "false");
    a = b;
    b.set("turn", "false");
    EXPECT_EQ(turns(a), "true");
    expect_error<UsageError>([&] { a.set("hflip", "1.5"); }, {"`hflip` 1.5", "from 0 to 1"});
}

TEST(Catalogue, NamesAreTakenOnce) {
    expect_error<Error>([] { add_layout({"Pascal VOC", "", nullptr}); }, {"'Pascal VOC'"});
    expect_error<Error>([] { codec::add_codec({"PNG", {}, nullptr, codec::codecs().front().decode}); }, {"'PNG'"});
}

TEST(Catalogue, ThePageOnDataNamesEveryLayoutAndFormat) {
    std::stringstream text;
    text << std::ifstream(atrous::test::test_root() + "/docs/data.md").rdbuf();
    if (text.str().empty()) GTEST_SKIP() << "the source tree is not here";
    for (const Layout& layout : layouts())
        EXPECT_NE(text.str().find("\n    " + layout.looks + "\n"), std::string::npos) << layout.looks;
    for (const codec::Codec& c : codec::codecs()) {
        if (!c.decode) continue;
        EXPECT_NE(text.str().find(c.name), std::string::npos) << c.name;
    }
}

}  // namespace atrous::data::test
