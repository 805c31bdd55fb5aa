// What the program asks of the process it runs in, before anything else.
#pragma once

namespace atrous::app {

// Files past a size limit (`ulimit -f`) and pipes that nobody reads any more are errors with words instead of a silent
// death: a training whose output goes to a pager outlives the pager. Standard streams that the
// caller closed stay unusable, but their numbers are taken: otherwise a checkpoint could become file 2 and get messages
// written into it.
void prepare_process();

}  // namespace atrous::app
