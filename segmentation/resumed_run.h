// The run that a training goes on with: which file it is, its folder, and what the file says. Its checkpoint is opened
// and verified once.
#pragma once

#include <memory>
#include <string>

#include "engine/io/safetensors.h"
#include "segmentation/experiment.h"
#include "segmentation/model_card.h"
#include "segmentation/run_fingerprint.h"
#include "segmentation/run_lock.h"

namespace atrous {

// The run folder that is meant: the folder, or that of the file.
std::string run_folder_of(const std::string& folder_or_file);

// The checkpoint of a run folder, or the file itself. IoError where there is none yet; the previous checkpoint where
// only that exists (a kill can leave that on file systems without hard links).
std::string checkpoint_to_resume(const std::string& folder_or_file);

struct ResumedRun {
    std::string folder;  // its own, which need not be that in which the training goes on
    std::string path;    // of the checkpoint
    bool in_place = false;
    RunLock lock;  // of the folder: to train in it, or where the training goes on elsewhere, to read it
    std::unique_ptr<io::SafetensorsFile> file;
    ModelCard card;
    TrainProgress progress;
};

// Finds and locks the folder, opens the checkpoint, and sets where the training goes on: in its folder unless the
// setting output-dir was `given` elsewhere (a run folder may have been moved or copied since its config.toml was
// written). Where last.safetensors is missing or damaged, last.safetensors.previous takes its place: the next save
// would otherwise make the damaged file the one kept. A dry run only reads: it marks and moves nothing. Throws
// UsageError, IoError, FormatError.
ResumedRun open_resumed_run(RunOptions& run, bool output_dir_given, Messages& messages);

// Checks that the checkpoint fits this run, and sets its progress to go on from: without the best epoch where its file
// is lost or its score is of other samples. UsageError.
void check_resumption(ResumedRun& run, const Settings& settings, const Experiment& experiment, const ModelCard& card,
                      const RunFingerprint& fingerprint, Messages& messages);

}  // namespace atrous
