// Any text as the model card of a checkpoint: read, and then the same when it is written and read again, or refused.
#include "base/error.h"
#include "segmentation/model_card.h"

using namespace atrous;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    try {
        const std::string again = text_of(parse_model_card(text, "x.safetensors"));
        if (text_of(parse_model_card(again, "x.safetensors")) != again) __builtin_trap();
    } catch (const FormatError&) {
    }
    return 0;
}
