// Recipes are configuration files that the program brings (recipes/*.toml): the settings with which a known system
// trains, by name. What is given on the command line or in a file of one's own goes before them.
#pragma once

#include <string>
#include <vector>

#include "base/settings.h"

namespace atrous {

struct Recipe {
    std::string name;   // "carvana-unet"
    std::string text;   // TOML
    std::string about;  // its first line, a comment
};

const std::vector<Recipe>& all_recipes();            // by name
const Recipe& find_recipe(const std::string& name);  // UsageError where there is none

// Sets what the recipe gives and nobody else has given. UsageError where everything is given already.
void apply_recipe(Settings& settings, const Recipe& recipe);

}  // namespace atrous
