// The ops there are. To add one of this tree, include its header below: its AddedOps runs when the program starts. This
// file is linked wherever an op is looked up, and with it every op that is listed here.
#include "engine/ops/activation.h"
#include "engine/ops/boundary.h"
#include "engine/ops/conv.h"
#include "engine/ops/depthwise.h"
#include "engine/ops/dropout.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/global_pool.h"
#include "engine/ops/loss.h"
#include "engine/ops/lovasz.h"
#include "engine/ops/metrics.h"
#include "engine/ops/norm.h"
#include "engine/ops/ohem.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"
#include "engine/ops/softmax_loss.h"
#include "engine/ops/window.h"

namespace atrous {

static std::set<OpDescriptor, ByName>& ops() {  // within a function: others add to it before main
    static std::set<OpDescriptor, ByName> all;
    return all;
}

const std::set<OpDescriptor, ByName>& op_catalogue() { return ops(); }

void add_op(OpDescriptor op) {
    if (op.name.empty() || !op.call) throw Error("op '" + op.name + "': a descriptor needs a name and a call");
    const auto [at, added] = ops().insert(std::move(op));
    if (!added) throw Error("op '" + at->name + "' is described twice");
}

const OpDescriptor& descriptor_of(const Entry& entry) {
    const auto at = ops().find(entry.op);
    if (at == ops().end()) throw Error("op '" + entry.op + "' has no descriptor; add_op takes one");
    return *at;
}

bool is_map(const Entry& e) { return e.output.shape.rank() == 4 && !e.inputs.empty() && e.inputs[0].shape.rank() == 4; }

Reach reach_of(const Entry& entry, int axis) {
    const OpDescriptor& op = descriptor_of(entry);
    if (!op.reach) throw Error("op '" + op.name + "' makes a map, and its descriptor says nothing of its reach");
    return op.reach(entry, axis).between(entry.inputs.at(0).shape[1 + axis], entry.output.shape[1 + axis]);
}

}  // namespace atrous
