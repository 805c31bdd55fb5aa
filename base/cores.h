// Cores that the process may use.
#pragma once

namespace atrous {

// Those that it is allowed to run on, or fewer where its control group has a quota of time.
int usable_cores();

}  // namespace atrous
