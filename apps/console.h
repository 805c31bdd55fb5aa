// What the workflow says, on standard output; how far it is, on standard error.
#pragma once

#include "segmentation/messages.h"

namespace atrous::app {

class Console : public Messages {
 public:
    ~Console() override;
    void text(const std::string& lines) override;
    void warning(const std::string& line) override;
    void details(const std::string& lines) override;  // to standard error
    // On a terminal one line that is redrawn and goes when the work is over; else a line every few seconds.
    void progress(const std::string& work, int64_t done, int64_t of) override;

 private:
    void clear_line();

    double last_s_ = 0;
    bool line_open_ = false;
};

}  // namespace atrous::app
