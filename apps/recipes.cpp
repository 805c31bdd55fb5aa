#include "segmentation/recipes.h"

#include <fmt/core.h>

#include <algorithm>

#include "apps/options.h"
#include "apps/verbs.h"

namespace atrous::app {

static void list_recipes() {
    size_t width = 0;
    for (const Recipe& recipe : all_recipes()) width = std::max(width, recipe.name.size());
    for (const Recipe& recipe : all_recipes()) fmt::print("{:<{}}  {}\n", recipe.name, width, recipe.about);
    fmt::print("\natrous recipes NAME shows one; atrous train --recipe NAME --data DIR trains by it\n");
}

int recipes(int argc, const char* const* argv) {
    std::string name;
    Options o("recipes",
              "Lists the recipes that the program brings, or shows one: the settings with which a known system trains. "
              "`atrous train --recipe NAME` takes them; options beside it go before them.");
    o.bind("name", name, "recipe to show, as a configuration file; none: list them all").positional();
    o.parse(argc, argv);
    if (name.empty())
        list_recipes();
    else
        fmt::print("{}", find_recipe(name).text);
    return 0;
}

}  // namespace atrous::app
