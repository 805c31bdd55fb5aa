// Labels out of range by their definition.
#include "kernels/label_range.h"

#include "base/variant.h"

namespace atrous::kernels::reference {

void label_range(Queue&, const LabelRangeArgs& a) {
    check(a);
    ran("label_range/reference");
    LabelsOutOfRange found;
    for (int64_t i = 0; i < a.count; ++i) {
        if (!is_out_of_range(a.labels[i], a.classes, a.ignore_index)) continue;
        ++found.count;
        if (found.first < 0) found.first = i, found.label = a.labels[i];
    }
    *a.found = found;
}

}  // namespace atrous::kernels::reference
