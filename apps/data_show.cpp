#include <fmt/core.h>

#include "apps/console.h"
#include "apps/data.h"
#include "apps/exit_codes.h"
#include "base/durable_file.h"
#include "segmentation/augment_presets.h"
#include "segmentation/data_sheet.h"

namespace atrous::app {

// Whether `--augment` stands there without a word; it is taken out, so that a configuration file may still name a preset.
static bool take_bare_augment(std::vector<std::string>& words) {
    const std::string flag = std::string("--") + augment_key;
    bool found = false;
    for (size_t i = 0; i < words.size();)
        if (words[i] == flag && (i + 1 == words.size() || words[i + 1].starts_with("-"))) {
            words.erase(words.begin() + int64_t(i));
            found = true;
        } else {
            ++i;
        }
    return found;
}

int data_show(int argc, const char* const* argv) {
    DataArguments a(
        "data show",
        "Writes a contact sheet of samples as a training sees them: the image, its mask, and both, with the "
        "names of the classes.");
    std::string sheet = "data.png";
    int64_t rows = default_sheet_rows;
    a.o.bind("sheet", sheet, "file to write (PNG)").letter('o');
    describe_sheet_rows(a.o, rows);
    SettingBase& augment = a.o.at(augment_key);
    augment.help =
        "training samples as the first epoch's augmentations change them: a preset's, or, without a word, those given";
    describe_overwrite(a.o, a.overwrite);
    std::vector<std::string> words(argv + 1, argv + argc);
    const bool as_given = take_bare_augment(words);
    a.parse(words);
    Outputs files = a.inputs().writes("--sheet", sheet, FileKind::png);
    files.check(a.overwrite);
    const bool augmented = as_given || (augment.origin == Origin::flag && augment.shown() != "none");
    Console console;
    const DataCheck check = check_data(a.e, console);
    files.check_samples(check.samples);
    for (const std::string& warning : check.warnings) console.warning(warning);
    io::write_durably(sheet, data::encode_png(data_sheet(a.e, check, rows, augmented), {}, data::PngMark::ours));
    fmt::print("wrote {}\n", sheet);
    return exit_ok;
}

}  // namespace atrous::app
