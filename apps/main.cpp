#include "apps/program.h"

int main(int argc, char** argv) { return atrous::run_program(argc, argv); }
