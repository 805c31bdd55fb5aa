#include "apps/bench.h"

#include <string>

#include "apps/exit_codes.h"
#include "apps/verbs.h"
#include "base/error.h"
#include "models/catalogue.h"

namespace atrous::app {

NetConfig measured_net(const Settings& o, NetConfig net, int64_t classes) {
    check_applicable(o, net);
    net.out_channels = logits_of(classes);
    return net;
}

int bench(int argc, const char* const* argv) {
    const std::string what = argc > 1 ? argv[1] : "";
    if (what == "kernels") return bench_kernels(argc - 1, argv + 1);
    if (what == "step") return bench_step(argc - 1, argv + 1);
    if (what == "loader") return bench_loader(argc - 1, argv + 1);
    if (what == "-h" || what == "--help")
        throw TextRequested{
            "usage: atrous bench kernels [options]   ops against what the machine can do at most\n"
            "       atrous bench step [options]      whole training steps\n"
            "       atrous bench loader [options]    images on their way into batches\n"
            "-h behind either lists its options\n"};
    throw UsageError("bench '" + what + "': expected `atrous bench kernels`, `step` or `loader`");
}

}  // namespace atrous::app
