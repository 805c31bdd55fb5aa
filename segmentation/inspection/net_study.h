// What a net does with one image, for the page that shows it (segmentation/inspection/page.h).
//
//   checkpoint, image, net     names; `note`: what was done to the image, for people
//   padded, origin, size       [height, width] of what the net saw, and where the image begins and how large it is in it
//   shown                      [height, width] of the pictures of it. Pixel (i, j) of a picture is pixel
//                              (floor((i + 1/2) height / shown height), …) of the image as the net saw it
//   classes                    name, colour, and IoU and Dice where there is a mask
//   picture, prediction, truth, errors, entropy   pictures as data URIs (truth and errors: where there is a mask)
//   probabilities              base64 of bytes [class][shown height][shown width], 0..255 for 0..1
//   fields                     effective receptive fields of logits on a grid: the pixel, its class, the picture (gray is
//                              the square root of the share of the largest value), and the theoretical one, [top, left,
//                              bottom, right]
//   activations                Grad-CAM of each class that occurs, of the map `node`
//   nodes                      what ran, in order: op, module, shape, inputs (numbers of nodes; -1 is the image), parameters,
//                              multiply-adds, bytes and seconds of the output, its receptive field, stride, taps, feature
//                              maps, gradients
//
// Numbers that are not defined are null.
#pragma once

#include <string>

#include "data/dataset.h"
#include "segmentation/load_net.h"
#include "segmentation/messages.h"
#include "segmentation/report/run_record.h"

namespace atrous::inspection {

using report::Json;

inline constexpr int64_t longest_picture = 320, longest_map = 64;  // sides of pictures, in pixels
inline constexpr int64_t most_grid = 16, most_channels = 256;

struct StudyOptions {
    int64_t grid = 5;       // so many logits down and across have their effective receptive field; 0: none
    int64_t channels = 12;  // of each feature map
    std::string mask_values =
        "";  // as the setting; empty: as the net was trained, else binary for two classes and ids for more
};

// Studies the sample as the training saw images: resized, or the middle of it at the training's size where the net was
// trained on crops. A sample without a mask has no scores and no gradients of the loss. DataError where it cannot be
// read, NumericError where the logits are not finite. The net computes in f32, or f64: gradients of single logits are too
// small for less.
Json net_study(LoadedNet& net, const std::string& checkpoint, const data::Sample& sample, const StudyOptions& options,
               Messages& messages);

// Reads the sample as net_study does. DataError where it cannot.
void check_sample(const LoadedNet& net, const data::Sample& sample, const StudyOptions& options);

// The graph alone: the nodes without times, maps and gradients, of an image of that size. The net is built anew on
// shapes.
Json graph_study(const ModelCard& card, const std::string& name, DType compute = DType::f32);

}  // namespace atrous::inspection
