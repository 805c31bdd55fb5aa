// The update rules there are: `optimizer`'s words, in this order.
#include "engine/optim/adam.h"
#include "engine/optim/rmsprop.h"
#include "engine/optim/sgd.h"

namespace atrous {

Catalogue<UpdateRule>& UpdateRule::catalogue() {
    // clang-format off
    static Catalogue<UpdateRule> rules("optimizer",
        Sgd(),
        Adam(),
        AdamW(),
        Rmsprop());
    // clang-format on
    return rules;
}

}  // namespace atrous
