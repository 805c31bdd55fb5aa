// atrous with extensions: they are added before anything else, then the program runs as ever.
#include "apps/program.h"
#include "tests/extending/extensions.h"
#include "tests/extending/rules.h"

int main(int argc, char** argv) {
    using namespace atrous::extending;
    add_invert();
    add_stem_suffixes();
    add_farbfeld();
    add_plain_convolution();
    add_tiny_net();
    add_sign_descent();
    add_linear_decay();
    add_image_dice();
    add_overlap();
    add_brier();
    return atrous::run_program(argc, argv);
}
