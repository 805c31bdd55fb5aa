#include "segmentation/predictor.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/durable_file.h"
#include "base/text.h"
#include "data/palette.h"
#include "engine/train/evaluate.h"
#include "segmentation/logit_rows.h"
#include "segmentation/postprocess.h"

namespace atrous {

// What the net says of one image, at the net's size: [height][width][c] on the host. NumericError for NaN or Inf.
static std::vector<float> logits_of(LoadedNet& loaded, const data::Image& image, const std::string& path) {
    const ModelCard& card = loaded.card;
    auto options = loader_options(card, 1, 0, loaded.net->input_multiple());
    data::Example prepared{
        data::resize_bilinear(data::as_net_takes_it(image, int(card.net.in_channels), card.normalization.range, path),
                              card.height, card.width),
        {},
        image.h,
        image.w};
    HostBatch batch;
    data::collate({prepared}, options, batch);
    const Tensor padded = loaded.net->forward(upload(batch, loaded.net->materialized().device, loaded.compute).images);
    std::vector<float> inside = host_logits(padded, card.height, card.width);
    if (!std::all_of(inside.begin(), inside.end(), [](float v) { return std::isfinite(v); }))
        throw NumericError("the net gave NaN or Inf");
    return inside;
}

static data::Image binary_of(data::Image ids) {
    for (uint8_t& id : ids.u8) id = id ? 255 : 0;
    return ids;
}

Predictor::Predictor(LoadedNet& net, std::vector<std::string> wanted, double threshold, std::string output)
    : net_(net), wanted_(std::move(wanted)), threshold_(threshold), output_(std::move(output)) {}

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
Predictor::Results Predictor::results_of(const data::Image& image, const std::vector<float>& logits) const {
    const ModelCard& card = net_.card;
    const int64_t c = card.net.out_channels, w = image.w;
    LogitRows large(logits, card.height, card.width, c, image.h, w);
    Results r{data::make_image<uint8_t>(image.h, w, 1), {}};
    const bool probability = wants("probability");
    if (probability) r.probability = data::make_image<uint8_t>(image.h, w, 1);
    for (int64_t y = 0, count; y < image.h; y += count) {
        count = std::min(large.rows_at_once(), image.h - y);
        const float* rows = large.rows(y, count);
        const auto put = [&](const data::Image& part, data::Image& whole) {
            std::copy(part.u8.begin(), part.u8.end(), whole.u8.begin() + y * w);
        };
        put(class_ids(rows, count, w, c, threshold_), r.ids);
        if (probability) put(probability_map(rows, count, w, c, is_softmax(card)), r.probability);
    }
    return r;
}

void Predictor::write(const Job& job, const std::string& what, const data::Image& image,
                      const data::Palette& colours) const {
    const auto png = data::encode_png(image, colours, data::PngMark::ours);
    io::write_durably(path_of(job, what), png, {.quick = true});
}

std::string Predictor::predict(const Job& job) {
    const data::Image image = data::load_image(job.image);
    const auto palette = data::mask_palette(int(net_.card.classes()));
    const Results r = results_of(image, logits_of(net_, image, job.image));
    if (wants("index")) write(job, "index", r.ids, palette);
    if (wants("binary")) write(job, "binary", binary_of(r.ids), {});
    if (wants("probability")) write(job, "probability", r.probability, {});
    if (wants("overlay"))
        write(job, "overlay", data::overlay(data::to_8bit_rgb(image, net_.card.normalization.range), r.ids, palette),
              {});
    const int64_t object = int64_t(std::count_if(r.ids.u8.begin(), r.ids.u8.end(), [](uint8_t id) { return id != 0; }));
    return fmt::format("{}: {}x{}{}, {:.1f} % foreground", job.image, image.w, image.h,
                       image.pages > 1 ? ", the first of several pages" : "",
                       100.0 * double(object) / double(r.ids.count()));
}

}  // namespace atrous
