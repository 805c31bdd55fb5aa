// How nets are trained and scored, of somebody else's: each in a file that no list of the tree names.
#pragma once

namespace atrous::extending {

void add_sign_descent();  // an optimizer
void add_linear_decay();  // a schedule
void add_image_dice();    // a loss
void add_overlap();       // a metric, of counts of pixels
void add_brier();         // a metric, of logits and labels

}  // namespace atrous::extending
