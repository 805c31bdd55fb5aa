#include "segmentation/report/run_reporter.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/durable_file.h"
#include "base/paths.h"
#include "base/text.h"
#include "data/palette.h"
#include "engine/context.h"
#include "segmentation/outputs.h"
#include "segmentation/report/environment.h"
#include "segmentation/report/page.h"
#include "segmentation/report/run_data.h"
#include "segmentation/report/run_facts.h"

namespace atrous::report {

static double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

RunReporter::RunReporter(const TrainingSetup& setup, const RunFolder& folder, const TrainProgress& progress,
                         int64_t parameters, int64_t batches_per_epoch, RunLog& log)
    : setup_(setup),
      folder_(folder),
      log_(log),
      record_(new_record()),
      whole_epoch_(progress.batch == 0),
      shown_(setup.card),
      pixels_(setup.card) {
    const int64_t steps =
        setup.experiment.trainer.epochs * ceil_div(batches_per_epoch, setup.experiment.trainer.accumulate);
    steps_in_row_ = std::max<int64_t>(1, steps / step_rows);
    begin_epoch();
    given_up_ = keeps_others_file();
    guarded([&] { take_up(progress, parameters, batches_per_epoch); });
    write_page();
}

// Folders from before there were reports may hold a file of the user's under one of their names.
bool RunReporter::keeps_others_file() {
    for (const auto& [path, kind] :
         {std::pair{folder_.record(), FileKind::json}, std::pair{folder_.page(), FileKind::page}}) {
        if (is_folder(path) || is_replaceable(path, kind)) continue;
        log_.warning(path +
                     ": is not one of this program's and stays; the training goes on without its report; move that "
                     "file away to have one");
        return true;
    }
    return false;
}

void RunReporter::take_up(const TrainProgress& progress, int64_t parameters, int64_t batches_per_epoch) {
    std::string note;
    record_ = read_record(folder_.path(), note);
    unreadable_ = !note.empty() && path_exists(folder_.record());
    if (unreadable_)
        log_.warning(
            fmt::format("{}; it is kept as {}, and the report begins anew", note, io::previous_of(folder_.record())));
    forget_after(record_, progress.epoch, progress.step, progress.best_epoch);
    record_["net"] = net_facts(setup_, parameters, batches_per_epoch);
    record_["data"] = data_facts(setup_);
    record_["classes"] = class_facts(setup_.card);
    session_ = {
        {"first_epoch", progress.epoch + 1}, {"began", time_now()}, {"environment", environment(setup_.device)}};
    write_record();
}

void RunReporter::write_record() {
    report::write_record(folder_.path(), record_, unreadable_);
    unreadable_ = false;
}

// A training that is resumed with nothing left to train has no session.
void RunReporter::begin_session() {
    record_["sessions"].push_back(std::exchange(session_, nullptr));
    write_record();
}

// A report is worth less than the training.
template <class Work>
void RunReporter::guarded(const Work& work) {
    if (given_up_) return;
    try {
        work();
    } catch (const std::exception& e) {
        if (!std::exchange(warned_, true))
            log_.warning(fmt::format("{}; the training goes on without its report until it can be written", e.what()));
    }
}

void RunReporter::begin_epoch() {
    epoch_ = row_ = {};
    steps_since_row_ = 0;
    images_.clear();
    cells_ = 0;
    incomplete_ = false;
    shown_.clear();
    pixels_.clear();
    began_ = Clock::now();
    trained_ = {};
}

void RunReporter::StepSums::add(const StepReport& r) {
    if (!std::isfinite(r.loss)) return;  // with a dynamic loss scale an overflow is no step
    images += double(r.images);
    loss += r.loss * double(r.images);
    terms.resize(r.terms.size());
    for (size_t i = 0; i < terms.size(); ++i) terms[i] += r.terms[i].second * double(r.images);
}

void RunReporter::add_row(const StepReport& r) {
    if (row_.images > 0) {
        Json row{r.step, number(r.learning_rate), number(row_.loss / row_.images)};
        for (const double term : row_.terms) row.push_back(number(term / row_.images));
        record_["steps"].push_back(std::move(row));
    }
    row_ = {};
    steps_since_row_ = 0;
}

void RunReporter::on_step(const StepReport& r) {
    if (given_up_) return;
    if (!session_.is_null()) guarded([&] { begin_session(); });
    if (record_["terms"].size() != r.terms.size()) {
        record_["terms"] = Json::array();
        for (const auto& [name, value] : r.terms) record_["terms"].push_back(name);
    }
    epoch_.add(r);
    row_.add(r);
    if (++steps_since_row_ >= steps_in_row_ || r.batch == r.batches) add_row(r);
    if (r.batch == r.batches) trained_ = Clock::now();
}

void RunReporter::on_validated(const ImageResult& image) {
    if (trained_ == Clock::time_point{}) trained_ = Clock::now();  // all steps were before a resumption
    if (std::exchange(incomplete_, true)) return;
    guarded([&] {
        ImageScore score =
            image_score(image.name(), image.loss, setup_.card.classes(), image.counts, setup_.card.label_form());
        cells_ += int64_t(score.counts.size());
        if (cells_ > most_cells) score.counts = {};
        images_.push_back(std::move(score));
        shown_.add(image);
        pixels_.add(image);
        incomplete_ = false;
    });
}

Json RunReporter::epoch_of(const EpochReport& r) const {
    Json terms = Json::array(), classes = Json::array();
    for (const double term : epoch_.terms) terms.push_back(whole_epoch_ ? number(term / epoch_.images) : Json());
    constexpr size_t most_curves = 32;
    if (r.validation && r.validation->classes.size() <= most_curves)
        for (const ClassCounts& c : r.validation->classes)
            classes.push_back(c.both() ? number(double(c.intersection) / double(c.both() - c.intersection)) : Json());
    const Clock::time_point trained = trained_ == Clock::time_point{} ? Clock::now() : trained_;
    const double training = seconds_between(began_, trained);
    return {{"epoch", r.epoch + 1},
            {"terms", terms},
            {"class_iou", classes},
            {"train_seconds", whole_epoch_ ? number(training) : Json()},
            {"val_seconds", number(seconds_between(trained, Clock::now()))},
            {"images_a_second", number(training > 0 && epoch_.images > 0 ? epoch_.images / training : undefined_score)},
            {"device_bytes", context_of(setup_.device).memory().statistics().peak_bytes},
            {"resident_bytes", number(peak_resident_bytes())}};
}

static Json confusion_json(const ConfusionMatrix& m) {
    Json rows = Json::array();
    if (m.overlapping()) return rows;  // between classes that overlap there is no such matrix
    for (int64_t t = 0; t < m.classes(); ++t) {
        Json& row = rows.emplace_back(Json::array());
        for (int64_t p = 0; p < m.classes(); ++p) row.push_back(m.at(t, p));
    }
    return rows;
}

static Json class_scores(const ClassCounts& c) {
    Json scores = Json::object();
    for (const auto& metric : Metric::catalogue().all())
        if (metric->by_class.value) scores[metric->by_class.title] = number(metric->by_class.value(c));
    return {{"truth", c.truth}, {"predicted", c.predicted}, {"scores", scores}};
}

static Json image_table(const std::vector<ImageScore>& images) {
    constexpr size_t most = 1000;
    Json columns{"image", "loss"}, rows = Json::array();
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts && !metric->detail) columns.push_back(title_of(*metric));
    std::vector<size_t> order = by_loss(images);
    order.resize(std::min(order.size(), most));
    for (const size_t at : order) {
        Json row{io::as_utf8(images[at].name), number(images[at].loss)};
        for (const double value : images[at].values) row.push_back(number(value));
        rows.push_back(std::move(row));
    }
    return {{"of", images.size()}, {"columns", columns}, {"rows", rows}};
}

static data::Palette palette_of(const ModelCard& card) {
    data::Palette palette = card.label_colours();
    palette[data::ignored_class] = 0x8a8f98;
    return palette;
}

static Json picture_json(const ValidationPicture& image, const data::Palette& palette) {
    return {{"width", image.picture.w},
            {"height", image.picture.h},
            {"picture", jpeg_uri(image.picture)},
            {"truth", png_uri(image.truth, palette)},
            {"prediction", png_uri(image.prediction, palette)}};
}

static Json shown_json(const std::vector<ShownImage>& images, const ModelCard& card) {
    const int64_t labels = label_values(card.label_form(), card.classes());  // each is as a class to the map of errors
    const data::Palette palette = palette_of(card);
    Json list = Json::array();
    for (const ShownImage& image : images) {
        Json& shown = list.emplace_back(picture_json(image, palette));
        shown["name"] = io::as_utf8(image.name);
        shown["loss"] = number(image.loss);
        shown["score"] = number(image.score);
        shown["errors"] = png_uri(error_map(image, labels), error_palette(labels));
    }
    return list;
}

static Json regions_json(const std::vector<HardRegion>& regions, const ModelCard& card) {
    const data::Palette palette = palette_of(card);
    const auto frame_json = [](const Frame& f) { return Json{f.left, f.top, f.width, f.height}; };
    Json list = Json::array();
    for (const HardRegion& region : regions)
        list.push_back({{"name", io::as_utf8(region.name)},
                        {"loss", number(region.loss)},
                        {"wrong", region.wrong},
                        {"truth", region.truth},
                        {"predicted", region.predicted},
                        {"mistaken", region.mistaken},
                        {"picture", jpeg_uri(region.whole.picture)},
                        {"frame", frame_json(region.in_whole)},
                        {"close", picture_json(region.close, palette)},
                        {"close_frame", frame_json(region.in_close)}});
    return list;
}

// Of nets without a threshold (docs/metrics.md) there is no best one.
static Json curve_json(const PrecisionRecall& curve, const ClassCounts& object, const ModelCard& card) {
    const auto point_json = [](double precision, double recall, double threshold) {
        return Json{number(recall), number(precision), number(threshold)};
    };
    Json points = Json::array();
    for (const auto& p : curve.curve(0.005)) points.push_back(point_json(p.precision, p.recall, p.threshold));
    if (points.empty()) return Json::object();
    const auto share = [&](int64_t of) { return of ? double(object.intersection) / double(of) : undefined_score; };
    const auto best = curve.best();
    return {{"average_precision", number(curve.average_precision())},
            {"points", points},
            {"at_half", point_json(share(object.predicted), share(object.truth), 0.5)},
            {"best", card.net.out_channels == 1 ? point_json(best.precision, best.recall, best.threshold) : Json()}};
}

void RunReporter::note_best(const EpochReport& r) {
    const ModelCard& card = setup_.card;
    const Scores& scores = *r.validation;
    Json classes = Json::array(), intervals = Json::object(), values = Json::object();
    for (const ClassCounts& c : scores.classes) classes.push_back(class_scores(c));
    const int64_t sets = cells_ > most_cells ? 0 : bootstrap_sets(images_, card.classes());
    for (const NamedInterval& i : bootstrap_intervals(images_, card.classes(), sets, card.label_form()))
        intervals[i.score] = {number(i.interval.low), number(i.interval.high)};
    values["loss"] = {{"title", "loss"}, {"value", number(scores.loss)}};
    for (const auto& metric : Metric::catalogue().all())
        values[metric->key] = {{"title", title_of(*metric)}, {"value", number(scores.of(metric->key))}};
    record_["best"] = {{"epoch", r.epoch + 1},
                       {"images", scores.images},
                       {"scores", values},
                       {"intervals", intervals},
                       {"interval_sets", sets},
                       {"classes", classes},
                       {"confusion", confusion_json(scores.confusion)},
                       {"table", image_table(images_)},
                       {"worst_images", shown_json(shown_.worst(), card)},
                       {"best_images", shown_json(shown_.best(), card)},
                       {"regions", regions_json(pixels_.hard_regions().regions(), card)}};
    if (pixels_.precision_recall())
        record_["best"]["precision_recall"] = curve_json(*pixels_.precision_recall(), scores.classes.at(1), card);
}

void RunReporter::on_epoch(const EpochReport& r) {
    guarded([&] {
        record_.erase("best_before");
        if (r.best && r.validation) record_["best_before"] = std::exchange(record_["best"], Json::object());
        record_["epochs"].push_back(epoch_of(r));
        if (r.best && r.validation && !incomplete_) note_best(r);
        write_record();
    });
}

void RunReporter::write_page() {
    page_is_written_ = false;
    guarded([&] {
        Json runs = Json::array();
        runs.push_back(run_data(folder_.path(), &record_));  // not copied: it grows with the training
        const auto give_back = [&] { record_ = std::move(runs[0]["record"]); };
        try {
            report::write_page(folder_.page(), runs, true);
        } catch (...) {
            give_back();
            throw;
        }
        give_back();
        page_is_written_ = true;
    });
}

void RunReporter::end_epoch() {
    write_page();
    whole_epoch_ = true;
    begin_epoch();
}

}  // namespace atrous::report
