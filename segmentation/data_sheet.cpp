#include "segmentation/data_sheet.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/contact_sheet.h"
#include "segmentation/card_classes.h"
#include "segmentation/dataset_options.h"

namespace atrous {

data::Image data_sheet(const Experiment& e, const DataCheck& check, int64_t count, bool augment) {
    if (!check.can_train() || !check.report)
        throw DataError(check.problems.empty() ? check.folder + ": no sample can be read" : check.problems[0]);
    const data::DatasetReport& report = *check.report;
    data::LoaderOptions o = loader_options(e, report);
    const size_t trained = check.parts[0], all = trained + check.parts[1];
    const size_t shown = std::min(size_t(count), all);
    const std::vector<data::Sample> training(check.samples.begin(), check.samples.begin() + int64_t(trained));
    if (augment) check_classes(e.augmentations, report.rule.class_count);
    std::vector<data::SheetRow> rows;
    for (size_t k = 0; k < shown; ++k) {
        const size_t i = k * all / shown;
        o.augment = augment && i < trained;
        const data::Example example = o.augment ? data::load_sample(training, report.rule, o, 0, int64_t(i))
                                                : data::load_sample(check.samples[i], report.rule, o);
        rows.push_back(data::fitted({example.image,
                                     example.labels,
                                     {},
                                     check.samples[i].name,
                                     i < trained ? "trains" : "validates",
                                     report.range}));
    }
    ModelCard card;
    card.net.out_channels = std::max(report.rule.class_count, 2);
    card.loss.labels = report.rule.form();
    name_classes(card, check.dataset, std::max(report.rule.class_count, 2));
    return data::contact_sheet(rows, sheet_classes(card));
}

}  // namespace atrous
