// Everything that is said of a training, kept in its run folder as log.txt.
#pragma once

#include <string>

#include "segmentation/messages.h"

namespace atrous {

// Passes on what is said and keeps it: in memory until the folder is there, then at the end of the file. A log that
// cannot be written is given up with a warning; it ends no training.
class RunLog : public Messages {
 public:
    explicit RunLog(Messages& next) : next_(next) {}
    void open(const std::string& path);

    void text(const std::string& lines) override;
    void warning(const std::string& line) override;
    void details(const std::string& lines) override;
    void progress(const std::string& work, int64_t done, int64_t of) override { next_.progress(work, done, of); }
    void keep(const std::string& lines);  // in the log alone

 private:
    Messages& next_;
    std::string path_, waiting_;
    bool given_up_ = false;
};

}  // namespace atrous
