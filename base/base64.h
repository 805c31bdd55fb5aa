// Bytes as text (RFC 4648, section 4).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atrous {

std::string base64(const std::vector<uint8_t>& bytes);

}  // namespace atrous
