// The program's recipes: each is a configuration that can be trained, and gives way to what a user says.
#include "segmentation/recipes.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "segmentation/experiment.h"

namespace atrous {
namespace {

TEST(Recipes, EachIsAnExperimentThatPassesTheChecks) {
    ASSERT_GE(all_recipes().size(), 13u);
    for (const Recipe& recipe : all_recipes()) {
        Experiment e;
        Settings settings;
        describe(settings, e);
        ASSERT_NO_THROW(apply_recipe(settings, recipe)) << recipe.name;
        e.data.root = "somewhere";
        for (const auto& s : settings.all()) {  // as if each had been typed: none may be without effect
            if (s->origin == Origin::config) s->origin = Origin::flag;
            EXPECT_TRUE(!s->given() || !s->counts || s->counts()) << recipe.name << ": " << s->key;
        }
        EXPECT_NO_THROW(check(settings, e)) << recipe.name;
        EXPECT_FALSE(recipe.about.empty()) << recipe.name << " begins with a comment that says what it trains";
        EXPECT_EQ(recipe.text.rfind("# ", 0), 0u) << recipe.name;
    }
}

// The nets' parameters are those that the systems report.
TEST(Recipes, TheirNetsAreThoseOfTheSystems) {
    const auto parameters = [](const std::string& name, int64_t classes) {
        Experiment e;
        Settings settings;
        describe(settings, e);
        apply_recipe(settings, find_recipe(name));
        return make_net(net_config(e, classes))->parameter_count();
    };
    EXPECT_EQ(parameters("carvana-unet", 2), 31037633);
    EXPECT_EQ(parameters("comma10k-deeplabv3-r18", 5), 15311173);
}

TEST(Recipes, WhatAUserSaysGoesBefore) {
    Experiment e;
    Settings settings;
    describe(settings, e);
    settings.at("lr").assign({{"0.5"}});
    settings.at("lr").origin = Origin::config;
    apply_recipe(settings, find_recipe("carvana-unet"));
    EXPECT_EQ(e.trainer.schedule.base, 0.5);
    EXPECT_EQ(e.batch_size, 16);
    EXPECT_EQ(settings.at("batch-size").origin, Origin::config);
}

TEST(Recipes, OneThatSetsNothingIsRefused) {
    Experiment e;
    Settings settings;
    describe(settings, e);
    for (const auto& s : settings.all()) s->origin = Origin::config;  // a run's config.toml
    EXPECT_THROW(apply_recipe(settings, find_recipe("carvana-unet")), UsageError);
}

TEST(Recipes, AnUnknownOneIsRefusedWithTheNearest) {
    try {
        find_recipe("carvana-unett");
        FAIL();
    } catch (const UsageError& error) {
        EXPECT_NE(std::string(error.what()).find("recipe 'carvana-unett' is unknown"), std::string::npos);
        EXPECT_NE(std::string(error.what()).find("carvana-unet"), std::string::npos);
    }
}

}  // namespace
}  // namespace atrous
