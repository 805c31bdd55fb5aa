// What a training runs on, for its report.
#pragma once

#include "engine/device.h"
#include "segmentation/report/run_record.h"

namespace atrous::report {

// Device, processor, threads, system, program, compiler and, of a GPU, its name and libraries: each a text by its name.
Json environment(Device device);
std::string time_now();        // "2026-01-31 12:59:59 UTC"
double peak_resident_bytes();  // of this process, so far

}  // namespace atrous::report
