// Counts each parameter of a net once, for the layer that reads it first.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "engine/nn/module.h"

namespace atrous {

// Parameters by the ids of the tensors that a net computes with.
class UncountedParameters {
 public:
    explicit UncountedParameters(Module& net) {
        for (auto& [path, p] : net.parameters()) {
            by_id_[p->value.id()] = p;
            if (p->half.defined()) by_id_[p->half.id()] = p;
        }
    }
    int64_t first_used_by(const Entry& e) {
        int64_t count = 0;
        for (const Value& v : e.inputs)
            if (const auto it = by_id_.find(v.id); it != by_id_.end() && counted_.insert(it->second).second)
                count += v.shape.count();
        return count;
    }

 private:
    std::unordered_map<int64_t, const Parameter*> by_id_;
    std::unordered_set<const Parameter*> counted_;
};

}  // namespace atrous
