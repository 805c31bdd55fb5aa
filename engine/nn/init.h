// Initial values of parameters. Each depends on (seed, parameter's path) alone.
#pragma once

#include "engine/nn/module.h"

namespace atrous {

// Fills every parameter by its Init (engine/nn/module.h).
void initialize(ParameterArena& arena, uint64_t seed);

// Copies the master weights into the half-precision ones, where there are any.
void refresh_halves(ParameterArena& arena);

}  // namespace atrous
