// Image, truth and prediction of some samples of a set, as a contact sheet (data/contact_sheet.h).
#pragma once

#include <optional>
#include <vector>

#include "base/settings.h"
#include "data/contact_sheet.h"
#include "segmentation/model_card.h"

namespace atrous {

// How many samples a sheet shows, the same setting wherever one is written.
inline constexpr int64_t default_sheet_rows = 6;
Setting<int64_t>& describe_sheet_rows(Settings& settings, int64_t& rows);

// At most so many of the samples, spread evenly over them, as the page shows them. Scores are those of evaluate(): Dice
// of two classes, of more the mean IoU. The prediction is what `predict` would write, at the size that is shown.
// `thresholds`: base/class_thresholds.h. `loader`: how images become batches, if not as in training; their number in one
// does not count. The net's mode is restored. DataError where there is no sample.
std::vector<data::SheetRow> result_rows(SegmentationNet& net, const ModelCard& card, DType compute,
                                        const std::vector<data::Sample>& samples, int64_t rows,
                                        const ClassThresholds& thresholds = {},
                                        const std::optional<data::LoaderOptions>& loader = {});

// The card's names and colours of classes, of labels in bits of their combinations; a class without a name goes by its number.
data::SheetClasses sheet_classes(const ModelCard& card);

// The page of these rows, with the card's names and colours of classes.
data::Image result_sheet(SegmentationNet& net, const ModelCard& card, DType compute,
                         const std::vector<data::Sample>& samples, int64_t rows, const ClassThresholds& thresholds = {},
                         const std::optional<data::LoaderOptions>& loader = {});

}  // namespace atrous
