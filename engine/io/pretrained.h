// Weights from elsewhere: a file whose names and sizes need not be exactly the net's.
//
// Names. A prefix of whole dotted parts is taken from the file's names and one from the net's, such that as many names
// as possible become equal: 'module.' and '' for a file of DataParallel, '' and 'encoder.' for an encoder's file. Among
// equals the shorter prefixes win; what is still equal is refused as ambiguous.
// First layer. Where the net's first convolution takes another number of channels than the file's (I), its weights are
// summed over the channels for one channel, and for N channels repeated in turn, times I / N: the same response to grey
// images (the rule of timm and segmentation_models.pytorch).
// Head. With new_head, tensors that differ in the number of output channels alone, where the net has its own number of
// outputs, keep the net's initial values. A head is a part of the net (named by the first part of its tensors' names)
// that ends in such a layer: where another of its tensors differs in shape, the whole head keeps its initial values.
// Every other difference of shapes is an error. Names that only one side has are reported.
#pragma once

#include <string>
#include <vector>

#include "engine/io/tensor_file.h"
#include "engine/nn/module.h"

namespace atrous::io {

struct PretrainedOptions {
    int64_t in_channels = 3, out_channels = 1;  // the net's
    bool new_head = false;
    bool check_only = false;  // nothing is filled; the net may be on device meta
};

struct PretrainedReport {
    std::string file_prefix, net_prefix;  // with their last dot
    int64_t loaded = 0, of = 0;           // tensors of the net
    struct Row {
        std::string what, name, detail;  // "missing", "outc.conv.weight", "keeps its initial value"
    };
    std::vector<Row> rows;
    std::vector<std::string> warnings;
};

// Fills what the file has. FormatError, and nothing is changed, where nothing matches, two prefixes match equally well,
// or shapes differ (both are named); and where the file is written to meanwhile.
PretrainedReport load_pretrained(Module& net, const TensorFile& file, const PretrainedOptions& options);

}  // namespace atrous::io
