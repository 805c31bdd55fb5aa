// Keeps the path of the layer that runs on this thread.
#pragma once

#include <string>

namespace atrous {

// Names the layer that runs: paths nest, "up1" then "conv" gives "up1.conv".
class ModuleScope {
 public:
    explicit ModuleScope(const std::string& name);
    ~ModuleScope();
    ModuleScope(const ModuleScope&) = delete;
    ModuleScope& operator=(const ModuleScope&) = delete;
    static const std::string& path();

 private:
    size_t length_;
};

}  // namespace atrous
