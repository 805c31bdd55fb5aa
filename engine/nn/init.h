// Initial values of parameters. Each depends on (seed, parameter's path) alone.
#pragma once

#include "engine/nn/module.h"

namespace atrous {

// kaiming_uniform_pytorch: U(-b, b), b = 1/sqrt(fan_in): torch.nn.Conv2d's default, He et al. 2015 with a = sqrt(5);
// bias_uniform_pytorch: the same bound; kaiming_normal: N(0, 2/fan_in), He et al. 2015, for ReLU nets.
void initialize(ParameterArena& arena, uint64_t seed);

// Copies the master weights into the half-precision ones, where there are any.
void refresh_halves(ParameterArena& arena);

}  // namespace atrous
