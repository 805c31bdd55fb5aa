// What the workflow says, on standard output.
#pragma once

#include "segmentation/messages.h"

namespace atrous::app {

class Console : public Messages {
 public:
    void text(const std::string& lines) override;
    void warning(const std::string& line) override;
    void details(const std::string& lines) override;  // to standard error
};

}  // namespace atrous::app
