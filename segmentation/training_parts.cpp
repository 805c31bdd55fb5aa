#include "segmentation/training_parts.h"

#include "segmentation/part_rates.h"
#include "segmentation/pretrained_report.h"

namespace atrous {

int64_t cache_bytes(const TrainingSetup& t, const std::vector<data::Sample>& of) {
    const double all = double(t.sets.dataset.train.size() + t.sets.dataset.val.size());
    return int64_t(double(t.experiment.cache_mib << 20) * double(of.size()) / all);
}

std::unique_ptr<BatchSource> training_source(const TrainingSetup& t, int64_t multiple) {
    data::LoaderOptions o = augmenting_loader(t);
    o.size_multiple = multiple;
    o.cache_bytes = cache_bytes(t, t.sets.dataset.train);
    return data::make_loader(t.sets.dataset.train, t.sets.report.rule, o);
}

TrainerOptions trainer_options(const TrainingSetup& t, int64_t batches_per_epoch) {
    TrainerOptions o = t.experiment.trainer;
    o.schedule.set_length(o.epochs, ceil_div(batches_per_epoch, o.accumulate));
    o.loss = loss_of(t.card);
    o.compute = t.compute;
    o.aux_weight = t.experiment.net.aux_weight;
    if (!t.experiment.run.profile.empty()) {  // a replayed graph has no ops, and steps are told apart by reading each
        o.graphs = false;
        o.read_every = 1;
    }
    return o;
}

void fill_net(SegmentationNet& net, const TrainingSetup& t, bool pretrained, Messages& messages) {
    const Experiment& e = t.experiment;
    net.materialize({.device = t.device, .compute = t.compute, .seed = uint64_t(e.data.seed)});
    if (pretrained && !e.pretrained.empty()) load_pretrained(net, e.pretrained, e.new_head, messages);
}

std::unique_ptr<Optimizer> make_optimizer(const TrainingSetup& t, SegmentationNet& net) {
    OptimizerOptions o = optimizer_options(t.experiment);
    o.lr_scales = part_rates(t.experiment, net);
    return std::make_unique<Optimizer>(net, o);
}

}  // namespace atrous
