// What instrumented device code calls in the races build, in the place of the sanitizers' runtimes: -fsanitize=thread
// announces loads and stores, -fsanitize=undefined reports. (The latter is also what makes GCC announce `*p = f()` for
// class types: it forces the result through a temporary.)
#ifdef ATROUS_CHECK_RACES
#include "kernels/gpu/emu/internal.h"

extern "C" char __executable_start[];

using namespace atrous::gpu::emu;

// ---- undefined behaviour --------------------------------------------------------------------------------------------
namespace {
struct Location {
    const char* file;
    uint32_t line, column;
};
struct Type {
    uint16_t kind, info;
    char name[1];
};
struct Mismatch {
    Location at;
    const Type* type;
    uint8_t log_alignment, kind;
};

// The string functions below may be the instrumented copies of a device file.
bool leave_device() {
    const bool was = W && W->in_device;
    if (W) W->in_device = false;
    return was;
}
[[gnu::cold]] void undefined(const Location& at, std::string&& what, bool in_device) {
    {
        std::string file = at.file ? at.file : "?";
        file.erase(0, file.find_last_of('/') + 1);
        const std::string text = std::move(what) + " at " + file + ":" + std::to_string(at.line);
        if (!in_device) return defer_error("undefined behaviour in host code: " + text);
        report("undefined behaviour", W->name() + ": " + text, 0);
    }
    W->abandon();
}
void undefined(const Location& at, const char* what) {
    const bool in_device = leave_device();
    undefined(at, std::string(what), in_device);
}
void mismatch(const Mismatch* m, uintptr_t p) {
    const bool in_device = leave_device();
    undefined(m->at,
              p ? "misaligned access to " + std::string(m->type->name) + " (needs " +
                      std::to_string(1 << m->log_alignment) + " bytes)"
                : "null pointer to " + std::string(m->type->name),
              in_device);
}
}  // namespace

extern "C" {
#define UNDEFINED(name)                                                 \
    void __ubsan_handle_##name(Location* at) { undefined(*at, #name); } \
    void __ubsan_handle_##name##_abort(Location* at) { undefined(*at, #name); }
UNDEFINED(add_overflow)
UNDEFINED(sub_overflow)
UNDEFINED(mul_overflow)
UNDEFINED(negate_overflow)
UNDEFINED(divrem_overflow)
UNDEFINED(shift_out_of_bounds)
UNDEFINED(out_of_bounds)
UNDEFINED(pointer_overflow)
UNDEFINED(builtin_unreachable)
UNDEFINED(missing_return)
UNDEFINED(vla_bound_not_positive)
UNDEFINED(float_cast_overflow)
UNDEFINED(load_invalid_value)
UNDEFINED(invalid_builtin)
UNDEFINED(nonnull_arg)
UNDEFINED(nonnull_return_v1)
#undef UNDEFINED
void __ubsan_handle_type_mismatch_v1(Mismatch* m, uintptr_t p) { mismatch(m, p); }
void __ubsan_handle_type_mismatch_v1_abort(Mismatch* m, uintptr_t p) { mismatch(m, p); }
}

// ---- loads and stores -----------------------------------------------------------------------------------------------
static inline void hook(const void* p, size_t n, unsigned kind, const void* pc) {
    if (!W || !W->in_device) return;
    const Context& c = *W->current->context;
    if (uintptr_t(p) - uintptr_t(c.stack) < c.size) {
        if (W->hopper.has_accumulators())
            check_accumulators(p, n, kind, uint32_t(uintptr_t(pc) - uintptr_t(__executable_start)));
        return;
    }
    check_access(uintptr_t(p), n, kind, uint32_t(uintptr_t(pc) - uintptr_t(__executable_start)));
}

static void instrumentation_found() { checking = true; }
#include "kernels/gpu/emu/instrumentation.inc"
#endif
