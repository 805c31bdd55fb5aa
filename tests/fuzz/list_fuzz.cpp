// Any bytes as a list file, as CSV, as runs and as a rule for mask values.
#include "base/error.h"
#include "data/list.h"
#include "data/mask.h"
#include "data/rle.h"
#include "tests/fuzz/scratch_file.h"

using namespace atrous;

static void read(const ScratchFile& file, const uint8_t* data, size_t size) {
    file.fill(data, size);
    try {
        for (const auto& entry : data::read_list(file.path()))
            if (entry.rle) data::decode_rle(*entry.rle, 37, 41, "x:1");
    } catch (const DataError&) {
    }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ScratchFile list("list.txt"), csv("list.csv");
    read(list, data, size);
    read(csv, data, size);
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        data::decode_rle(text, 5, 7, "x:1");
    } catch (const DataError&) {
    }
    try {
        data::parse_mask_rule(text);
    } catch (const UsageError&) {
    }
    return 0;
}
