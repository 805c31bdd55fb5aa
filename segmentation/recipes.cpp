#include "segmentation/recipes.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/suggest.h"
#include "base/text.h"
#include "segmentation/config_file.h"

namespace atrous {

static Recipe recipe_of(const char* name, const char* text) {
    const std::string all = text, first = all.substr(0, all.find('\n'));
    return {name, all, first.substr(std::min(first.size(), first.find_first_not_of("# ")))};
}

const std::vector<Recipe>& all_recipes() {
    static const std::vector<Recipe> all{
#include "recipe_texts.inc"
    };
    return all;
}

const Recipe& find_recipe(const std::string& name) {
    std::vector<std::string> names;
    for (const Recipe& recipe : all_recipes()) {
        if (recipe.name == name) return recipe;
        names.push_back(recipe.name);
    }
    throw UsageError(fmt::format("recipe {} is unknown{}; expected {}", io::in_quotes(name), did_you_mean(name, names),
                                 alternatives(names)));
}

void apply_recipe(Settings& settings, const Recipe& recipe) {
    if (read_config_text(settings, recipe.text, "recipe " + recipe.name) == 0)
        throw UsageError(fmt::format(
            "`recipe` {}: all that it sets is given already, as a run's config.toml gives everything; leave it out, or "
            "start a new training",
            recipe.name));
}

}  // namespace atrous
