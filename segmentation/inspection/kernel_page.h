// The page that plays what the kernels of an op do, from their trace (kernels/gpu/trace.h) as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace atrous::inspection {

// Replaces the file. IoError. `trace`: as benchmarks/harness/kernel_trace.h gives it, and `command`, which made the page.
void write_kernel_page(const std::string& path, const std::string& title, const nlohmann::ordered_json& trace);

}  // namespace atrous::inspection
