// What the batches of a training follow from, and what its scores are of. last.safetensors carries it beside the
// recipe, so that going on with something else is noticed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/io/checkpoint.h"

namespace atrous::app {

struct Course {
    int64_t batch_size = 0, accumulate = 1;
    std::string last_batch, device;  // keep, drop or merge; a kind: cpu, cuda, …
    uint64_t seed = 0;
    struct Samples {
        int64_t count = 0;
        std::string names;  // SHA-256 of the names, in order; what the files hold is not looked at
        bool operator==(const Samples&) const = default;
    } train, val;
};

Course::Samples samples_of(const std::vector<data::Sample>& samples);

void add_to(io::Metadata& metadata, const Course& course);
// FormatError where it cannot be read; none in a file from before there was one.
std::optional<Course> course_of(const io::TensorFile& file);

struct CourseChanges {
    std::vector<std::string> warnings;
    bool other_validation = false;  // scores from before are of other samples
};
// How a training that stands at `progress` with `saved` may go on with `mine`. UsageError where it stands within an
// epoch and the rest of that epoch would be other batches: samples would be seen twice and others not at all.
CourseChanges compare(const Course& mine, const Course& saved, const TrainProgress& progress, const std::string& path);

}  // namespace atrous::app
