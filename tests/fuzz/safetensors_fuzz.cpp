// Any bytes as a safetensors file: read whole, or refused with a FormatError or IoError.
#include "base/error.h"
#include "engine/io/safetensors.h"
#include "tests/fuzz/scratch_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static const ScratchFile scratch("x.safetensors");
    scratch.fill(data, size);
    try {
        const atrous::io::SafetensorsFile file(scratch.path());
        for (const auto& tensor : file.tensors())
            if (file.bytes(tensor).size() != tensor.bytes()) __builtin_trap();
    } catch (const atrous::Error&) {
    }
    return 0;
}
