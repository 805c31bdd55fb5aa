// Any bytes as --config FILE.
#include "apps/options.h"
#include "base/error.h"
#include "segmentation/config_file.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ScratchFile scratch("x.toml");
    scratch.fill(data, size);
    atrous::app::Options o("train", "Trains.");
    o.text("data", "", "data");
    o.integer("batch-size", 4, "images").letter('b').min(1).max(100);
    o.number("lr", 1e-4, "rate").above(0);
    o.flag("turn", "turns");
    o.choice("loss", {"bce", "dice"}, "bce", "loss");
    try {
        o.parse(std::vector<std::string>{"--config", scratch.path()});
        as_toml(o);
    } catch (const atrous::Error&) {
    }
    return 0;
}
