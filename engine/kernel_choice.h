// Which implementations of kernels this process computes with, on every device and in every dry run of one, and what
// there is to choose from (kernels/implementation.h): by a rule, and by what was tuned.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/device.h"
#include "kernels/implementation.h"

namespace atrous {

// Set before tensors are computed with: results of another implementation are rounded differently.
const KernelChoice& kernel_choice();
void set_kernel_choice(KernelChoice choice);

// What was found to be fastest by timing, which every queue of this process takes where the choice of kernels allows it
// (engine/tuner.h); null: nothing. Set between computations: it stays alive while one runs.
std::shared_ptr<const kernels::TunedKernels> tuned_kernels();
void set_tuned_kernels(std::shared_ptr<const kernels::TunedKernels> tuned);

// Another choice while it lives.
class ScopedKernelChoice {
 public:
    explicit ScopedKernelChoice(KernelChoice choice) : before_(kernel_choice()) {
        set_kernel_choice(std::move(choice));
    }
    ~ScopedKernelChoice() { set_kernel_choice(before_); }
    ScopedKernelChoice(const ScopedKernelChoice&) = delete;
    ScopedKernelChoice& operator=(const ScopedKernelChoice&) = delete;

 private:
    KernelChoice before_;
};

// Those of the cpu and of the GPU, with what a program has added to them.
std::vector<kernels::FamilyInfo> kernel_families();
std::vector<std::string> implementation_names();  // of all families, each once, sorted

// The libraries that compute on this GPU by the choice of this process, with versions: "cuDNN 9.19.0"; empty: none.
std::string libraries_on(Device device);

// Forgets the plans that libraries have made so far, such as those of batch sizes that were merely tried. Before
// anything is computed.
void drop_library_plans();

// "auto", "own", or an implementation's name; UsageError for another word, and where the implementation is absent.
KernelChoice parse_kernel_choice(const std::string& word);

}  // namespace atrous
