// A verb's command line: settings (base/settings.h) that are read from words, and from the configuration file that
// --config names.
//
//     Options o("train", "Trains a net.");
//     o.bind("data", folder, "folder with images and masks").required();
//     o.bind("batch-size", batch_size, "images in a step").letter('b').min(1);
//     o.parse(argc, argv);  // argv[0] is the verb
//
// The command line overrides the file, which overrides the defaults. A flag `--x` can be taken back with `--no-x`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/settings.h"
#include "base/text_table.h"

namespace atrous::app {

inline constexpr int64_t max_images = 65536;  // of a batch

// As one types it: "--batch-size", or the bare key of a positional one.
std::string spelled(const SettingBase& setting);

class Options : public Settings {
 public:
    Options(std::string verb, std::string about);

    // UsageError names the option, what was found and what is accepted; TextRequested carries the help for -h.
    void parse(int argc, const char* const* argv);
    void parse(const std::vector<std::string>& words);

    const std::string& config_file() const { return config_; }  // of --config; empty where there is none
    // Of a verb with examples the common options alone, unless `all`.
    std::string help(int width, bool all = true) const;
    // A line an example, shown by -h before the options, of which it then shows the common ones: --help-all shows all.
    void examples(std::vector<std::string> lines) { examples_ = std::move(lines); }
    // What was asked for, and what differs from the defaults; the last row counts the others.
    std::vector<TableRow> table() const;
    // A line for each option of the command line that changes nothing beside the others.
    std::vector<std::string> without_effect() const;

 private:
    void read_command_line(const std::vector<std::string>& words);
    void check_required() const;
    std::string reworded(const std::string& complaint) const;
    std::string spelled_similar_to(const std::string& word) const;
    [[noreturn]] void refuse(const std::string& what) const;

    std::string verb_, about_, config_;
    std::vector<std::string> examples_;
};

}  // namespace atrous::app
