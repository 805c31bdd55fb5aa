// Ranks that are threads of this process, each with a device of its own. For tests, and to see what ranks do: every
// call meets the others on the host.
#pragma once

#include <functional>

#include "engine/comm/communicator.h"

namespace atrous {

// Calls work(communicator) on `size` threads, one a rank, and returns when all have ended. Throws what the first one to
// fail threw.
void run_ranks(int size, const std::function<void(Communicator&)>& work);

}  // namespace atrous
