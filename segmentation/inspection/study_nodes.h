// The nodes of a net's graph, as JSON (segmentation/inspection/net_study.h).
#pragma once

#include <vector>

#include "engine/nn/segmentation_net.h"
#include "segmentation/inspection/layer_maps.h"
#include "segmentation/inspection/step_gradients.h"
#include "segmentation/report/run_record.h"

namespace atrous::inspection {

using report::Json;

// What ran on the image, in order. Asks each op's descriptor.
Json nodes_of(SegmentationNet& net, const std::vector<Entry>& entries, const Value& image);
void add_times(Json& nodes, const std::vector<double>& seconds);
void add_maps(Json& nodes, const std::vector<LayerMaps>& maps);
void add_gradients(Json& nodes, const std::vector<Entry>& entries, const StepGradients& gradients);
// The filters of the first layer that has some, where they are of one or three channels: values [O][R][S][I].
void add_filters(Json& nodes, SegmentationNet& net, const std::vector<Entry>& entries);

}  // namespace atrous::inspection
