// The machine that a computation runs on: the device, the cpu's threads, the kernels.
#pragma once

#include <cstdint>
#include <string>

#include "base/settings.h"
#include "engine/device.h"
#include "segmentation/messages.h"

namespace atrous {

struct Machine {
    std::string device = "auto";
    int64_t threads = 0;           // of the cpu; 0: all
    std::string kernels = "auto";  // engine/kernel_choice.h
    std::string precision = "";    // auto, or a word of segmentation/precision.h; empty: as the checkpoint says
    std::string tune = "off";      // segmentation/tuning.h
    double tune_budget_s = 60;
    std::string tune_file = "";
    int64_t memory_limit_mib = 0;  // of tensors on the device; 0: none
    int64_t workers = 1;           // threads that load images
};

// Each binds one to three of the settings; a program declares those that it has a use for.
void describe_device(Settings& settings, Machine& machine);         // device, threads, kernels
void describe_kernel_choice(Settings& settings, Machine& machine);  // kernels alone
void describe_workers(Settings& settings, Machine& machine);
void describe_memory_limit(Settings& settings, Machine& machine);
// Images at once.
inline constexpr int64_t max_batch_size = 65536;
Setting<int64_t>& describe_batch_size(Settings& settings, int64_t& batch_size);

// parse_device, the number of host threads and the choice of kernels, both of which hold for the whole process.
Device open_device(const Machine& machine, Messages& messages);

}  // namespace atrous
