// The folder a training writes: config.toml, metrics.csv, last and best checkpoints, samples.png.
#pragma once

#include <string>

#include "engine/train/trainer.h"

namespace atrous::app {

class RunFolder {
 public:
    // Makes the folder. `path` empty: runs/1, runs/2, … the first that is free. Refuses one that holds a training
    // already, unless `resuming`.
    RunFolder(std::string path, bool resuming);

    const std::string& path() const { return path_; }
    std::string last() const { return path_ + "/last.safetensors"; }
    std::string best() const { return path_ + "/best.safetensors"; }
    std::string bad_batch() const { return path_ + "/bad_batch.safetensors"; }
    std::string samples() const { return path_ + "/samples.png"; }

    void write_config(const std::string& toml) const;
    // One row an epoch; rows from `epoch` (counted from 0) on are dropped first: a resumed run writes them again.
    void truncate_metrics(int64_t epoch) const;
    void append_metrics(const EpochReport& report, double learning_rate, double seconds) const;

 private:
    std::string path_;
};

}  // namespace atrous::app
