#include "apps/session.h"

#include <fmt/core.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "apps/process.h"
#include "base/durable_file.h"
#include "data/few.h"
#include "engine/context.h"
#include "engine/ops/elementwise.h"

namespace atrous::app {

Device open_device(const std::string& name, int threads) {
    const Device device = parse_device(name);
    const int cores = usable_cores(), most = omp_get_max_threads();
    const int count = threads > 0 ? threads : std::getenv("OMP_NUM_THREADS") ? most : std::min(most, cores);
    if (count > cores)
        fmt::print(stderr,
                   "warning: {} threads on {} core{}: they take turns and wait for each other; use --threads {}\n",
                   count, cores, cores == 1 ? "" : "s", cores);
    omp_set_num_threads(count);
    context_of({DeviceKind::cpu}).set_threads(count);
    context_of(device);
    return device;
}

LoadedNet load_net(const std::string& checkpoint, Device device, const std::string& precision) {
    const io::SafetensorsFile file(checkpoint);
    LoadedNet loaded;
    loaded.recipe = recipe_of(file);
    const bool half_on_cpu = precision.empty() && loaded.recipe.precision == "fp16" && device.kind != DeviceKind::gpu;
    const std::string& trained = loaded.recipe.precision;
    loaded.compute = half_on_cpu ? DType::f32 : compute_type(precision.empty() ? trained : precision, device);
    loaded.net = make_net(loaded.recipe.net);
    loaded.net->materialize({.device = {DeviceKind::meta}, .compute = loaded.compute});
    io::check_weights(file, *loaded.net);  // before memory is taken for what a damaged file claims to be
    loaded.net = make_net(loaded.recipe.net);
    loaded.net->materialize({.device = device, .compute = loaded.compute, .initialize = false});
    io::load_weights(file, *loaded.net);
    loaded.net->set_training(false);
    return loaded;
}

std::string score_text(double score) { return std::isnan(score) ? "-" : fmt::format("{:.4f}", score); }

std::string scores_line(const Scores& s) {
    return fmt::format("Dice {} (mean over images {}), mIoU {}, pixel accuracy {}, loss {}", score_text(s.dice),
                       score_text(s.image_dice), score_text(s.mean_iou), score_text(s.pixel_accuracy),
                       score_text(s.loss));
}

std::string scores_table(const Scores& s, const std::vector<std::string>& names) {
    std::string text =
        fmt::format("  {:<16} {:>7} {:>7} {:>12} {:>12}\n", "class", "Dice", "IoU", "truth px", "predicted px");
    for (size_t c = 0; c < s.classes.size(); ++c) {
        const ClassScore& k = s.classes[c];
        text += fmt::format("  {:<16} {:>7} {:>7} {:>12} {:>12}\n", c < names.size() ? names[c] : std::to_string(c),
                            score_text(k.dice), score_text(k.iou), k.truth, k.predicted);
    }
    return text;
}

// The scores of predicting class `id` everywhere.
static Scores one_class_everywhere(const Scores& s, size_t id) {
    const size_t classes = s.classes.size();
    std::vector<int64_t> counts(classes * classes);
    for (size_t c = 0; c < classes; ++c) counts[c * classes + id] = s.classes[c].truth;
    ScoreKeeper keeper{int64_t(classes)};
    keeper.add(counts.data());
    return keeper.scores();
}

std::string baseline_line(const Scores& s, const std::vector<std::string>& names, const Scores* untrained) {
    const bool binary = s.classes.size() == 2;
    size_t id = 1;
    for (size_t c = 0; !binary && c < s.classes.size(); ++c)
        if (s.classes[c].truth > s.classes[id].truth) id = c;
    const Scores one = one_class_everywhere(s, id);
    std::string line = binary ? "baselines: all-foreground Dice " + score_text(one.dice)
                              : fmt::format("baselines: '{}' everywhere Dice {}, mIoU {}",
                                            id < names.size() ? names[id] : std::to_string(id), score_text(one.dice),
                                            score_text(one.mean_iou));
    if (untrained) line += "; untrained net Dice " + score_text(untrained->dice);
    if (untrained && !binary) line += ", mIoU " + score_text(untrained->mean_iou);
    return line;
}

void write_confusion(const std::string& path, const Scores& s, const std::vector<std::string>& names) {
    const size_t classes = s.classes.size();
    std::string text = "truth\\predicted";
    const auto name_of_class = [&](size_t c) { return c < names.size() ? names[c] : std::to_string(c); };
    for (size_t c = 0; c < classes; ++c) text += "," + name_of_class(c);
    for (size_t t = 0; t < classes; ++t) {
        text += "\n" + name_of_class(t);
        for (size_t p = 0; p < classes; ++p) text += fmt::format(",{}", s.confusion[t * classes + p]);
    }
    text += "\n";
    io::write_durably(path, text);
}

std::string data_line(const std::string& folder, const data::Dataset& dataset) {
    return fmt::format("{}: {}; {} train, {} validate", folder, dataset.layout, dataset.train.size(),
                       dataset.val.size());
}

Setting<double>& threshold_option(Options& o) {
    return o.number("threshold", 0.5, "probability above which a pixel is foreground (nets of two classes)")
        .above(0)
        .max(0.999999);
}

double logit_threshold(const Setting<double>& threshold, const Recipe& recipe) {
    if (threshold.given() && recipe.net.out_channels > 1)
        throw UsageError(fmt::format(
            "--threshold: the net has {} classes, of which the likeliest is taken; leave it out", recipe.classes()));
    return std::log(threshold.value / (1 - threshold.value));
}

void refuse_nonfinite(const std::vector<std::string>& names, int64_t of) {
    if (names.empty()) return;
    throw NumericError(fmt::format(
        "the net gave NaN or Inf for {} of {} pictures: {}; its weights may be damaged or their training may have "
        "diverged; try --precision fp32, or an earlier checkpoint",
        names.size(), of, data::few_of(names)));
}

data::Image classes_of(const float* logits, int64_t h, int64_t w, int64_t c, double threshold) {
    data::Image ids = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const float* z = logits + p * c;
        ids.u8[size_t(p)] = c == 1 ? uint8_t(z[0] > threshold) : uint8_t(std::max_element(z, z + c) - z);
    }
    return ids;
}

data::Image probability_of(const float* logits, int64_t h, int64_t w, int64_t c, bool softmax) {
    data::Image image = data::make_image<uint8_t>(h, w, 1);
    for (int64_t p = 0; p < h * w; ++p) {
        const float* z = logits + p * c;
        const double best = *std::max_element(z, z + c);
        double others = std::exp(-best);  // of the sigmoid's other class, whose logit is 0
        if (softmax) {
            others = -1;  // the best one itself, of the sum
            for (int64_t k = 0; k < c; ++k) others += std::exp(z[k] - best);
        }
        image.u8[size_t(p)] = uint8_t(std::lround(255 / (1 + others)));
    }
    return image;
}

std::vector<float> host_logits(const Tensor& logits) { return cast(logits, DType::f32).to_host<float>(); }

data::Image result_sheet(SegmentationNet& net, const Recipe& recipe, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, double threshold) {
    const NoTape off;
    const bool training = net.training();
    net.set_training(false);
    auto options = loader_options(recipe, 1, 0, net.input_multiple());
    const data::MaskRule rule = data::parse_mask_rule(recipe.mask_values);
    std::vector<data::SheetRow> sheet;
    const int64_t count = std::min<int64_t>(rows, int64_t(samples.size()));
    for (int64_t i = 0; i < count; ++i) {
        const data::Sample& sample = samples[size_t(i * int64_t(samples.size()) / count)];
        data::Prepared prepared = data::load_sample(sample, rule, options);
        HostBatch batch;
        data::assemble({prepared}, options, batch);
        const Tensor logits = net.forward(upload(batch, net.materialized().device, compute).images);
        data::Image ids = classes_of(host_logits(logits).data(), batch.h, batch.w, logits.dim(3), threshold);
        ids = data::crop(ids, 0, 0, prepared.picture.h, prepared.picture.w);
        sheet.push_back({prepared.picture, prepared.labels, ids, sample.name});
    }
    net.set_training(training);
    return data::contact_sheet(sheet, int(recipe.classes()));
}

}  // namespace atrous::app
