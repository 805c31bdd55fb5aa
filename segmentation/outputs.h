// Compares what a verb reads and what it writes before any work begins: no output is an input, no two outputs are one
// file, and what another program wrote is replaced only where `overwrite` says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/settings.h"
#include "data/dataset.h"

namespace atrous {

// Kinds of files that can be told to be of this program by how they begin. Weights never are: they cannot be made
// again.
enum class FileKind { json, csv, png, tiff, svg, page, tensors, weights };

// Every JSON file that the program writes has this in its first bytes.
inline constexpr std::string_view json_mark_key = "engine", json_mark = "atrous";

// The first line of a file of counts of classes that overlap.
inline constexpr std::string_view class_counts_heading =
    "class,true positives,false positives,false negatives,true negatives";

// Metadata of a file of tensors that an op or a net gave, which are no weights.
inline constexpr const char *tensors_mark_key = "atrous.kind", *tensors_mark = "tensors";

// Tells whether replacing the file loses nothing: this program wrote it, as a file of this kind, or it is empty or not
// there.
bool is_replaceable(const std::string& path, FileKind kind);

class Outputs {
 public:
    // `what` names the option or argument in messages. An empty path is none.
    Outputs& reads(std::string what, std::string path);
    Outputs& writes(std::string what, std::string path, FileKind kind);
    Outputs& keeps(std::string what, std::string path);  // a file that is written otherwise: no output may be it
    // Throws UsageError for an output that is an input or another output, or that would replace another program's file
    // (not with `overwrite`); IoError where its folder is missing or cannot be written to.
    void check(bool overwrite) const;
    void check_inputs() const;  // that no output is an input, alone
    // Checks that no output is an image or a mask of the data set. This costs nothing where no output exists yet.
    void check_samples(const std::vector<data::Sample>& samples) const;

 private:
    struct Named {
        std::string what, path;
        FileKind kind = FileKind::weights;
    };
    std::vector<Named> inputs_, outputs_, kept_;
};

// Settings that several programs have.
Setting<bool>& describe_overwrite(Settings& settings, bool& overwrite);
Setting<std::string>& describe_output_folder(Settings& settings, std::string& folder);
Setting<std::string>& describe_json(Settings& settings, std::string& file);

}  // namespace atrous
