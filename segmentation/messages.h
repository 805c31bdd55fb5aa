// The workflow reports through this interface while it works. A program prints it; whoever uses the library may do as
// they like.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace atrous {

// Text names settings by their keys in backquotes (base/settings.h: with_flags).
class Messages {
 public:
    virtual ~Messages() = default;
    virtual void text(const std::string& lines) = 0;    // one line or several, each with its newline
    virtual void warning(const std::string& line) = 0;  // without newline
    // Reports the progress of a piece of work ("checking images", 12, 400) as often as there is something new; it is
    // over when done == of.
    virtual void progress(const std::string& work, int64_t done, int64_t of) { (void)work, (void)done, (void)of; }
    virtual void details(const std::string& lines) { text(lines); }  // what explains an error that follows
};

// The progress of one piece of work, as a function of its own.
inline std::function<void(int64_t done, int64_t of)> progress_of(std::string work, Messages& messages) {
    return [work = std::move(work), &messages](int64_t done, int64_t of) { messages.progress(work, done, of); };
}

// Says nothing.
class NoMessages : public Messages {
 public:
    void text(const std::string&) override {}
    void warning(const std::string&) override {}
};

}  // namespace atrous
