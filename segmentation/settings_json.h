// Settings as JSON, under their keys with _ for -, or under the key that they are stored as.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "base/settings.h"

namespace atrous {

std::string json_key(const SettingBase& setting);  // "batch_size"
nlohmann::json json_of(const SettingBase& setting);
// Returns whether the setting took the value; it is unchanged where the value is not what its rule says.
bool assign_json(SettingBase& setting, const nlohmann::json& value);

}  // namespace atrous
