// The parts of `atrous bench`.
#pragma once

#include "base/settings.h"
#include "models/net_config.h"

namespace atrous::app {

int bench_kernels(int argc, const char* const* argv);
struct KernelArguments;
int bench_counters(const KernelArguments& a);  // `atrous bench kernels --counters`
int bench_step(int argc, const char* const* argv);
int bench_loader(int argc, const char* const* argv);

// The net of so many classes; 2: one logit. UsageError for a setting that its model does not take.
NetConfig measured_net(const Settings& settings, NetConfig net, int64_t classes);

}  // namespace atrous::app
