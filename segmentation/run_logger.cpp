#include "segmentation/run_logger.h"

#include <fmt/core.h>

#include <cmath>

#include "segmentation/averaged_record.h"
#include "segmentation/score_text.h"

namespace atrous {

void ObserverList::on_step(const StepReport& report) {
    for (TrainObserver* o : observers_) o->on_step(report);
}
void ObserverList::on_read() {
    for (TrainObserver* o : observers_) o->on_read();
}
void ObserverList::on_validation(int64_t images_done, int64_t images) {
    for (TrainObserver* o : observers_) o->on_validation(images_done, images);
}
void ObserverList::on_statistics(int64_t images_done, int64_t images) {
    for (TrainObserver* o : observers_) o->on_statistics(images_done, images);
}
void ObserverList::on_validated(const ImageResult& image) {
    for (TrainObserver* o : observers_) o->on_validated(image);
}
void ObserverList::on_epoch(const EpochReport& report) {
    for (TrainObserver* o : observers_) o->on_epoch(report);
}
void ObserverList::on_warning(const std::string& text) {
    for (TrainObserver* o : observers_) o->on_warning(text);
}
void ObserverList::on_nonfinite(const BadStep& bad) {
    for (auto o = observers_.rbegin(); o != observers_.rend(); ++o) (*o)->on_nonfinite(bad);
}
bool ObserverList::stop_requested() {
    bool stop = false;
    for (TrainObserver* o : observers_) stop = o->stop_requested() || stop;
    return stop;
}

// An epoch's scores stand at its last step, and are written before the checkpoint that says it is over: where the
// training stands behind that step but within the epoch, they come again.
static int64_t first_step_to_come(const TrainProgress& p) { return p.batch > 0 ? p.step : p.step + 1; }

RunLogger::RunLogger(const RunFolder& folder, const ModelCard& card, const RunFingerprint& fingerprint,
                     const FreezeOptions& freezing, SegmentationNet& net, const Optimizer& optimizer, Trainer& trainer,
                     RunLog& log)
    : folder_(folder),
      card_(card),
      fingerprint_(fingerprint),
      freezing_(freezing),
      net_(net),
      optimizer_(optimizer),
      trainer_(trainer),
      log_(log),
      events_(folder.path(), first_step_to_come(trainer.progress)),
      saved_(trainer.progress.step) {}

void RunLogger::save() {
    saved_ = trainer_.progress.step;
    io::Metadata metadata = to_metadata(card_);
    add_to(metadata, fingerprint_);
    add_averaged(metadata, optimizer_.average());
    io::save_training(folder_.last(), net_, optimizer_, trainer_.progress, metadata);
}

void RunLogger::save_best() const {
    io::Metadata metadata = to_metadata(card_);
    if (fingerprint_.tuned) add_to(metadata, *fingerprint_.tuned);
    add_averaged(metadata, optimizer_.average());
    const WithAveragedWeights averaged(optimizer_.average());  // which the validation has scored
    io::save_weights(folder_.best(), net_, metadata);
}

void RunLogger::on_read() {
    if (save_every_ > 0 && trainer_.progress.step - saved_ >= save_every_) save();
}

static std::vector<std::pair<std::string, double>> scalars_of(const EpochReport& r) {
    std::vector<std::pair<std::string, double>> all{{"loss/train", r.train_loss}, {"learning_rate", r.learning_rate}};
    if (const auto& s = r.validation) {
        all.emplace_back("loss/validation", s->loss);
        for (const auto& metric : Metric::catalogue().all())
            all.emplace_back("score/" + metric->key, s->of(metric->key));
    }
    std::erase_if(all, [](const auto& scalar) { return !std::isfinite(scalar.second); });
    return all;
}

void RunLogger::on_epoch(const EpochReport& r) {
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
    if (r.best) save_best();
    folder_.append_metrics(r, seconds);
    events_.write(r.step, scalars_of(r));
    log_.keep(fmt::format("epoch {}/{} {} ({:.1f} s)\n", r.epoch + 1, r.epochs, epoch_line(r), seconds));
    save();
    began_ = std::chrono::steady_clock::now();
}

void RunLogger::on_warning(const std::string& text) { log_.keep("warning: " + text + "\n"); }

void RunLogger::on_nonfinite(const BadStep& bad) {
    save_bad_batch(folder_.bad_batch(), net_, card_, bad, freezing_, fingerprint_.tuned);
    log_.keep(fmt::format("step {}: saved its batch and weights in {}\n", bad.step, folder_.bad_batch()));
}

}  // namespace atrous
