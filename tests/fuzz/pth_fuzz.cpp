// Any bytes as a file of PyTorch's: read whole, or refused with an Error. The first byte says what the others are: the
// file itself, the pickle of an archive whose checksums are right, or the object of a legacy file; otherwise the
// fuzzer would spend its life on checksums.
#include "base/error.h"
#include "engine/io/tensor_file.h"
#include "tests/engine/pth_bytes.h"
#include "tests/fuzz/scratch_file.h"

using namespace atrous;

static void read(const std::string& bytes) {
    static const ScratchFile scratch("x.pth");
    scratch.fill(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    try {
        const auto file = io::open_tensors(scratch.path());
        for (const io::TensorInfo& tensor : file->tensors())
            if (file->bytes(tensor).size() != tensor.bytes()) __builtin_trap();
    } catch (const Error&) {
    }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    const std::string rest(reinterpret_cast<const char*>(data) + 1, size - 1), floats(64, 'x');
    if (data[0] % 3 == 0) read(rest);
    if (data[0] % 3 == 1) read(test::zip_text(test::archive(rest, {floats, floats})));
    if (data[0] % 3 == 2) read(test::legacy(rest, {{16, floats}, {16, floats}}));
    return 0;
}
