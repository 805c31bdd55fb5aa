// Settings in a TOML file: one line each, `batch-size = 4` (or batch_size); lists are arrays. A table [augment] may hold
// those that are augmentations, and `preset` for the setting `augment`.
#pragma once

#include <string>

#include "base/settings.h"

namespace atrous {

inline constexpr const char* config_key = "config";  // of the setting that names such a file, which it cannot hold

// Sets what the file gives and the command line does not. IoError, or UsageError with file and line.
void read_config_file(Settings& settings, const std::string& path);

// Sets what the text gives and nobody else has given: neither the command line nor a file. Messages call it `name`.
// Returns how many settings that are.
int read_config_text(Settings& settings, const std::string& text, const std::string& name);

// A file that gives these values again.
std::string as_toml(const Settings& settings);

// The text as a string of TOML, with its quotes; what is no UTF-8 as io::as_utf8 has it.
std::string toml_text(const std::string& text);

}  // namespace atrous
