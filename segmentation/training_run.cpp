#include "segmentation/training_run.h"

#include <fmt/core.h>
#include <unistd.h>

#include "base/paths.h"
#include "segmentation/averaged_record.h"
#include "segmentation/report/run_reporter.h"
#include "segmentation/result_sheet.h"
#include "segmentation/score_files.h"
#include "segmentation/score_text.h"
#include "segmentation/time_limit.h"
#include "segmentation/training_parts.h"
#include "segmentation/windowed_net.h"

namespace atrous {

static data::LoaderOptions validation_loader(const TrainingSetup& t, int64_t multiple) {
    const bool one_at_a_time =
        sees_windows(t) || (t.card.resize == data::ResizeMode::none && !t.sets.report.one_size());
    data::LoaderOptions o = loader_options(t.card, one_at_a_time ? 1 : t.experiment.batch_size,
                                           int(t.experiment.machine.workers), sees_windows(t) ? 1 : multiple);
    o.bytes = validates_bytes(t);
    return o;
}

static std::string weights_text(const std::vector<double>& weights) {
    std::string text;
    for (double w : weights) text += fmt::format("{}{:.4g}", text.empty() ? ", class weights " : ",", w);
    return text;
}

TrainingRun::TrainingRun(TrainingSetup& setup, RunLog& log)
    : setup_(setup), e_(setup.experiment), log_(log), net_(setup.make()) {
    start();
}

TrainingRun::TrainingRun(TrainingSetup& setup, Messages& messages)
    : setup_(setup),
      e_(setup.experiment),
      own_log_(std::make_unique<RunLog>(messages)),
      log_(*own_log_),
      net_(setup.make()) {
    start();
}

TrainingRun::~TrainingRun() = default;

void TrainingRun::start() {
    const int64_t multiple = net_->input_multiple();
    const std::vector<data::Sample>& val = setup_.sets.dataset.val;
    source_ = training_source(setup_, multiple);
    auto val_options = validation_loader(setup_, multiple);
    val_options.cache_bytes = cache_bytes(setup_, val);
    if (!val.empty()) validation_ = data::make_loader(val, setup_.sets.report.rule, val_options);
    score_untrained();  // before the training's own net takes its memory
    auto& resumed = setup_.resumed;
    fill_net(*net_, setup_, !resumed, log_);
    optimizer_ = make_optimizer(setup_, *net_);
    trainer_ = std::make_unique<Trainer>(*net_, *optimizer_, trainer_options(setup_, source_->batches_per_epoch()));
    if (sees_windows(setup_)) {
        windowed_ = windowed(*net_);
        trainer_->validate_through(*windowed_);
    }
    if (resumed) {
        io::load_training(*resumed->file, *net_, *optimizer_, trainer_->progress);
        trainer_->progress = resumed->progress;
    }
    open_folder();
}

std::unique_ptr<SegmentationNet> TrainingRun::windowed(SegmentationNet& net) const {
    return std::make_unique<WindowedNet>(net, setup_.card.height, setup_.card.width, WindowOptions().overlap);
}

void TrainingRun::score_untrained() {
    if (!validation_) return;
    auto fresh = make_net(setup_.card.net);
    fresh->materialize({.device = setup_.device, .compute = setup_.compute, .seed = uint64_t(e_.data.seed)});
    const auto view = sees_windows(setup_) ? windowed(*fresh) : nullptr;
    untrained_ = evaluate(view ? *view : *fresh, *validation_, {loss_of(setup_.card), setup_.compute, 0, 255});
}

void TrainingRun::open_folder() {
    auto& resumed = setup_.resumed;
    RunLock lock;
    if (resumed && resumed->in_place) lock = std::move(resumed->lock);
    folder_.emplace(e_.run.output_dir, resumed ? resumed->folder : "", e_.run.overwrite, std::move(lock), log_);
    if (resumed) {
        resumed->lock.release();  // of another folder, which was read
        resumed->file.reset();
        folder_->truncate_metrics(trainer_->progress.epoch);
        // It is of an earlier end, and a sweep would take it as the mark of this one.
        (void)::unlink(folder_->confusion().c_str());
    }
    log_.open(folder_->log());
    folder_->write_config(config_of(e_));  // when resuming too: a later run goes on with the settings of this one
    const std::string precision = setup_.card.precision == "fp32" ? "" : " in " + setup_.card.precision;
    log_.text(fmt::format("{} with {} parameters on {}{}, {} batches an epoch; loss {}{}; run folder {}\n",
                          setup_.card.net.model, net_->parameter_count(), name_of(setup_.device), precision,
                          source_->batches_per_epoch(), setup_.card.loss.name,
                          weights_text(setup_.card.loss.class_weights), folder_->path()));
    if (e_.optimizer.ema_decay > 0)
        log_.text(fmt::format("{}validations, best.safetensors and predictions use averaged weights (`ema` {})\n",
                              resumed ? "from here on " : "", e_.optimizer.ema_decay));
    if (const SwaOptions& swa = e_.trainer.swa; swa.on())
        log_.text(
            fmt::format("the weights at the end of each epoch from {} on are averaged (`swa-from` {}); from there on "
                        "validations, best.safetensors and predictions use the mean\n",
                        swa.first_epoch(e_.trainer.epochs) + 1, swa.from));
    if (trainer_->progress.epoch >= e_.trainer.epochs)
        log_.text(fmt::format("nothing is left to train, epoch {0} of {1}; to go on, give more: `epochs` {2}\n",
                              trainer_->progress.epoch, e_.trainer.epochs, e_.trainer.epochs + 10));
    reporter_ = std::make_unique<report::RunReporter>(setup_, *folder_, trainer_->progress, net_->parameter_count(),
                                                      source_->batches_per_epoch(), log_);
    logger_.emplace(*folder_, setup_.card, setup_.fingerprint, e_.freezing, *net_, *optimizer_, *trainer_, log_);
    logger_->save_every(e_.run.save_every);
}

bool TrainingRun::train(TrainObserver& observer) {
    TimeLimit limit(e_.run.max_hours, e_.run.started);
    report::PageWriter page(*reporter_);
    ObserverList observers({&observer, &*reporter_, &*logger_, &page, &limit});
    const bool finished = trainer_->run(*source_, validation_.get(), observers);
    if (!finished) logger_->save();
    return finished;
}

void TrainingRun::report_result() {
    if (!validation_) return;
    // Where no epoch of a mean could be the best, the file is of before the mean.
    const bool none_is_best = optimizer_->average() && optimizer_->mean() && trainer_->progress.best_epoch < 0;
    const bool has_best = !none_is_best && path_exists(folder_->best());
    bool of_averages = optimizer_->average() != nullptr;
    if (has_best) {
        const io::SafetensorsFile best(folder_->best());
        io::load_weights(best, *net_);
        of_averages =
            averaged_record_of(best).has_value();  // it may be from before the training went on with or without
    }
    const data::LoaderOptions loader = validation_loader(setup_, net_->input_multiple());
    auto source = data::make_loader(setup_.sets.dataset.val, setup_.sets.report.rule, loader);
    const WithAveragedWeights averaged(has_best ? nullptr : optimizer_->average());  // the best's file holds them
    SegmentationNet& net = windowed_ ? *windowed_ : *net_;
    const Scores scores = evaluate(net, *source, {loss_of(setup_.card), setup_.compute, 0, 255});
    folder_->write_samples(data::encode_png(
        result_sheet(net, setup_.card, setup_.compute, setup_.sets.dataset.val, e_.run.sheet_rows, 0, loader)));
    const std::vector<std::string>& names = setup_.card.class_names;
    write_confusion(folder_->confusion(), scores, names);
    log_.text(fmt::format("\n{} checkpoint{} on {} held-out images\n  {}\n  {}\n{}", has_best ? "best" : "last",
                          of_averages ? ", of averaged weights," : "", scores.images, scores_line(scores),
                          baseline_line(scores, names, &untrained_), scores_table(scores, names)));
    log_.text(fmt::format("wrote {}/{}last.safetensors, metrics.csv, config.toml, samples.png, confusion.csv{}\n",
                          folder_->path(), has_best ? "best.safetensors, " : "",
                          reporter_->page_is_written() ? ", report.html" : ""));
}

}  // namespace atrous
