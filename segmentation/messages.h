// What the workflow has to say while it works. A program prints it; whoever uses the library may do as they like.
#pragma once

#include <string>

namespace atrous {

// Text names settings by their keys in backquotes (base/settings.h: with_flags).
class Messages {
 public:
    virtual ~Messages() = default;
    virtual void text(const std::string& lines) = 0;                 // one line or several, each with its newline
    virtual void warning(const std::string& line) = 0;               // without newline
    virtual void details(const std::string& lines) { text(lines); }  // what explains an error that follows
};

// Says nothing.
class NoMessages : public Messages {
 public:
    void text(const std::string&) override {}
    void warning(const std::string&) override {}
};

}  // namespace atrous
