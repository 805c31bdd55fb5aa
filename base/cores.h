// Cores that the process may use.
#pragma once

namespace atrous {

// Counts the cores that the process is allowed to run on, or fewer where its control group has a quota of time.
int usable_cores();

}  // namespace atrous
