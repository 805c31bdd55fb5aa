// The readers are fuzzed without the nets: any name passes for that of a model.
#include "models/net_config.h"

std::vector<std::string> atrous::model_names() { return {}; }
