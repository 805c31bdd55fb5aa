// atrous with extensions: they are added before anything else, then the program runs as ever.
#include "apps/program.h"
#include "tests/extending/extensions.h"

int main(int argc, char** argv) {
    using namespace atrous::extending;
    add_invert();
    add_stem_suffixes();
    add_farbfeld();
    return atrous::run_program(argc, argv);
}
