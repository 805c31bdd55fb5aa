#include "segmentation/training_plan.h"

#include "segmentation/augment_place.h"

namespace atrous {

bool validates_bytes(const TrainingSetup& t) {
    const data::DatasetReport& all = t.sets.report;
    return all.deep_images + all.float_images == all.train_deep_images;
}

static ImageForm training_images(const TrainingSetup& t) {
    if (t.sets.report.train_deep_images > 0) return ImageForm::floats;
    return t.augments_on_device ? ImageForm::samples : ImageForm::bytes;
}

data::LoaderOptions augmenting_loader(const TrainingSetup& t) {
    data::LoaderOptions o = loader_options(t.card, t.experiment.batch_size, int(t.experiment.machine.workers), 1);
    o.augment = o.shuffle = true;
    o.plans = t.augments_on_device;
    o.bytes = t.sets.report.train_deep_images == 0;  // so that a run's batches are of one form
    o.room = t.room;
    o.augmentations = t.experiment.augmentations;
    o.crop_h = training_size(t.experiment).height;
    o.crop_w = training_size(t.experiment).width;
    o.last = t.experiment.last_batch;
    o.seed = uint64_t(t.experiment.data.seed);
    return o;
}

// Of the training's images as they wait to be augmented: that with the most pixels, and the longest sides of any.
struct Sources {
    ImageSize largest, sides;
};

static Sources sources_of(const TrainingSetup& t) {
    const data::DatasetReport& all = t.sets.report;
    if (t.card.resize == data::ResizeMode::none) return {all.train_largest, {all.train_max_h, all.train_max_w}};
    const ImageSize net(t.card.height, t.card.width);
    return {net, net};
}

void place_augmentation(TrainingSetup& t, Messages& messages) {
    const Experiment& e = t.experiment;
    if (e.augment_on == "host" || (e.augment_on == "auto" && t.device.kind != DeviceKind::gpu)) return;
    const Sources sources = sources_of(t);
    const data::PlanFigures plans = figures_of_plans(augmenting_loader(t), sources.sides);
    std::string note;
    t.augments_on_device = augments_on_device(e.augment_on, t.device,
                                              why_on_host(e.augmentations, t.sets.report, plans, e.trainer.accumulate),
                                              why_better_on_host(sources.largest, training_size(e), plans), note);
    if (!note.empty()) messages.text(note + "\n");
    if (t.augments_on_device) t.room = {sources.largest.height * sources.largest.width, plans.filters};
}

// Everything that decides about memory, by batch size.
PlanForBatch plan_of_training(const TrainingSetup& t) {
    const Experiment& e = t.experiment;
    PlanOptions o;
    const int64_t multiple = make_net(t.card.net)->input_multiple();
    const ImageSize training = raised_to_multiple(training_size(e), multiple),
                    validation = raised_to_multiple({t.card.height, t.card.width}, multiple);
    o.device = t.device;
    o.compute = t.compute;
    o.height = training.height;
    o.width = training.width;
    o.validation_height = validation.height;
    o.validation_width = validation.width;
    o.accumulate = e.trainer.accumulate;
    o.optimizer = optimizer_options(e);
    o.loss = loss_of(t.card);
    o.aux_weight = e.net.aux_weight;
    o.images = training_images(t);
    o.validation_images = validates_bytes(t) ? ImageForm::bytes : ImageForm::floats;
    o.source_pixels = t.room.pixels;
    o.filter_values = t.room.filters;
    const bool windows = sees_windows(t) && !t.sets.dataset.val.empty();
    if (windows) o.whole_height = t.sets.report.val_largest.height, o.whole_width = t.sets.report.val_largest.width;
    const PlanForBatch plan =
        plan_of_epochs(o, int64_t(t.sets.dataset.train.size()), int64_t(t.sets.dataset.val.size()), e.last_batch);
    return [=](int64_t batch) {
        PlanOptions options = plan(batch);
        if (windows) options.validation_batch = 1, options.last_validation_batch = 0;
        return options;
    };
}

}  // namespace atrous
