// The verbs of the program. argv[0] is the verb; each returns an exit code or throws (see exit_codes.h).
#pragma once

namespace atrous::app {

int train(int argc, const char* const* argv);
int find_lr(int argc, const char* const* argv);
int sweep(int argc, const char* const* argv);
int recipes(int argc, const char* const* argv);
int eval(int argc, const char* const* argv);
int predict(int argc, const char* const* argv);
int summary(int argc, const char* const* argv);
int inspect(int argc, const char* const* argv);
int convert(int argc, const char* const* argv);
int export_net(int argc, const char* const* argv);
int forward(int argc, const char* const* argv);
int run_op(int argc, const char* const* argv);
int data(int argc, const char* const* argv);
int synth(int argc, const char* const* argv);
int report(int argc, const char* const* argv);
int replay(int argc, const char* const* argv);
int tune(int argc, const char* const* argv);
int bench(int argc, const char* const* argv);
int devices(int argc, const char* const* argv);

}  // namespace atrous::app
