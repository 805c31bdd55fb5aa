// What --resume means: which file it is, which settings go with it, and into which folder the training goes on.
#pragma once

#include <string>
#include <vector>

#include "apps/recipe.h"

namespace atrous::app {

// The run folder that a --resume means: the folder, or that of the file.
std::string run_folder_of(const std::string& folder_or_file);

// The --resume among the words of a command line; empty where there is none.
std::string resumed_path(const std::vector<std::string>& words);

// The checkpoint of a run folder, or the file itself. IoError where there is none yet; the previous checkpoint where
// only that exists (a kill can leave that on file systems without hard links).
std::string checkpoint_to_resume(const std::string& folder_or_file);

// When a training goes on from last.safetensors.previous because last.safetensors is missing or damaged, it becomes
// last.safetensors again: the next save would otherwise make the damaged file the one kept. Returns the path to read.
std::string settle_previous(const std::string& checkpoint);

bool is_whole(const std::string& path);  // there is such a file, and its checksum is right

// UsageError that names each setting in which the two differ.
void check_resumable(const Recipe& mine, const Recipe& saved, const std::string& path);

}  // namespace atrous::app
