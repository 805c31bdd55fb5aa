// What `atrous eval` is asked for.
#pragma once

#include <string>

#include "apps/described_net.h"
#include "apps/options.h"
#include "data/dataset.h"
#include "segmentation/checkpoint_path.h"
#include "segmentation/experiment.h"
#include "segmentation/outputs.h"
#include "segmentation/prediction_net.h"
#include "segmentation/result_sheet.h"
#include "segmentation/score_files.h"
#include "segmentation/thresholds.h"

namespace atrous::app {

struct EvalArguments {
    data::DatasetOptions data;
    std::string checkpoint, split = "val", mask_values;
    int64_t batch_size = 8;
    Machine machine;
    Thresholds threshold;
    PredictionOptions prediction;
    std::string per_image, json, confusion, sheet, save, output;
    int64_t sheet_rows = default_sheet_rows;
    bool native = false, surface = false, overwrite = false;
    double boundary_tolerance = 0;
    DescribedNet described;
    Options o{"eval", "Scores a checkpoint on a data set: on the samples that its training held out, unless told."};

    EvalArguments() {
        o.group("Data (what is not given: as in training)");
        describe(o, data);
        describe_mask_values(o, mask_values);
        describe_checkpoint(o, checkpoint).required().help += DescribedNet::beside_checkpoints;
        o.bind("split", split, "samples to score").one_of({"val", "train", "test", "all"});
        o.group("Machine");
        describe_batch_size(o, batch_size);
        describe_device(o, machine);
        describe_precision(o, machine);
        describe_workers(o, machine);
        describe_memory_limit(o, machine);
        o.group("Scores");
        describe_thresholds(o, threshold);
        describe(o, prediction);
        o.bind(
            "native", native,
            "scores at the images' own sizes too, where masks are as stored; images and masks are read again for it");
        o.bind("surface", surface,
               "scores of boundaries too, by class: boundary F1, 95 % Hausdorff distance, mean surface distance");
        o.bind("boundary-tolerance", boundary_tolerance,
               "pixels by which a boundary may be off in boundary F1; 0: 0.75 % of the image's diagonal")
            .min(0)
            .only_with("`surface`", [this] { return surface; });
        o.bind("per-image", per_image, "file to write each image's loss and scores to, the highest loss first (CSV)");
        describe_json(o, json);
        o.bind("confusion", confusion, "file to write the confusion matrix to (CSV): rows true classes, in pixels");
        o.bind("sheet", sheet, "file to write a contact sheet to (PNG): image, truth, prediction, overlay");
        describe_sheet_rows(o, sheet_rows).only_with("`sheet`", [this] { return !sheet.empty(); });
        o.bind("save", save,
               "pictures of the images with the lowest and the highest loss: best=5, worst=5 or best=5,worst=5");
        o.bind("output", output, "folder for the pictures of `save`").letter('o').only_with("`save`", [this] {
            return !save.empty();
        });
        describe_overwrite(o, overwrite);
        described.describe(o, &data.multi_label);
    }
    Outputs outputs() const {
        Outputs files;
        files.reads("--checkpoint", checkpoint).reads("--config", o.config_file());
        for (const std::string& more : prediction.average_with) files.reads("--average-with", more);
        files.reads("--threshold", threshold.file);
        files.reads("--train-list", data.train_list).reads("--val-list", data.val_list);
        files.writes("--per-image", per_image, FileKind::csv).writes("--json", json, FileKind::json);
        files.writes("--confusion", confusion, FileKind::csv).writes("--sheet", sheet, FileKind::png);
        return files;
    }
};

}  // namespace atrous::app
