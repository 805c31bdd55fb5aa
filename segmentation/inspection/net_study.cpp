#include "segmentation/inspection/net_study.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/base64.h"
#include "base/error.h"
#include "data/loader.h"
#include "data/mask.h"
#include "data/palette.h"
#include "engine/nn/receptive_field.h"
#include "engine/train/batch_inputs.h"
#include "engine/train/metric.h"
#include "segmentation/inspection/logit_gradients.h"
#include "segmentation/inspection/net_pass.h"
#include "segmentation/inspection/study_nodes.h"
#include "segmentation/postprocess.h"
#include "segmentation/report/shown_images.h"
#include "segmentation/summary_text.h"

namespace atrous::inspection {

namespace {

constexpr int64_t most_probabilities = 4 << 20;  // bytes
constexpr size_t most_activations = 8;
constexpr double field_share = 0.95;

// The image as a picture of a page, and where its pixels lie in what the net saw.
struct Scene {
    data::Example example;  // what the net sees of the image, before normalization and without what is around it
    DeviceBatch batch;
    int64_t top = 0, left = 0, h = 0, w = 0;  // where the image lies in the batch, which may be padded on all sides
    int64_t shown_h = 0, shown_w = 0;
    std::string note;

    // The flat index of the image's pixel (y, x) in the batch.
    size_t in_batch(int64_t y, int64_t x) const { return size_t((top + y) * batch.images.dim(2) + left + x); }
    int64_t row(int64_t i) const { return (2 * i + 1) * h / (2 * shown_h); }
    int64_t column(int64_t j) const { return (2 * j + 1) * w / (2 * shown_w); }
};

data::MaskRule rule_of(const ModelCard& card, const StudyOptions& options) {
    data::MaskRule rule = data::parse_mask_rule(options.mask_values.empty() ? card.mask_values : options.mask_values);
    if (rule.kind == data::MaskKind::automatic)
        rule = data::parse_mask_rule(card.label_form() == LabelForm::bits ? "bits"
                                     : card.classes() == 2                ? "binary"
                                                                          : "ids");
    rule.class_count = int(card.classes());
    return rule;
}

data::LoaderOptions loader_of(const LoadedNet& net) {
    data::LoaderOptions loader = loader_options(net.card, 1, 0, net.net->input_multiple());
    loader.bytes = false;
    return loader;
}

void cut(data::Example& example, int64_t top, int64_t left, int64_t h, int64_t w) {
    data::both(example, [&](const data::Image& image) { return data::crop(image, top, left, h, w); });
}

Scene scene_of(LoadedNet& net, const data::Sample& sample, const StudyOptions& options) {
    const ModelCard& card = net.card;
    const data::LoaderOptions loader = loader_of(net);
    Scene s;
    s.example = data::load_sample(sample, rule_of(card, options), loader);
    const int64_t whole_h = s.example.image.h, whole_w = s.example.image.w;
    if (card.resize == data::ResizeMode::none) {
        s.h = std::min(whole_h, card.height), s.w = std::min(whole_w, card.width);
        if (s.h < whole_h || s.w < whole_w)
            s.note = fmt::format("the middle {}x{} of {}x{}", s.w, s.h, whole_w, whole_h);
        cut(s.example, (whole_h - s.h) / 2, (whole_w - s.w) / 2, s.h, s.w);
    } else {
        const data::Placement place = data::placement_of(loader, {s.example.source_h, s.example.source_w});
        s.top = place.top, s.left = place.left, s.h = place.size.height, s.w = place.size.width;
        if (s.h != s.example.source_h || s.w != s.example.source_w)
            s.note = fmt::format("resized from {}x{} to {}x{}", s.example.source_w, s.example.source_h, s.w, s.h);
    }
    HostBatch batch;
    data::collate({s.example}, loader, batch);
    batch.names = {sample.name};
    s.batch = upload(batch, net.net->materialized().device, net.compute);
    if (s.top || s.left || s.h < s.example.image.h || s.w < s.example.image.w) cut(s.example, s.top, s.left, s.h, s.w);
    const PictureSize shown = picture_size(s.h, s.w, longest_picture);
    const double room = std::sqrt(double(most_probabilities) / double(card.classes() * shown.h * shown.w));
    s.shown_h = std::max<int64_t>(1, int64_t(double(shown.h) * std::min(1., room)));
    s.shown_w = std::max<int64_t>(1, int64_t(double(shown.w) * std::min(1., room)));
    return s;
}

struct Ran {
    NetPass pass;
    std::vector<float> logits = {};  // of the image alone, [h][w][channels]
};

// The probability of each class at a pixel, of its logits.
std::vector<double> probabilities_of(const float* logits, int64_t channels, bool softmax) {
    std::vector<double> p;
    const auto sigmoid = [](double z) { return 1 / (1 + std::exp(-z)); };
    if (channels == 1) return {sigmoid(-logits[0]), sigmoid(logits[0])};
    const double largest = *std::max_element(logits, logits + channels);
    double sum = 0;
    for (int64_t c = 0; c < channels; ++c) {
        p.push_back(softmax ? std::exp(logits[c] - largest) : sigmoid(logits[c]));
        sum += p.back();
    }
    if (softmax)
        for (double& v : p) v /= sum;
    return p;
}

// In units of the largest that so many classes can have; of classes that do not exclude each other the largest of one.
double entropy_of(const std::vector<double>& p, bool excluding) {
    const auto term = [](double v) { return v > 0 ? -v * std::log(v) : 0; };
    double sum = 0, largest = 0;
    for (const double v : p) {
        sum += term(v);
        largest = std::max(largest, term(v) + term(1 - v));
    }
    return excluding ? sum / std::log(double(p.size())) : largest / std::log(2.);
}

void add_probabilities(Json& study, const Scene& s, const std::vector<float>& logits, const ModelCard& card) {
    const bool softmax = is_softmax(card), excluding = softmax || card.net.out_channels == 1;
    const size_t classes = size_t(card.classes()), pixels = size_t(s.shown_h * s.shown_w);
    std::vector<uint8_t> levels(classes * pixels);
    data::Image entropy = data::make_image<uint8_t>(s.shown_h, s.shown_w, 1);
    for (int64_t i = 0; i < s.shown_h; ++i)
        for (int64_t j = 0; j < s.shown_w; ++j) {
            const float* z = &logits[size_t((s.row(i) * s.w + s.column(j)) * card.net.out_channels)];
            const std::vector<double> p = probabilities_of(z, card.net.out_channels, softmax);
            const size_t at = size_t(i * s.shown_w + j);
            for (size_t c = 0; c < p.size(); ++c) levels[c * pixels + at] = uint8_t(std::lround(p[c] * 255));
            entropy.u8[at] = uint8_t(std::lround(std::min(1., entropy_of(p, excluding)) * 255));
        }
    study["probabilities"] = base64(levels);
    study["softmax"] = excluding;
    study["entropy"] = report::png_uri(entropy, {});
}

data::Image shown_ids(const Scene& s, const data::Image& ids) {
    data::Image small = data::make_image<uint8_t>(s.shown_h, s.shown_w, 1);
    for (int64_t i = 0; i < s.shown_h; ++i)
        for (int64_t j = 0; j < s.shown_w; ++j)
            small.u8[size_t(i * s.shown_w + j)] = ids.u8[size_t(s.row(i) * s.w + s.column(j))];
    return small;
}

std::string hex(uint32_t colour) { return fmt::format("#{:06x}", colour & 0xffffff); }

void add_classes(Json& study, const Scene& s, const data::Image& predicted, const ModelCard& card) {
    const int64_t n = card.classes();
    const LabelForm form = card.label_form();
    std::vector<int64_t> counts(size_t(ConfusionMatrix::cells(n, form)));
    const bool scored = s.example.labels.h > 0;
    for (size_t i = 0; scored && i < predicted.u8.size(); ++i)
        if (const uint8_t truth = s.example.labels.u8[i]; truth != data::ignored_class)
            ConfusionMatrix::count(counts.data(), n, form, truth, predicted.u8[i]);
    const ConfusionMatrix matrix(n, counts.data(), form);
    std::vector<std::string> names = card.class_names;
    for (int64_t c = int64_t(names.size()); c < n; ++c) names.push_back(std::to_string(c));
    const data::Palette colours = card.label_colours();
    study["classes"] = Json::array();
    for (int64_t c = 0; c < n; ++c) {
        Json row{{"name", names[size_t(c)]}, {"colour", hex(colours[size_t(form == LabelForm::bits ? 1 << c : c)])}};
        const ClassCounts k = matrix.of_class(c);
        const int64_t either = k.both() - k.intersection;
        row["predicted"] = std::count_if(predicted.u8.begin(), predicted.u8.end(),
                                         [&](uint8_t label) { return is_of_class(label, c, form); });
        if (scored) {
            row["truth"] = k.truth;
            row["iou"] = report::number(double(k.intersection) / double(either));
            row["dice"] = report::number(2 * double(k.intersection) / double(k.both()));
        }
        study["classes"].push_back(row);
    }
    if (!scored) return;
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts && !metric->detail)
            study["scores"].push_back({{"title", metric->title}, {"value", report::number(metric->of_counts(matrix))}});
}

void add_pictures(Json& study, const Scene& s, const data::Image& predicted, const ModelCard& card) {
    const data::Palette palette = card.label_colours();
    const int64_t labels = label_values(card.label_form(), card.classes());
    const data::Image rgb = data::to_8bit_rgb(s.example.image, card.normalization.range);
    report::ValidationPicture shown{data::resize_bilinear(rgb, s.shown_h, s.shown_w), {}, shown_ids(s, predicted)};
    study["picture"] = report::jpeg_uri(shown.picture);
    study["prediction"] = report::png_uri(shown.prediction, palette);
    if (s.example.labels.h == 0) return;
    shown.truth = shown_ids(s, s.example.labels);
    study["truth"] = report::png_uri(shown.truth, palette);
    study["errors"] = report::png_uri(report::error_map(shown, labels), report::error_palette(labels));
}

// Gray is `shade` of the share of the largest value.
std::string shaded_uri(const std::vector<double>& values, int64_t h, int64_t w, int64_t to_h, int64_t to_w,
                       double (*shade)(double)) {
    const double largest = *std::max_element(values.begin(), values.end());
    data::Image image = data::make_image<float>(h, w, 1);
    for (size_t i = 0; i < values.size(); ++i) image.f32[i] = float(largest > 0 ? values[i] / largest : 0);
    const data::Image small = data::resize_bilinear(image, to_h, to_w);
    data::Image gray = data::make_image<uint8_t>(to_h, to_w, 1);
    for (size_t i = 0; i < gray.u8.size(); ++i)
        gray.u8[i] = uint8_t(std::lround(shade(std::clamp(double(small.f32[i]), 0., 1.)) * 255));
    return report::png_uri(gray, {});
}

void add_fields(Json& study, LoadedNet& net, const Scene& s, const Ran& ran, const data::Image& predicted,
                const StudyOptions& options, Messages& messages) {
    study["fields"] = Json::array();
    study["field_share"] = field_share;
    const int64_t c = net.card.net.out_channels;
    for (int64_t k = 0; k < options.grid * options.grid; ++k) {
        messages.progress("receptive fields", k, options.grid * options.grid);
        const int64_t y = (2 * (k / options.grid) + 1) * s.h / (2 * options.grid),
                      x = (2 * (k % options.grid) + 1) * s.w / (2 * options.grid);
        const float* z = &ran.logits[size_t((y * s.w + x) * c)];
        const int64_t largest_logit = std::max_element(z, z + c) - z;
        const int64_t id = c == 1 ? predicted.u8[size_t(y * s.w + x)] : largest_logit, channel = c == 1 ? 0 : id;
        const std::vector<double> padded = effective_field(*net.net, s.batch.images, {s.top + y, s.left + x, channel});
        std::vector<double> field;
        for (int64_t row = 0; row < s.h; ++row)
            field.insert(field.end(), padded.begin() + int64_t(s.in_batch(row, 0)),
                         padded.begin() + int64_t(s.in_batch(row, s.w)));
        const ImageBox box =
            field_at(ran.pass.entries, ran.pass.image.id, ran.pass.entries.size() - 1, s.top + y, s.left + x);
        const double largest = *std::max_element(field.begin(), field.end());
        study["fields"].push_back(
            {{"y", y},
             {"x", x},
             {"class", id},
             {"logit", report::number(z[channel])},
             {"largest", report::number(largest)},
             {"pixels", pixels_with(field, field_share)},
             {"box",
              {box.axis[0].first - s.top, box.axis[1].first - s.left, box.axis[0].last - s.top,
               box.axis[1].last - s.left}},
             {"whole", box.whole},
             {"picture", shaded_uri(field, s.h, s.w, s.shown_h, s.shown_w, [](double v) { return std::sqrt(v); })}});
    }
    messages.progress("receptive fields", options.grid * options.grid, options.grid * options.grid);
}

// The last of the maps of the coarsest stride, but for those of one pixel and for logits, which are what is asked about.
size_t deepest(const Json& nodes, int64_t logits) {
    size_t found = 0;
    double stride = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
        const Json& shape = nodes[i]["shape"];
        if ((shape[0] == 1 && shape[1] == 1) || shape[2] == logits) continue;
        if (const double of_node = nodes[i]["stride"]; of_node >= stride) found = i, stride = of_node;
    }
    return found;
}

void add_activations(Json& study, LoadedNet& net, const Scene& s, const data::Image& predicted) {
    const size_t node = deepest(study["nodes"], net.card.net.out_channels);
    const Shape logits({1, s.batch.images.dim(1), s.batch.images.dim(2), net.card.net.out_channels});
    const LabelForm form = net.card.label_form();
    const auto occurs = [&](const std::vector<uint8_t>& all, int64_t c) {
        return std::any_of(all.begin(), all.end(), [&](uint8_t label) { return is_of_class(label, c, form); });
    };
    study["activations"] = Json::array();
    for (int64_t id = 0; id < net.card.classes() && study["activations"].size() < most_activations; ++id) {
        if (!occurs(predicted.u8, id) && !occurs(s.example.labels.u8, id)) continue;
        std::vector<uint8_t> counts(size_t(logits[1] * logits[2]));
        for (int64_t y = 0; y < s.h; ++y)
            for (int64_t x = 0; x < s.w; ++x)
                counts[s.in_batch(y, x)] = is_of_class(predicted.u8[size_t(y * s.w + x)], id, form);
        const bool binary = net.card.net.out_channels == 1;
        const std::vector<double> map =
            class_activation(*net.net, s.batch.images, node, binary ? 0 : id, binary && id == 0 ? -1 : 1, counts);
        const int64_t h = study["nodes"][node]["shape"][0], w = study["nodes"][node]["shape"][1];
        study["activations"].push_back({{"class", id},
                                        {"node", node},
                                        {"largest", report::number(*std::max_element(map.begin(), map.end()))},
                                        // Of the padded image, on which the map lies.
                                        {"covers", {double(logits[1]) / double(s.h), double(logits[2]) / double(s.w)}},
                                        {"picture", shaded_uri(map, h, w, h, w, [](double v) { return v; })}});
    }
}

void require_finite(const std::vector<float>& logits, const std::string& image) {
    for (const float z : logits)
        if (!std::isfinite(z))
            throw NumericError(image +
                               ": the net gives NaN or Inf; expected finite logits; `atrous replay` and "
                               "`--precision fp32` help to find out why");
}

Json begun(const ModelCard& card, const std::string& checkpoint, const std::string& image) {
    return {{"checkpoint", checkpoint}, {"image", image}, {"net", card.net.model}};
}

// Adds times, maps and gradients of what ran.
Ran run_net(Json& study, LoadedNet& net, const Scene& s, const StudyOptions& options) {
    std::vector<LayerMaps> maps;
    Ran ran{run_pass(*net.net, s.batch.images, [&](size_t, const Tensor& output) {
        maps.push_back(maps_of(output, options.channels, longest_map));
    })};
    study["nodes"] = nodes_of(*net.net, ran.pass.entries, ran.pass.image);
    add_maps(study["nodes"], maps);
    add_times(study["nodes"], entry_times(*net.net, s.batch.images));
    add_filters(study["nodes"], *net.net, ran.pass.entries);
    if (s.example.labels.h > 0) {
        const StepGradients gradients = step_gradients(*net.net, s.batch.images, s.batch.labels, loss_of(net.card));
        study["loss"] = report::number(gradients.loss);
        add_gradients(study["nodes"], ran.pass.entries, gradients);
    }
    ran.logits = host_logits(ran.pass.logits, s.h, s.w, s.top, s.left);
    return ran;
}

}  // namespace

void check_sample(const LoadedNet& net, const data::Sample& sample, const StudyOptions& options) {
    data::load_sample(sample, rule_of(net.card, options), loader_of(net));
}

Json net_study(LoadedNet& net, const std::string& checkpoint, const data::Sample& sample, const StudyOptions& options,
               Messages& messages) {
    const Scene s = scene_of(net, sample, options);
    Json study = begun(net.card, checkpoint, sample.name);
    study["note"] = s.note;
    study["padded"] = {s.batch.images.dim(1), s.batch.images.dim(2)};
    study["origin"] = {s.top, s.left};
    study["size"] = {s.h, s.w};
    study["shown"] = {s.shown_h, s.shown_w};
    const Ran ran = run_net(study, net, s, options);
    require_finite(ran.logits, sample.image_path);
    const data::Image predicted =
        labels_of(ran.logits.data(), s.h, s.w, net.card.net.out_channels, 0, net.card.label_form());
    add_classes(study, s, predicted, net.card);
    add_pictures(study, s, predicted, net.card);
    add_probabilities(study, s, ran.logits, net.card);
    add_activations(study, net, s, predicted);
    add_fields(study, net, s, ran, predicted, options, messages);
    return study;
}

Json graph_study(const ModelCard& card, const std::string& name, DType compute) {
    const auto net = make_net(card.net);
    net->materialize({.device = {DeviceKind::meta}, .compute = compute});
    const int64_t multiple = net->input_multiple();
    const auto padded = [&](int64_t side) { return (side + multiple - 1) / multiple * multiple; };
    const Tensor x =
        Tensor::empty({1, padded(card.height), padded(card.width), net->in_channels()}, compute, {DeviceKind::meta});
    const NetPass pass = run_pass(*net, x, [](size_t, const Tensor&) {});
    Json study = begun(card, name, "");
    study["note"] = "";
    study["size"] = study["padded"] = {x.dim(1), x.dim(2)};
    study["origin"] = {0, 0};
    study["nodes"] = nodes_of(*net, pass.entries, pass.image);
    return study;
}

}  // namespace atrous::inspection
