// Any bytes as an image and as a mask: decoded or refused with a DataError, nothing else.
#include "base/error.h"
#include "data/codecs.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    for (bool raw_values : {false, true}) try {
            atrous::data::codec::decode({data, size}, raw_values ? "x.tga" : "x.png", raw_values);
        } catch (const atrous::DataError&) {
        }
    return 0;
}
