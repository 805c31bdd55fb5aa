// Writes a net as an ONNX graph, op by op, from what it records when it runs on device meta in evaluation mode.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "engine/nn/segmentation_net.h"
#include "engine/ops/onnx_graph.h"

namespace atrous {

struct ImageSides {
    int64_t height = 0, width = 0;
};

// What ran, in order, at the first of several image sizes, and how large every map is at each of them.
struct NetTrace {
    std::vector<Entry> entries;
    Value image, out, aux;  // aux.id 0: there is none
    std::unordered_map<int64_t, OnnxSides> sides;
    std::vector<std::pair<Value, std::string>> tensors;  // parameters and buffers with their names
    int64_t multiple = 1;
};

// Sizes that tell apart what a net may do with one: with other remainders by every power of two, some of them small, upright
// or long, and none of them a multiple of `multiple`, so that what pads and crops is seen.
std::vector<ImageSides> telling_sizes(int64_t multiple);

// Materializes the net on device meta. OnnxSizeError where it does not take these sizes, or runs other ops at them.
NetTrace trace_for_onnx(SegmentationNet& net, const std::vector<ImageSides>& sizes, bool with_auxiliary);

// The shape of a graph's input or output of this name: batch, channels at will, height and width. A side that is the same
// at every size is a number; else it is called "height" or "width" where it is the image's, and NAME_height and NAME_width
// where it is not.
std::vector<OnnxDimension> port_shape(const NetTrace& trace, const Value& map, const std::string& name,
                                      bool with_channels);

// Adds the nodes of the net; graph value `image` [N][C][H][W] is its input. Sets the names of trace.out and trace.aux. Error
// naming an op that has no form in ONNX.
void write_net(OnnxGraph& graph, const NetTrace& trace, const std::string& image);

}  // namespace atrous
