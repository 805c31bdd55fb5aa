#include "segmentation/report/run_reporter.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "data/palette.h"
#include "engine/context.h"
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
    : setup_(setup), folder_(folder), log_(log), whole_epoch_(progress.batch == 0), shown_(setup.card) {
    std::string note;
    record_ = read_record(folder.path(), note);
    forget_after(record_, progress.epoch, progress.step);
    record_["net"] = net_facts(setup, parameters, batches_per_epoch);
    record_["data"] = data_facts(setup);
    record_["classes"] = class_facts(setup.card);
    record_["sessions"].push_back(
        {{"first_epoch", progress.epoch + 1}, {"began", time_now()}, {"environment", environment(setup.device)}});
    const int64_t steps =
        setup.experiment.trainer.epochs * ceil_div(batches_per_epoch, setup.experiment.trainer.accumulate);
    steps_in_row_ = std::max<int64_t>(1, steps / step_rows);
    begin_epoch();
    guarded([&] { write_record(folder_.path(), record_); });
    write_page();
}

// A report is worth less than the training.
template <class Work>
void RunReporter::guarded(const Work& work) {
    if (given_up_) return;
    try {
        work();
    } catch (const std::exception& e) {
        given_up_ = true;
        log_.warning(fmt::format("{}; the training goes on without its report", e.what()));
    }
}

void RunReporter::begin_epoch() {
    epoch_ = row_ = {};
    steps_since_row_ = 0;
    images_.clear();
    shown_.clear();
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
    guarded([&] {
        images_.push_back(image_score(image.name(), image.loss, setup_.card.classes(), image.counts));
        shown_.add(image);
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
            {"train_seconds", number(training)},
            {"val_seconds", number(seconds_between(trained, Clock::now()))},
            {"images_a_second", number(training > 0 ? epoch_.images / training : undefined_score)},
            {"device_bytes", context_of(setup_.device).memory().statistics().peak_bytes},
            {"resident_bytes", number(peak_resident_bytes())}};
}

static Json confusion_json(const ConfusionMatrix& m) {
    Json rows = Json::array();
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

static Json image_table(std::vector<ImageScore> images, int64_t classes) {
    constexpr size_t most = 1000;
    std::stable_sort(images.begin(), images.end(), [](const ImageScore& a, const ImageScore& b) {
        return std::isfinite(a.loss) && (!std::isfinite(b.loss) || a.loss > b.loss);
    });
    Json columns{"image", "loss"}, rows = Json::array();
    for (const auto& metric : Metric::catalogue().all())
        if (metric->of_counts) columns.push_back(title_of(*metric));
    for (size_t i = 0; i < std::min(images.size(), most); ++i) {
        const ConfusionMatrix counts = confusion_of(images[i], classes);
        Json row{io::as_utf8(images[i].name), number(images[i].loss)};
        for (const auto& metric : Metric::catalogue().all())
            if (metric->of_counts) row.push_back(number(metric->of_counts(counts)));
        rows.push_back(std::move(row));
    }
    return {{"of", images.size()}, {"columns", columns}, {"rows", rows}};
}

static Json shown_json(const std::vector<ShownImage>& images, const ModelCard& card) {
    data::Palette palette = data::mask_palette(int(card.classes()));
    std::copy_n(card.colours.begin(), std::min(card.colours.size(), palette.size()), palette.begin());
    palette[data::ignored_class] = 0x8a8f98;
    Json list = Json::array();
    for (const ShownImage& image : images)
        list.push_back({{"name", io::as_utf8(image.name)},
                        {"loss", number(image.loss)},
                        {"score", number(image.score)},
                        {"width", image.picture.w},
                        {"height", image.picture.h},
                        {"picture", jpeg_uri(image.picture)},
                        {"truth", png_uri(image.truth, palette)},
                        {"prediction", png_uri(image.prediction, palette)},
                        {"errors", png_uri(error_map(image, card.classes()), error_palette(card.classes()))}});
    return list;
}

void RunReporter::note_best(const EpochReport& r) {
    const ModelCard& card = setup_.card;
    const Scores& scores = *r.validation;
    Json classes = Json::array(), intervals = Json::object(), values = Json::object();
    for (const ClassCounts& c : scores.classes) classes.push_back(class_scores(c));
    const int64_t sets = bootstrap_sets(images_);
    for (const NamedInterval& i : bootstrap_intervals(images_, card.classes(), sets))
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
                       {"table", image_table(images_, card.classes())},
                       {"worst_images", shown_json(shown_.worst(), card)},
                       {"best_images", shown_json(shown_.best(), card)}};
}

void RunReporter::on_epoch(const EpochReport& r) {
    guarded([&] {
        record_["epochs"].push_back(epoch_of(r));
        if (r.best && r.validation) note_best(r);
        write_record(folder_.path(), record_);
    });
}

void RunReporter::write_page() {
    guarded([&] {
        Json runs = Json::array();
        runs.push_back(run_data(folder_.path(), std::move(record_)));  // not copied: it grows with the training
        report::write_page(folder_.path() + "/" + page_name, runs, true);
        record_ = std::move(runs[0]["record"]);
    });
}

void RunReporter::end_epoch() {
    write_page();
    whole_epoch_ = true;
    begin_epoch();
}

}  // namespace atrous::report
