// Checkpoints: one safetensors file each. `best` holds the net alone and loads in PyTorch as it is; `last` holds what
// resuming needs besides, under names that begin with "train.". With a moving average of the weights, both hold the
// averages under the net's names, so that whoever loads them predicts with these; `last` has the weights that the
// training goes on with under "train.weights.".
#pragma once

#include <map>
#include <string>

#include "engine/io/safetensors.h"
#include "engine/optim/optimizer.h"
#include "engine/train/trainer.h"

namespace atrous::io {

using Metadata = std::map<std::string, std::string>;

// Writes weights and what the caller wants to know later (model, classes, preprocessing) durably.
void save_weights(const std::string& path, Module& net, const Metadata& metadata);

// Saves optimizer moments, step state and progress too. Keeps the file it replaces as <path>.previous.
void save_training(const std::string& path, Module& net, const Optimizer& optimizer, const TrainProgress& progress,
                   Metadata metadata);

// FormatError where the file does not hold exactly the net's tensors. The net may be on device meta: a file of a few
// bytes may speak of a net that takes all memory.
void check_weights(const TensorFile& file, Module& net);

// Reads either kind of file, or a .pth file that holds exactly the net's tensors. Throws FormatError also where the
// file is written to meanwhile; the net is then partly filled.
void load_weights(const TensorFile& file, Module& net);

// Reads where the training of a file of save_training stands; throws FormatError for other files.
TrainProgress training_progress(const SafetensorsFile& file);

// Reads a file of save_training; throws FormatError for one of save_weights or of another optimizer.
void load_training(const SafetensorsFile& file, Module& net, Optimizer& optimizer, TrainProgress& progress);

}  // namespace atrous::io
