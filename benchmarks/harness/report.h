// Measurements as people and programs read them.
#pragma once

#include <string>
#include <vector>

#include "benchmarks/harness/ceilings.h"
#include "benchmarks/harness/measure.h"

namespace atrous::bench {

// A run: what was measured on which machine. `last` is measured after everything else.
struct Run {
    std::vector<std::pair<std::string, std::string>> environment;
    DType dtype = DType::f32;
    Ceilings first, last;
    std::vector<Measurement> measurements;
    bool emulated = false;  // then times are the emulator's and mean nothing
    bool was_steady() const { return drift(first, last) <= steady; }
};

// Both ceilings' better value: what the machine has shown that it can do in this run.
Ceilings best_of(const Run& run);

std::string table_header();
std::string table_rows(const Measurement& m, const Ceilings& ceilings);
// All ops as often as a step has them: time, least time, share.
std::string totals(const std::vector<Measurement>& measurements, const Ceilings& ceilings);

// One object a line: "run" (environment, ceilings, whether the machine was steady), then one "kernel" a pass.
std::string json_lines(const Run& run);

// The least time of each pass on a GPU of these ceilings, as a table, and the same as JSON lines.
struct Prediction {
    std::string gpu, source;
    DType dtype = DType::f32;
    Ceilings ceilings;
    std::vector<Workload> ops;
};
std::string prediction_table(const Prediction& p);
std::string prediction_json(const Prediction& p);

}  // namespace atrous::bench
