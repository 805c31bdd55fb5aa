// What this program has beyond atrous, each in a file that no list of the tree names.
#pragma once

namespace atrous::extending {

void add_invert();             // an augmentation
void add_stem_suffixes();      // a layout
void add_farbfeld();           // an image format
void add_tiny_net();           // a model
void add_plain_convolution();  // an implementation of a kernel

}  // namespace atrous::extending
