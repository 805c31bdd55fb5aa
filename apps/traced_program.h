// The program's other build, atrous-traced, whose kernels can be recorded (kernels/gpu/trace.h).
#pragma once

namespace atrous::app {

// Before a verb computes anything. Returns where this program can record its kernels; else puts atrous-traced, with the
// same arguments, in this process's place. UsageError on the cuda platform. IoError where atrous-traced is not beside this program, nor in libexec/atrous beside its folder.
void become_traced_program();

}  // namespace atrous::app
