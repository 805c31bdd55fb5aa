#include "segmentation/predictor.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/durable_file.h"
#include "base/text.h"
#include "data/palette.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"

namespace atrous {

static data::Image binary_of(data::Image ids) {
    for (uint8_t& id : ids.u8) id = id ? 255 : 0;
    return ids;
}

Predictor::Predictor(LoadedNet& net, std::vector<std::string> wanted, double threshold, std::string output,
                     WindowOptions windows)
    : net_(net),
      wanted_(std::move(wanted)),
      threshold_(threshold),
      output_(std::move(output)),
      windows_(std::move(windows)) {}

bool Predictor::wants(const std::string& what) const { return std::count(wanted_.begin(), wanted_.end(), what) > 0; }

std::string Predictor::path_of(const Job& job, const std::string& what) const {
    return output_ + "/" + job.name + "_" + what + ".png";
}

std::vector<std::string> Predictor::paths_of(const Job& job) const {
    std::vector<std::string> paths;
    for (const std::string& what : wanted_) paths.push_back(path_of(job, what));
    return paths;
}

// Row by row: only class ids and probabilities have the image's size.
Predictor::Results Predictor::results_of(const data::Image& image, const ImageView& view, const std::string& path) {
    const ModelCard& card = net_.card;
    const int64_t c = card.net.out_channels, w = image.w, in_row = view.grid.width * c;
    LogitRows large({}, view.grid.height, view.grid.width, c, image.h, w);
    Results r{data::make_image<uint8_t>(image.h, w, 1), {}};
    const bool probability = wants("probability");
    if (probability) r.probability = data::make_image<uint8_t>(image.h, w, 1);
    int64_t y = 0;
    logits_by_windows(net_, image, view, path, [&](int64_t first, int64_t count, const float* logits) {
        const int64_t above = first > 0 ? 1 : 0;
        large.continue_with(logits - above * in_row, first - above);
        for (int64_t end = large.complete(first + count), n; y < end; y += n) {
            n = std::min(large.rows_at_once(), end - y);
            const float* rows = large.rows(y, n);
            const auto put = [&](const data::Image& part, data::Image& whole) {
                std::copy(part.u8.begin(), part.u8.end(), whole.u8.begin() + y * w);
            };
            put(class_ids(rows, n, w, c, threshold_), r.ids);
            if (probability) put(probability_map(rows, n, w, c, is_softmax(card)), r.probability);
        }
    });
    return r;
}

void Predictor::write(const Job& job, const std::string& what, const data::Image& image,
                      const data::Palette& colours) const {
    const auto png = data::encode_png(image, colours, data::PngMark::ours);
    io::write_durably(path_of(job, what), png, {.quick = true});
}

std::string Predictor::predict(const Job& job) {
    const data::Image image = data::load_image(job.image);
    data::Palette palette = data::mask_palette(int(net_.card.classes()));
    std::copy(net_.card.colours.begin(), net_.card.colours.end(), palette.begin());
    const ImageView view = view_of(net_.card, windows_, image.h, image.w);
    const Results r = results_of(image, view, job.image);
    if (wants("index")) write(job, "index", r.ids, palette);
    if (wants("binary")) write(job, "binary", binary_of(r.ids), {});
    if (wants("probability")) write(job, "probability", r.probability, {});
    if (wants("overlay"))
        write(job, "overlay", data::overlay(data::to_8bit_rgb(image, net_.card.normalization.range), r.ids, palette),
              {});
    const int64_t object = int64_t(std::count_if(r.ids.u8.begin(), r.ids.u8.end(), [](uint8_t id) { return id != 0; }));
    return fmt::format("{}: {}x{}{}, {:.1f} % foreground{}{}", job.image, image.w, image.h,
                       image.pages > 1 ? ", the first of several pages" : "",
                       100.0 * double(object) / double(r.ids.count()), view.note.empty() ? "" : "; ", view.note);
}

}  // namespace atrous
