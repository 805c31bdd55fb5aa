#include "segmentation/precision.h"

#include <algorithm>

#include "base/error.h"
#include "base/suggest.h"
#include "engine/math_mode.h"
#include "kernels/conv.h"
#include "kernels/gpu/runtime.h"

namespace atrous {

Setting<std::string>& describe_precision(Settings& s, Machine& m) {
    const std::string otherwise = m.precision.empty() ? "; not given: as in training" : "";
    std::vector<std::string> words = precision_words();
    words.insert(words.begin(), "auto");
    return s
        .bind(
            "precision", m.precision,
            "element type and arithmetic of activations and convolutions: auto, on the cpu fp32 and on a GPU tf32, or "
            "fp16 where it has tensor cores for that alone; tf32 keeps floats and rounds factors on tensor cores; "
            "fp16 (GPU) scales the loss" +
                otherwise)
        .one_of(words)
        .when_resumed(Resume::fixed);
}

// 10 * major + minor of a GPU.
static int capability_of(Device device) {
    if (gpu::device_count() == 0) return 80;
    const gpu::DeviceInfo info = gpu::device_info(device.index);
    return 10 * info.major + info.minor;
}

std::string automatic_precision(int capability) {
    return capability >= 80 ? "tf32" : capability >= 70 ? "fp16" : "fp32";
}

std::string automatic_precision(Device device) {
    return device.kind == DeviceKind::gpu ? automatic_precision(capability_of(device)) : "fp32";
}

std::string definite_precision(const std::string& word, Device device) {
    return word == "auto" ? automatic_precision(device) : word;
}

bool has_tf32(Device device) { return device.kind == DeviceKind::gpu && capability_of(device) >= 80; }

std::string precision_note(const std::string& word, Device device) {
    if (word == "tf32" && !has_tf32(device))
        return "`precision` tf32 is computed in fp32 on " + name_of(device) + ", which has no TF32";
    if (word == "bf16" && device.kind == DeviceKind::gpu && capability_of(device) < 80)
        return "`precision` bf16 is computed without tensor cores on " + name_of(device) + "; fp16 uses them";
    return "";
}

DType use_precision(const std::string& word, Device device) {
    const std::string precision = definite_precision(word, device);
    const auto& words = precision_words();
    if (std::find(words.begin(), words.end(), precision) == words.end())
        throw UsageError("`precision` '" + precision + "' is unknown; expected auto, " + alternatives(words));
    if (precision == "bf16" && device.kind == DeviceKind::cpu && !kernels::cpu::has_bf16_convolutions())
        throw UsageError(
            "`precision` bf16 on the cpu needs AVX-512, which this processor lacks or ATROUS_CPU_ARCH or "
            "ONEDNN_MAX_CPU_ISA holds back; "
            "use fp32");
    if (precision == "fp16" && device.kind != DeviceKind::gpu)
        throw UsageError("`precision` fp16 needs a GPU; on the cpu use bf16 or fp32");
    set_math_mode(precision == "tf32" && has_tf32(device) ? MathMode::tf32 : MathMode::exact);
    return precision == "bf16" ? DType::bf16 : precision == "fp16" ? DType::f16 : DType::f32;
}

}  // namespace atrous
