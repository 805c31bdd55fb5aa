#include "base/variant.h"

namespace atrous {

static thread_local VariantLog* innermost = nullptr;

VariantLog::VariantLog() : outer_(innermost) { innermost = this; }
VariantLog::~VariantLog() { innermost = outer_; }

void ran(const char* variant) {
    for (VariantLog* log = innermost; log; log = log->outer_) log->names_.emplace_back(variant);
}

}  // namespace atrous
