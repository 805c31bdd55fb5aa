// Settings as a table in Markdown, for docs/settings.md.
#pragma once

#include <string>

#include "base/settings.h"

namespace atrous {

// A heading a group; a row a setting: key, what is accepted, default, what a resumed run may do with it, help.
std::string as_markdown(const Settings& settings);

}  // namespace atrous
