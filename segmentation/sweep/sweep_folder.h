// The folder of a sweep: the plan, a run folder for each training, the results. A mark tells it from other folders, and
// locks it while a sweep works in it.
#pragma once

#include <string>

#include "base/posix.h"

namespace atrous::sweep {

inline constexpr const char* sweep_mark = ".atrous-sweep";

// UsageError where the folder is neither new, nor empty, nor a sweep's; IoError where another sweep is using it.
// Makes nothing.
void check_folder(const std::string& path);

class SweepFolder {
 public:
    // Makes, marks and locks the folder, once check_folder() lets it. IoError.
    explicit SweepFolder(std::string path);

    const std::string& path() const { return path_; }
    std::string results() const { return path_ + "/sweep.csv"; }
    std::string page() const { return path_ + "/sweep.html"; }
    std::string run(const std::string& name) const { return path_ + "/" + name; }

 private:
    std::string path_;
    io::FileDescriptor mark_;
};

}  // namespace atrous::sweep
