// The file that marks a folder as a training's, and locks it while one runs: two trainings in one folder would mix
// their checkpoints and metrics.
#pragma once

#include <string>

#include "base/posix.h"
#include "segmentation/messages.h"

namespace atrous {

inline constexpr const char* run_mark =
    ".atrous-run";  // an empty file; the lock is the system's and ends with the process

bool is_marked(const std::string& folder);

// A process has one lock a folder: the system drops a lock of fcntl when the process closes the file, through whichever
// descriptor.
class RunLock {
 public:
    RunLock() = default;  // holds nothing
    // Marks the folder and locks it against every other training. IoError where one holds it, naming its process; where
    // the folder cannot be written to; a warning where the file system has no locks.
    static RunLock for_training(const std::string& folder, Messages& messages);
    // Keeps trainings from writing while the folder is read; nothing where it is not marked.
    static RunLock for_reading(const std::string& folder, Messages& messages);
    // IoError where a training holds the folder; makes and keeps nothing.
    static void check_free(const std::string& folder);

    bool held() const { return bool(file_); }
    // A folder that was locked for a training that is refused afterwards is left as it was: a mark made for it goes,
    // unless the training has begun.
    void begin() { made_.clear(); }
    void release();  // the lock, not the file: see above
    RunLock(RunLock&& other) noexcept { *this = std::move(other); }
    RunLock& operator=(RunLock&& other) noexcept;
    ~RunLock();

 private:
    io::FileDescriptor file_;
    std::string folder_, made_;  // made_: the mark, where this lock has made it
};

}  // namespace atrous
