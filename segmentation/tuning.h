// Tuned kernels in a training: timed before it (engine/tuner.h), kept in a file for later ones (engine/tuning_file.h), and
// saved with its checkpoints, so that a resumed run, an evaluation and a prediction take the same.
#pragma once

#include <string>

#include "engine/train/memory_plan.h"
#include "engine/tuner.h"
#include "segmentation/machine.h"
#include "segmentation/run_fingerprint.h"

namespace atrous {

struct TrainingSetup;

// Declares `tune`, `tune-budget` and `tune-file`.
void describe_tuning(Settings& settings, Machine& machine);
std::string tuning_file(const Machine& machine);  // the setting's, else the default; empty: none

// Times every convolution of a training or prediction as its memory plan runs it, on the plan's device, but for those of
// `known` and of the file; new timings are added to the file. A file that cannot be used is a warning.
TuneResult tune_computation(SegmentationNet& net, const PlanOptions& plan, const Machine& machine,
                            const kernels::TunedKernels& known, Messages& messages, const WayTimer& timer = {});
// Of each problem timed now, every way with its time; the chosen one is marked, the first is what runs untuned.
std::string tuning_table(const TuneResult& result);
bool is_chosen(const TuneResult& result, const ProblemTimes& times, const kernels::KernelWay& way);
// "kernels tuned for 24 of 30 convolutions: 20 timed in 3.2 s, 4 known; cudnn 18, mma 6"
std::string tuning_line(const TuneResult& result);

// Makes this process compute on a GPU with the kernels that the file of a training names, where they were timed on this
// machine, and without tuned ones else. Says so in a line.
void take_tuned_kernels(const io::TensorFile& file, Device device, Messages& messages);

// Decides with which kernels this process computes the training: those saved with the run that it resumes, where they
// were timed on this machine, and with `tune` those timed now. Says so in a line, and puts them into the fingerprint.
void tune_training(TrainingSetup& setup, Messages& messages, const WayTimer& timer = {});

}  // namespace atrous
