// The file in which timings are kept for later runs: for each machine that wrote into it, the fastest kernels by problem.
// A machine is a GPU's name and capability, the driver, the libraries that compute on it, and this program's kernels:
// timings of another one say nothing.
#pragma once

#include <string>

#include "engine/device.h"
#include "kernels/tuned_kernels.h"

namespace atrous {

// "NVIDIA H100 80GB HBM3, capability 9.0, 132 multiprocessors; CUDA runtime 13.0, driver 13.1; cuDNN 9.19.0; atrous
// 0.1.0, kernels 1", with the libraries that the process's choice of kernels allows.
std::string tuning_machine(Device device);

// "$XDG_CACHE_HOME/atrous/kernels.json", or ~/.cache in its place; empty where there is neither.
std::string default_tuning_file();

// What the file holds of a machine. Never fatal: a file that is damaged, foreign or cannot be read is taken for empty,
// and *problem says so in one line; a file that does not exist is an empty one.
kernels::TunedKernels load_tuning(const std::string& path, const std::string& machine, std::string* problem);

// Adds to what is there, under a lock, so that of several processes none undoes what another wrote. Returns what went
// wrong in one line, or nothing. A damaged file is replaced; a file that is not one of these is left as it is.
std::string save_tuning(const std::string& path, const std::string& machine, const kernels::TunedKernels& kernels);

// As they stand in that file and in checkpoints; FormatError, which `where` begins.
std::string tuning_json(const kernels::TunedKernels& kernels);
kernels::TunedKernels parse_tuning(const std::string& json, const std::string& where);

}  // namespace atrous
