#include "engine/kernel_choice.h"

#include <set>

#include "base/settings.h"
#include "base/suggest.h"
#include "kernels/conv.h"
#include "kernels/conv_transpose.h"
#include "kernels/gpu/cudnn/provider.h"

namespace atrous {

static KernelChoice& current_choice() {
    static KernelChoice choice;
    return choice;
}

const KernelChoice& kernel_choice() { return current_choice(); }
void set_kernel_choice(KernelChoice choice) { current_choice() = std::move(choice); }

static std::shared_ptr<const kernels::TunedKernels>& current_tuned() {
    static std::shared_ptr<const kernels::TunedKernels> tuned;
    return tuned;
}

std::shared_ptr<const kernels::TunedKernels> tuned_kernels() { return current_tuned(); }
void set_tuned_kernels(std::shared_ptr<const kernels::TunedKernels> tuned) { current_tuned() = std::move(tuned); }

std::vector<kernels::FamilyInfo> kernel_families() {
    namespace cpu = kernels::cpu;
    namespace cuda = kernels::cuda;
    return {cpu::conv_forward_family().info(),
            cpu::conv_backward_input_family().info(),
            cpu::conv_backward_weight_family().info(),
            cpu::conv_transpose_forward_family().info(),
            cpu::conv_transpose_backward_input_family().info(),
            cpu::conv_transpose_backward_weight_family().info(),
            cuda::conv_forward_family().info(),
            cuda::conv_backward_input_family().info(),
            cuda::conv_backward_weight_family().info(),
            cuda::conv_transpose_forward_family().info(),
            cuda::conv_transpose_backward_input_family().info(),
            cuda::conv_transpose_backward_weight_family().info()};
}

std::vector<std::string> implementation_names() {
    std::set<std::string> names;
    for (const auto& family : kernel_families())
        for (const auto& member : family.members) names.insert(member.name);
    return {names.begin(), names.end()};
}

// Why nothing can run by this name here; empty: something can.
static std::string why_absent(const std::string& name) {
    std::string why;
    for (const auto& family : kernel_families())
        for (const auto& member : family.members)
            if (member.name == name) {
                why = member.absent();
                if (why.empty()) return "";
            }
    return why;
}

std::string libraries_on(Device device) {
    if (device.kind != DeviceKind::gpu || kernel_choice().rule == KernelChoice::Rule::own) return "";
    const cudnn::Provider* const provider = cudnn::provider();
    return provider ? "cuDNN " + provider->api().version : "";
}

void drop_library_plans() {
    if (cudnn::Provider* const provider = cudnn::provider()) provider->drop_plans();
}

KernelChoice parse_kernel_choice(const std::string& word) {
    if (word == "auto") return {};
    if (word == "own") return {KernelChoice::Rule::own};
    std::vector<std::string> words = implementation_names();
    for (const std::string& name : words)
        if (name == word) {
            if (const std::string why = why_absent(name); !why.empty())
                throw UsageError("`kernels` " + name + " cannot run here: " + why);
            return {KernelChoice::Rule::named, word};
        }
    words.insert(words.begin(), {"auto", "own"});
    throw UsageError("`kernels` '" + word + "' is unknown; expected " + alternatives(words) +
                     did_you_mean(word, words));
}

}  // namespace atrous
