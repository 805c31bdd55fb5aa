// The whole program as a function, for a main() that first adds what is its own (tests/extending).
#pragma once

namespace atrous {

// Runs the verb that argv[1] names and returns the exit code. What is thrown becomes a message. To be called once, from
// main and before there are threads.
int run_program(int argc, char** argv);

}  // namespace atrous
