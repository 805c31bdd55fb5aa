// Records which implementation of a kernel ran. Launchers call ran("conv_forward/mma_bf16"); tests and the profile
// listen. Names are "<contract function>/<variant>".
#pragma once

#include <string>
#include <vector>

namespace atrous {

// While alive, collects the names of the variants that run on this thread, in order.
class VariantLog {
 public:
    VariantLog();
    ~VariantLog();
    VariantLog(const VariantLog&) = delete;
    VariantLog& operator=(const VariantLog&) = delete;
    const std::vector<std::string>& names() const { return names_; }

 private:
    friend void ran(const char*);
    std::vector<std::string> names_;
    VariantLog* outer_;
};

void ran(const char* variant);

}  // namespace atrous
