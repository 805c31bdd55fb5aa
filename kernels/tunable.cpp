#include "kernels/tunable.h"

#include <algorithm>

namespace atrous::kernels {

static thread_local ProblemLog* innermost = nullptr;

ProblemLog::ProblemLog() : outer_(innermost) { innermost = this; }
ProblemLog::~ProblemLog() { innermost = outer_; }
ProblemLog* ProblemLog::current() { return innermost; }

bool ProblemLog::has(const std::string& text) const {
    return std::any_of(problems_.begin(), problems_.end(), [&](const auto& p) { return p->text() == text; });
}

static constexpr uintptr_t grain = 256;

void place(void*& vector, int64_t count, DType dtype, const OperandMemory& memory) {
    if (!vector) return;
    const uintptr_t shift = uintptr_t(vector) % grain;
    vector = static_cast<char*>(memory(size_t(count) * size_of(dtype) + shift, dtype)) + shift;
}

void place(View& view, const OperandMemory& memory) {
    place(view.data, view.pixels() > 0 ? (view.pixels() - 1) * view.pitch + view.c : 0, view.dtype, memory);
}

std::string text_of(const View& v) {
    std::string t =
        std::to_string(v.n) + "x" + std::to_string(v.h) + "x" + std::to_string(v.w) + "x" + std::to_string(v.c);
    if (!v.dense()) t += " of " + std::to_string(v.pitch);
    for (int bytes : {2, 4, 8})
        if (uintptr_t(v.data) % (2 * uintptr_t(bytes)) != 0) return t + " at " + std::to_string(bytes);
    return t;
}

}  // namespace atrous::kernels
