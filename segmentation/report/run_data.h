// What the report of a run shows, read from its folder.
#pragma once

#include <string>

#include "segmentation/report/run_record.h"

namespace atrous::report {

// The run of a folder as the page takes it:
//
//   name, folder
//   notes       what could not be read, and why; a line each
//   settings    key, group, value, default and words of each, and whether it differs from the default
//   metrics     columns (key, title, higher_is_better, detail) and rows of metrics.csv; what is not defined is null
//   warnings    of log.txt
//   record      report.json
//
// What another version wrote, and what a kill or a full disk cut off, is taken as far as it goes. A record whose epochs
// end before those of metrics.csv does not know the best epoch. `record`: the folder's report.json, where a training has
// it in memory already; it is moved from unless this throws. None: it is read. IoError where the folder is not there.
Json run_data(const std::string& folder, Json* record = nullptr);

}  // namespace atrous::report
