// The page that shows studies of nets (segmentation/inspection/net_study.h), two of them beside each other.
#pragma once

#include <string>

#include "segmentation/inspection/net_study.h"

namespace atrous::inspection {

// Replaces the file. IoError. `studies`: a list.
void write_page(const std::string& path, const std::string& title, const Json& studies);

}  // namespace atrous::inspection
