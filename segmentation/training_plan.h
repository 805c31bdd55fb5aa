// The form and the sizes of a training's batches, and the plan of the memory that they take.
#pragma once

#include "segmentation/training_setup.h"

namespace atrous {

// Decides where the images of a training are augmented, and how much room a sample gets where the device does it. Says in
// one line where the host does although there is a GPU. UsageError where `augment-on` asks in vain for the device.
void place_augmentation(TrainingSetup& setup, Messages& messages);

// Everything that decides about memory, by batch size.
PlanForBatch plan_of_training(const TrainingSetup& setup);

}  // namespace atrous
