#include "data/layouts.h"

#include <fmt/core.h>

#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/paths.h"
#include "data/few.h"
#include "data/folder.h"
#include "data/unread.h"

namespace atrous::data {

namespace layout {

// Each in its file of data/layouts/.
Layout voc(), cityscapes(), ade20k(), cvat(), comma10k(), pets(), drive(), isic(), dsb2018(), coco(), yolo(), labelme(),
    supervisely();
Layout split_folders(), lists(), folders_of_splits(), flat_folders(), adjacent_folders(), carvana(), one_folder();

}  // namespace layout

static std::vector<Layout>& catalogue() {
    using namespace layout;
    // Single sets come first; what any set may look like comes last.
    static std::vector<Layout> all{cvat(),
                                   voc(),
                                   cityscapes(),
                                   ade20k(),
                                   comma10k(),
                                   pets(),
                                   drive(),
                                   isic(),
                                   dsb2018(),
                                   coco(),
                                   yolo(),
                                   supervisely(),
                                   split_folders(),
                                   lists(),
                                   folders_of_splits(),
                                   flat_folders(),
                                   adjacent_folders(),
                                   carvana(),
                                   labelme(),
                                   one_folder()};
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
    std::string text, single;
    for (const Layout& l : layouts()) {
        std::string& list = l.is_single ? single : text;
        list += (list.empty() ? "" : l.is_single ? ", " : "; ") + (l.is_single ? l.name : l.looks);
    }
    return text + "; and those of " + single;
}

// The folders that hold images, and how many.
static std::string folders_with_images(const std::string& root) {
    std::map<std::string, size_t> counts;
    const ImageList list = images_below(root);
    for (const std::string& path : list.images)
        ++counts[std::filesystem::path(path).parent_path().lexically_relative(root).generic_string()];
    std::vector<std::string> texts;
    for (const auto& [folder, count] : counts) texts.push_back(fmt::format("{}/ ({})", folder, count));
    std::string text = texts.empty() ? "no images below it" : "images lie in " + few_of(texts);
    if (!list.unread.empty()) text += "; not read are " + text_of_unread(list.unread);
    return text;
}

[[noreturn]] static void not_recognized(const std::string& root) {
    std::vector<std::string> found;
    for (const auto& name : names_in(root)) {
        const std::string path = (std::filesystem::path(root) / name).string(), problem = path_problem(path);
        found.push_back(problem.empty() ? name + (is_folder(path) ? "/" : "") : fmt::format("{} ({})", name, problem));
        if (name == "annotations.xml")
            throw DataError(
                fmt::format("{}: CVAT's XML is not read; export as 'Segmentation mask 1.1' or 'COCO 1.0'", path));
    }
    throw DataError(
        fmt::format("{}: no data set is recognized here (found: {}; {}); say where its images and masks lie with "
                    "`images` and `masks`, "
                    "folders or globs below it, or with `train-list`; recognized by themselves are {}",
                    root, found.empty() ? "nothing" : few_of(found), folders_with_images(root), looks_of_layouts()));
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
