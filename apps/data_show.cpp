#include <fmt/core.h>

#include "apps/console.h"
#include "apps/data.h"
#include "apps/exit_codes.h"
#include "base/durable_file.h"
#include "segmentation/augment_presets.h"
#include "segmentation/data_sheet.h"

namespace atrous::app {

int data_show(int argc, const char* const* argv) {
    DataArguments a(
        "data show",
        "Writes a contact sheet of samples as a training sees them: the image, its mask, and both, with the "
        "names of the classes.");
    std::string sheet = "data.png";
    int64_t rows = default_sheet_rows;
    a.o.bind("sheet", sheet, "file to write (PNG)").letter('o');
    describe_sheet_rows(a.o, rows);
    auto& augment = dynamic_cast<Setting<std::string>&>(a.o.at(augment_key));
    augment.one_of({"none", "light", "standard", "strong", augmentations_as_given}).alone(augmentations_as_given).help =
        "training samples as the first epoch's augmentations change them: those given, or a preset's";
    describe_overwrite(a.o, a.overwrite);
    a.parse(argc, argv);
    Outputs files = a.inputs().writes("--sheet", sheet, FileKind::png);
    files.check(a.overwrite);
    const bool augmented = augment.origin == Origin::flag && augment.value != "none";
    Console console;
    const DataCheck check = check_data(a.e, console);
    files.check_samples(check.samples);
    for (const std::string& warning : check.warnings) console.warning(warning);
    io::write_durably(sheet, data::encode_png(data_sheet(a.e, check, rows, augmented), {}, data::PngMark::ours));
    fmt::print("wrote {}\n", sheet);
    return exit_ok;
}

}  // namespace atrous::app
