// The folder a training writes: config.toml, metrics.csv, TensorBoard's events, last and best checkpoints, samples.png.
#pragma once

#include <string>
#include <vector>

#include "engine/train/trainer.h"

namespace atrous::app {

class RunFolder {
 public:
    // What would be refused, without making anything: UsageError where the folder holds a training already, unless that
    // is `resumed`, the folder whose training goes on (empty: none); IoError where it cannot be written to.
    static void check(const std::string& path, const std::string& resumed);

    // Makes the folder. `path` empty: runs/1, runs/2, … the first that is free. Goes one on from another folder, its
    // metrics, events and best checkpoint are copied. Removes the temporaries of killed runs. Refuses what check()
    // does.
    RunFolder(std::string path, const std::string& resumed);

    const std::string& path() const { return path_; }
    std::string last() const { return path_ + "/last.safetensors"; }
    std::string best() const { return path_ + "/best.safetensors"; }
    std::string bad_batch() const { return path_ + "/bad_batch.safetensors"; }
    std::string samples() const { return path_ + "/samples.png"; }

    void write_config(const std::string& toml) const;
    void write_samples(const std::vector<uint8_t>& png) const;
    // One row an epoch. Keeps those of the first `epochs` of them: a resumed run writes the others again.
    void truncate_metrics(int64_t epochs) const;
    // Replaces the file, so that a row is there in full or not at all. Without validation its fields are empty.
    void append_metrics(const EpochReport& report, double seconds) const;

 private:
    std::string metrics() const { return path_ + "/metrics.csv"; }
    void continue_from(const std::string& other) const;

    std::string path_;
};

}  // namespace atrous::app
