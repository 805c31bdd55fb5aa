// Any bytes as the names of classes, in each form: read or refused with a DataError, nothing else.
#include "base/error.h"
#include "data/class_names.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ScratchFile files[] = {ScratchFile("classes.toml"), ScratchFile("labelmap.txt"),
                                        ScratchFile("class_dict.csv"), ScratchFile("_classes.csv"),
                                        ScratchFile("data.yaml")};
    for (const ScratchFile& file : files) {
        file.fill(data, size);
        try {
            atrous::data::read_class_names(file.path());
        } catch (const atrous::DataError&) {
        }
    }
    return 0;
}
