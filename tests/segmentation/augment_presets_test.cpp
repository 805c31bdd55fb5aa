// Presets of augmentation: what they give way to, and that only their values remain.
#include "segmentation/augment_presets.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "segmentation/config_file.h"
#include "segmentation/experiment.h"

namespace atrous {
namespace {

struct Program {  // as `train` has it
    Experiment e;
    std::string augment = "none";
    Settings s;
    Program() {
        describe(s, e);
        describe_augment_preset(s, augment);
    }
    void type(const std::string& key, const std::string& value) {
        ASSERT_TRUE(s.at(key).assign({{value}}));
        s.at(key).origin = Origin::flag;
    }
    std::string of(const std::string& key) { return s.at(key).shown(); }
};

TEST(AugmentPresets, WithoutOneAllIsAsItWas) {
    Program p, plain;
    apply_augment_preset(p.s);
    EXPECT_EQ(config_of(p.e), config_of(plain.e));
    EXPECT_EQ(p.of("hflip"), "0.5");
    EXPECT_EQ(data::without_plan(p.e.augmentations), "");
}

TEST(AugmentPresets, EachGivesAllAugmentationsValues) {
    std::string before;
    for (const char* name : {"light", "standard", "strong"}) {
        Program p;
        p.type("augment", name);
        apply_augment_preset(p.s);
        EXPECT_NO_THROW(check(p.s, p.e));
        const std::string config = config_of(p.e);
        EXPECT_NE(config, before) << name;
        EXPECT_EQ(config.find("augment ="), config.npos) << "the word is forgotten";
        before = config;
        for (const auto& s : p.s.all())
            EXPECT_TRUE(!s->differs() || !s->counts || s->counts()) << s->key << " changes nothing";
    }
    EXPECT_THROW(augmentations_of_preset("heavy"), UsageError);
    Program p;
    EXPECT_FALSE(p.s.at("augment").assign({{"heavy"}}));
    EXPECT_EQ(p.s.at("augment").rule(), "none, light, standard or strong");
}

TEST(AugmentPresets, WhatIsTypedGoesBefore) {
    Program p;
    p.type("rotate", "45");
    p.type("augment", "strong");
    apply_augment_preset(p.s);
    EXPECT_EQ(p.of("rotate"), "45");
    EXPECT_EQ(p.of("scale"), "0.5 2");
}

// A preset in a file gives way to the file's own values, one that is typed does not.
TEST(AugmentPresets, APresetHasTheRankOfItsPlace) {
    Program file;
    read_config_text(file.s, "rotate = 45\naugment = \"strong\"\n", "x.toml");
    apply_augment_preset(file.s);
    EXPECT_EQ(file.of("rotate"), "45");
    EXPECT_EQ(file.of("rotate-border"), "ignore");

    Program typed;
    read_config_text(typed.s, "rotate = 45\nvflip = 0.5\nlr = 0.25\n", "config.toml");
    typed.type("augment", "light");
    apply_augment_preset(typed.s);
    EXPECT_EQ(typed.of("rotate"), "0") << "light does not rotate";
    EXPECT_EQ(typed.of("vflip"), "0");
    EXPECT_EQ(typed.of("lr"), "0.25") << "no augmentation";
}

TEST(AugmentPresets, NoneTakesBackWhatFilesSay) {
    Program typed, plain;
    read_config_text(typed.s, "rotate = 45\nhflip = 0\nvflip = 0.5\nlr = 0.25\n", "config.toml");
    typed.type("blur", "0.75");
    typed.type("augment", "none");
    apply_augment_preset(typed.s);
    EXPECT_EQ(typed.of("rotate"), "0");
    EXPECT_EQ(typed.of("vflip"), "0");
    EXPECT_EQ(typed.of("hflip"), plain.of("hflip"));
    EXPECT_EQ(typed.of("blur"), "0.75") << "typed too";
    EXPECT_EQ(typed.of("lr"), "0.25") << "no augmentation";

    Program file;
    read_config_text(file.s, "rotate = 45\naugment = \"none\"\n", "x.toml");
    apply_augment_preset(file.s);
    EXPECT_EQ(file.of("rotate"), "45") << "the file's own";
}

// The configuration file that a run writes gives its values again, whatever a preset means by then.
TEST(AugmentPresets, AResumedRunDependsOnTheValuesAlone) {
    Program first;
    first.type("augment", "strong");
    first.type("blur", "0.75");
    apply_augment_preset(first.s);
    Program second;
    read_config_text(second.s, config_of(first.e), "config.toml");
    apply_augment_preset(second.s);
    EXPECT_EQ(config_of(second.e), config_of(first.e));
    EXPECT_EQ(second.of("blur"), "0.75");
}

TEST(AugmentPresets, ATableOfTheConfigurationFileIsTheSame) {
    Program table, flat;
    read_config_text(table.s,
                     "lr = 0.5\n[augment]\npreset = \"standard\"\nrotate = 20\ncrop = 64\nscale = [0.7, 1.5]\n", "x");
    read_config_text(flat.s, "lr = 0.5\naugment = \"standard\"\nrotate = 20\ncrop = 64\nscale = [0.7, 1.5]\n", "x");
    for (Program* p : {&table, &flat}) apply_augment_preset(p->s);
    EXPECT_EQ(config_of(table.e), config_of(flat.e));
    EXPECT_EQ(table.of("rotate"), "20");
    EXPECT_EQ(table.of("hue"), "0.02");
}

TEST(AugmentPresets, MistakesInTheTableAreNamed) {
    const auto refused = [](const std::string& text, const std::string& part) {
        Program p;
        try {
            read_config_text(p.s, text, "x.toml");
            ADD_FAILURE() << text;
        } catch (const UsageError& error) {
            const std::string what = error.what();
            EXPECT_NE(what.find(part), what.npos) << what;
            EXPECT_EQ(what.find('\n'), what.npos);
        }
    };
    refused("[augment]\nlr = 0.5\n", "x.toml:2: 'lr' is no augmentation");
    refused("[augment]\nrotat = 5\n", "x.toml:2: unknown option 'rotat'; did you mean rotate?");
    refused("[augment]\npreset = \"heavy\"\n",
            "x.toml:2: augment takes none, light, standard or strong, not '\"heavy\"'");
    refused("rotate = 5\n[augment]\nrotate = 6\n", "'rotate' appears twice");
    refused("[colours]\nx = 1\n", "options stand at the top level, not in tables");
    refused("augment = 5\n", "augment takes");
}

}  // namespace
}  // namespace atrous
