// Any bytes as --config FILE.
#include "apps/options.h"
#include "base/error.h"
#include "segmentation/config_file.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ScratchFile scratch("x.toml");
    scratch.fill(data, size);
    atrous::app::Options o("train", "Trains.");
    std::string folder, loss = "bce";
    int64_t batch_size = 4;
    double lr = 1e-4;
    bool turn = false;
    o.bind("data", folder, "data");
    o.bind("batch-size", batch_size, "images").letter('b').min(1).max(100);
    o.bind("lr", lr, "rate").above(0);
    o.bind("turn", turn, "turns");
    o.bind("loss", loss, "loss").one_of({"bce", "dice"});
    try {
        o.parse(std::vector<std::string>{"--config", scratch.path()});
        as_toml(o);
    } catch (const atrous::Error&) {
    }
    return 0;
}
