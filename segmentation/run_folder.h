// A run folder holds what a training writes: config.toml, log.txt, metrics.csv, TensorBoard's events, last and best
// checkpoints, samples.png, report.json and report.html (segmentation/report).
#pragma once

#include <string>
#include <vector>

#include "engine/train/trainer.h"
#include "segmentation/run_lock.h"

namespace atrous {

class RunFolder {
 public:
    // A run folder is new, empty, or marked as a training's (segmentation/run_lock.h). This checks that, without making
    // anything. Throws UsageError where the folder holds a training already, unless that is `resumed`, the folder whose
    // training goes on (empty: none), and where it holds files of another program, neither with `overwrite`; IoError
    // where another training is using it or it cannot be written to.
    static void check(const std::string& path, const std::string& resumed, bool overwrite);

    // Makes the folder and locks it, unless `lock` holds it already. `path` empty: runs/1, runs/2, … the first that
    // nobody else has made. When a training goes on in another folder than `resumed`, metrics, events and best
    // checkpoint are copied. Removes the temporaries of killed runs, and of a marked folder what is left of an earlier
    // training. Refuses what check() does.
    RunFolder(std::string path, const std::string& resumed, bool overwrite, RunLock lock, Messages& messages);

    static bool is_one(const std::string& folder);  // marked, or from before folders were

    // Every file that a training may write into its folder, but for events.
    static std::vector<std::string> files_of(const std::string& folder);

    const std::string& path() const { return path_; }
    std::string last() const { return path_ + "/last.safetensors"; }
    std::string best() const { return path_ + "/best.safetensors"; }
    std::string bad_batch() const { return path_ + "/bad_batch.safetensors"; }
    std::string samples() const { return path_ + "/samples.png"; }
    std::string confusion() const { return path_ + "/confusion.csv"; }
    std::string log() const { return path_ + "/log.txt"; }
    std::string record() const { return path_ + "/report.json"; }
    std::string page() const { return path_ + "/report.html"; }

    void write_config(const std::string& toml) const;
    void write_samples(const std::vector<uint8_t>& png) const;
    // One row an epoch. Keeps those of the first `epochs` of them: a resumed run writes the others again.
    void truncate_metrics(int64_t epochs) const;
    // Replaces the file, so that a row is there in full or not at all. Without validation its fields are empty.
    void append_metrics(const EpochReport& report, double seconds) const;

 private:
    std::string metrics() const { return path_ + "/metrics.csv"; }
    void continue_from(const std::string& other, Messages& messages) const;
    void remove_earlier_training() const;

    std::string path_;
    RunLock lock_;
};

}  // namespace atrous
