#include "engine/module_scope.h"

namespace atrous {

static thread_local std::string module_path;

ModuleScope::ModuleScope(const std::string& name) : length_(module_path.size()) {
    if (!module_path.empty() && !name.empty()) module_path += '.';
    module_path += name;
}
ModuleScope::~ModuleScope() { module_path.resize(length_); }
const std::string& ModuleScope::path() { return module_path; }

}  // namespace atrous
