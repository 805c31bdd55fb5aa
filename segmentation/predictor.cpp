#include "segmentation/predictor.h"

#include <fmt/core.h>

#include <algorithm>

#include "data/band_files.h"
#include "data/palette.h"
#include "segmentation/postprocess.h"

namespace atrous {

Predictor::Predictor(LoadedNet& net, std::vector<std::string> wanted, const ClassThresholds& thresholds,
                     std::string output, WindowOptions windows, std::string format)
    : net_(net),
      wanted_(std::move(wanted)),
      thresholds_(thresholds),
      output_(std::move(output)),
      windows_(std::move(windows)),
      format_(std::move(format)) {
    if (wants("classes") && net.card.label_form() == LabelForm::ids)
        throw UsageError(
            "`save` classes: a mask for each class is of nets trained with `multi-label`; the classes of this one "
            "exclude "
            "each other, and index has them all");
    std::sort(wanted_.begin(), wanted_.end());
    wanted_.erase(std::unique(wanted_.begin(), wanted_.end()), wanted_.end());
}

bool Predictor::wants(const std::string& what) const { return std::count(wanted_.begin(), wanted_.end(), what) > 0; }

// Classes by name as parts of paths, each another: what no name of a file may have becomes _.
static std::vector<std::string> file_names(const ModelCard& card) {
    std::vector<std::string> names;
    for (size_t c = 0; c < size_t(card.classes()); ++c) {
        std::string name = c < card.class_names.size() ? card.class_names[c] : std::to_string(c);
        std::replace_if(
            name.begin(), name.end(), [](char k) { return k == '/' || k == '\0'; }, '_');
        if (name.empty() || name[0] == '.') name = "_" + name;
        while (std::count(names.begin(), names.end(), name) > 0) name += fmt::format("_{}", c);
        names.push_back(name);
    }
    return names;
}

std::vector<ResultFile> Predictor::files_of(const Job& job) const {
    const std::string ending = format_ == "tiff" ? ".tif" : ".png", stem = output_ + "/" + job.name;
    const bool overlap = net_.card.label_form() == LabelForm::bits;
    const std::vector<std::string> names = overlap ? file_names(net_.card) : std::vector<std::string>{};
    std::vector<ResultFile> files;
    for (const std::string& what : wanted_) {
        if (what != "classes" && !(what == "probability" && overlap))
            files.push_back({what, stem + "_" + what + ending});
        for (size_t c = 0; c < names.size(); ++c) {
            const std::string& name = names[c];
            if (what == "classes") files.push_back({"class", output_ + "/" + name + "/" + job.name + ending, int(c)});
            if (what == "probability") files.push_back({what, stem + "_probability_" + name + ending, int(c)});
        }
    }
    return files;
}

std::vector<std::string> Predictor::paths_of(const Job& job) const {
    std::vector<std::string> paths;
    for (const ResultFile& file : files_of(job)) paths.push_back(file.path);
    return paths;
}

std::vector<ColumnBlock> Predictor::blocks_of(const data::ImageRows& image, const ImageView& view) const {
    int64_t beside = 0;
    for (const std::string& what : wanted_) {
        const bool each = net_.card.label_form() == LabelForm::bits && (what == "classes" || what == "probability");
        if (format_ == "tiff") beside += data::tiff_tile * (what == "overlay" ? 3 : each ? net_.card.classes() : 1);
        if (what == "overlay") beside += image.rows_at_once() * image.pixel_bytes();  // it decodes the image once more
    }
    return column_blocks(image, view, net_.card.net.out_channels, beside, windows_.rows_in_memory);
}

int64_t Predictor::predict_block(data::ImageRows& image, const ImageView& view, const ColumnBlock& block,
                                 const std::string& path, ResultRows& results) {
    const ModelCard& card = net_.card;
    const Columns given = with_neighbours(block.own, image.width());
    const int64_t c = card.net.out_channels, w = given.count, before = block.own.first - given.first;
    const bool probability = wants("probability"), overlap = card.label_form() == LabelForm::bits;
    int64_t object = 0;
    results.go_down(block.own);
    const auto take = [&](int64_t, int64_t n, const float* rows) {
        const data::Image ids = labels_of(rows, n, w, c, thresholds_, card.label_form());
        for (int64_t y = 0; y < n; ++y) {
            const auto first = ids.u8.begin() + y * w + before;
            object += block.own.count - int64_t(std::count(first, first + block.own.count, 0));
        }
        results.put(ids, !probability ? data::Image{}
                         : overlap    ? sigmoid_maps(rows, n, w, c)
                                      : probability_map(rows, n, w, c, is_softmax(card)));
    };
    logits_at_own_size(net_, image, view, {given, block.view}, path, {take, [&] { stop_where_asked(); }});
    return object;
}

void Predictor::stop_where_asked() const {
    if (stop_()) throw Stopped();
}

std::string Predictor::predict(const Job& job) {
    constexpr int64_t held = 1 << 22;  // pixels of an image that is decoded once
    const bool banded = !job.bands.empty();
    const auto image = banded ? data::open_bands(job.bands, held) : data::open_rows(job.image, held);
    const std::string placed = banded ? data::band_of_full_size(job.bands) : job.image;
    ResultOptions options{
        format_, {}, net_.card.label_colours(), net_.card.normalization.range, [&] { stop_where_asked(); }};
    const data::GeoTags place = format_ == "tiff" ? data::geo_tags_of(placed) : data::GeoTags{};
    options.tags = place.tags;
    const int64_t h = image->height(), w = image->width();
    const ImageView view = view_of(net_.card, windows_, h, w, net_.halo);
    const std::vector<ResultFile> files = files_of(job);
    const auto blocks = blocks_of(*image, view);
    int64_t object = 0;
    write_results(files, *image, options, [&](ResultRows& results) {
        for (const ColumnBlock& block : blocks) object += predict_block(*image, view, block, job.image, results);
    });
    return fmt::format("{}: {}x{}{}, {:.1f} % foreground{}{}{}", job.image, w, h,
                       image->pages() > 1 ? ", the first of several pages" : "", 100.0 * double(object) / double(h * w),
                       view.note.empty() ? "" : "; ", view.note,
                       place.turned ? "; its place on Earth is not carried, for its orientation is stated" : "");
}

}  // namespace atrous
