// The devices a tensor can live on.
#pragma once

#include <string>

namespace atrous {

enum class DeviceKind {
    cpu,        // oneDNN and OpenMP
    gpu,        // the hand-written kernels: on a real GPU, or emulated, as the binary was built
    reference,  // plain loops on the host; what tests compare with
    meta,       // shapes without storage: counting and planning
};

struct Device {
    DeviceKind kind = DeviceKind::cpu;
    int index = 0;
    friend bool operator==(const Device&, const Device&) = default;
};

std::string name_of(Device device);  // "cpu", "cuda:0", "emulated", "emulated:1", "reference", "meta"

// Parses the name a user gives: auto (a usable GPU, else the cpu; never the emulator), cpu, cuda, cuda:1, emulated,
// emulated:1 (of as many as the environment variable ATROUS_EMULATED_DEVICES says), reference, meta. Throws GpuError
// with the reason where the device cannot be used, UsageError for an unknown name. auto takes the first GPU that the
// binary has code for; `passed_over` names those it has none for.
Device parse_device(const std::string& name, std::string* passed_over = nullptr);

}  // namespace atrous
