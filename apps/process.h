// What the program asks of the process it runs in, before anything else.
#pragma once

namespace atrous::app {

// Files past a size limit (`ulimit -f`) and pipes that nobody reads any more are errors with words instead of a silent
// death: a training whose output goes to a pager outlives the pager. Standard streams that the
// caller closed stay unusable, but their numbers are taken: otherwise a checkpoint could become file 2 and get messages
// written into it.
// Blocks of the size of images stay with the process when they are freed: the system would clear their pages each time.
void prepare_process();

// Threads that wait for each other spin a while before they sleep. GCC's OpenMP does so for milliseconds, in which a
// thread that another program keeps from its core cannot have that of the one waiting for it. How long is read from the
// environment as the program is loaded, so it is loaded anew with a shorter time in GOMP_SPINCOUNT. Returns where the
// user set OMP_WAIT_POLICY or GOMP_SPINCOUNT, and where the program cannot be started again.
void bound_spinning(char** argv);

}  // namespace atrous::app
