// Finds the file that a user means by a checkpoint.
#pragma once

#include <string>

#include "base/settings.h"

namespace atrous {

Setting<std::string>& describe_checkpoint(Settings& settings, std::string& path);  // a checkpoint or run folder

// A run folder's best checkpoint, or its last where there is no best; any other path is itself. IoError for a folder
// without a checkpoint, FormatError for PyTorch's files, which do not say what net they are of.
std::string checkpoint_file(const std::string& path_or_run_folder);

}  // namespace atrous
