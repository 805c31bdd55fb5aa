#include "kernels/step_log.h"

#include "base/variant.h"

namespace atrous::kernels::cpu {

void log_step(Queue&, const StepLogArgs& a) {
    check(a);
    ran("log_step/cpu");
    a.dtype == DType::f64 ? log_step_entry<double>(a) : log_step_entry<float>(a);
}

}  // namespace atrous::kernels::cpu
