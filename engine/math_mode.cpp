#include "engine/math_mode.h"

#include <atomic>

namespace atrous {

static std::atomic<MathMode> current_mode{MathMode::exact};

MathMode math_mode() { return current_mode; }
void set_math_mode(MathMode mode) { current_mode = mode; }

}  // namespace atrous
