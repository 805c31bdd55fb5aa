#include <nlohmann/json.hpp>

#include "apps/console.h"
#include "apps/data.h"
#include "apps/exit_codes.h"
#include "segmentation/data_check.h"
#include "segmentation/score_files.h"

namespace atrous::app {

int data_check(int argc, const char* const* argv) {
    DataArguments a("data check",
                    "Looks at every image and mask as a training would before its first step, and says what it finds. "
                    "Exit code 0: a training can take the data set; 3: it would refuse it.");
    std::string json;
    describe_json(a.o, json);
    describe_overwrite(a.o, a.overwrite);
    a.parse({argv + 1, argv + argc});
    Outputs files = a.inputs().writes("--json", json, FileKind::json);
    files.check(a.overwrite);
    Console console;
    const DataCheck check = check_data(a.e, console);
    files.check_samples(check.samples);
    console.text(text_of(check));
    if (!json.empty()) write_json(json, json_of(check));
    return check.can_train() ? exit_ok : exit_data;
}

}  // namespace atrous::app
