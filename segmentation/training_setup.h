// A training before its first step: everything that it needs has been read and checked, and nothing has been written.
#pragma once

#include <optional>

#include "segmentation/experiment.h"
#include "segmentation/memory_advice.h"
#include "segmentation/model_card.h"
#include "segmentation/outputs.h"
#include "segmentation/resumed_run.h"

namespace atrous {

struct DataSets {
    data::Dataset dataset;
    data::DatasetReport report;
    SplitRecord split;
};

struct TrainingSetup {
    Experiment experiment;  // with what the data and the memory decided
    Device device;
    DType compute = DType::f32;
    DataSets sets;
    ModelCard card;
    RunFingerprint fingerprint;
    NetFactory make;  // the net, with what is frozen, not materialized
    bool augments_on_device = false;
    data::SampleRoom room;  // of the samples that the device augments
    PlanForBatch plan;
    std::optional<ResumedRun> resumed;
};

// UsageError where the training would write over a file that it reads or that is not its own. `config`: the
// configuration file that was read, if any.
void check_outputs(const Experiment& experiment, const std::string& config);

// Checks what can be known to be wrong before the data set is decoded: the net and the weights to start from; and with
// check_before_data the run folder too. UsageError, IoError, FormatError.
void check_net_before_data(const Experiment& experiment, bool resumed, Messages& messages);
void check_before_data(const Experiment& experiment, const ResumedRun* resumed, Messages& messages);

// The number of threads to compute with; a resumed training goes on with as many as it had.
int64_t threads_of(const Machine& machine, const ResumedRun* resumed, Messages& messages);

// Reads the data set, sets in the experiment what it decides (classes, mask values, loss, batch size), and checks that
// the training can work. `settings` describe the experiment.
TrainingSetup prepare_training(Experiment& experiment, const Settings& settings, Device device,
                               std::optional<ResumedRun> resumed, Messages& messages);

// Of images that are not resized, those larger than `size` are validated one at a time, through windows of it.
bool sees_windows(const TrainingSetup& setup);

// Does all of the above for a new training that an Experiment describes, on the device and the threads that it names.
// Throws UsageError also for a value out of its range.
TrainingSetup prepare_training(Experiment& experiment, Messages& messages);

// Whether batches that validate hold bytes: no such image has more than 8 bits.
bool validates_bytes(const TrainingSetup& setup);

// Of the training's batches, without their cache and the multiple of their size.
data::LoaderOptions augmenting_loader(const TrainingSetup& setup);

OptimizerOptions optimizer_options(const Experiment& experiment);

// "DIR: images + masks; 90 train, 10 validate"
std::string data_line(const std::string& folder, const data::Dataset& dataset);

}  // namespace atrous
