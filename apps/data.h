// The two parts of `atrous data`.
#pragma once

#include <string>
#include <vector>

#include "apps/options.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"

namespace atrous::app {

int data_check(int argc, const char* const* argv);
int data_show(int argc, const char* const* argv);

// What both are asked for: the settings of `train` that concern the data set.
struct DataArguments {
    Experiment e;
    bool overwrite = false;
    std::string augment = "none";  // a preset
    Options o;

    DataArguments(std::string verb, std::string about);
    // The folder may be the first word, in place of --data.
    void parse(std::vector<std::string> words);
    Outputs inputs() const;
};

}  // namespace atrous::app
