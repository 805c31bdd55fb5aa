#include "data/layouts.h"

#include <fmt/core.h>

#include <filesystem>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"

namespace atrous::data {

namespace layout {

// Each in its file of data/layouts/.
Layout voc(), split_folders(), lists(), folders_of_splits(), flat_folders(), adjacent_folders(), carvana();

}  // namespace layout

static std::vector<Layout>& catalogue() {
    using namespace layout;
    static std::vector<Layout> all{voc(),          split_folders(),    lists(),  folders_of_splits(),
                                   flat_folders(), adjacent_folders(), carvana()};
    return all;
}

const std::vector<Layout>& layouts() { return catalogue(); }

void add_layout(Layout added) {
    auto& all = catalogue();
    for (const Layout& l : all)
        if (l.name == added.name) throw Error(fmt::format("layout '{}' is there already", added.name));
    all.insert(all.begin(), std::move(added));
}

std::string looks_of_layouts() {
    std::string text;
    for (const Layout& l : layouts()) text += (text.empty() ? "" : "; ") + l.looks;
    return text;
}

[[noreturn]] static void not_recognized(const std::string& root) {
    std::vector<std::string> found;
    for (const auto& name : names_in(root)) {
        const std::string path = (std::filesystem::path(root) / name).string(), problem = path_problem(path);
        found.push_back(problem.empty() ? name + (is_folder(path) ? "/" : "") : fmt::format("{} ({})", name, problem));
    }
    throw DataError(fmt::format("{}: no data set is recognized here (found: {}); expected one of: {}", root,
                                found.empty() ? "nothing" : few_of(found), looks_of_layouts()));
}

Dataset recognize_layout(const std::string& root) {
    for (const Layout& l : layouts())
        if (auto dataset = l.recognize(root)) {
            if (dataset->layout.empty()) dataset->layout = l.name;
            return std::move(*dataset);
        }
    not_recognized(root);
}

}  // namespace atrous::data
