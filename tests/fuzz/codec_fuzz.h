// For the targets of one image format.
#pragma once

#include <string>

#include "base/error.h"
#include "data/codecs.h"

// Any bytes as an image and as a mask of this format, whether it recognizes them or not: decoded or refused with a
// DataError, nothing else.
inline int fuzz_codec(const std::string& name, const uint8_t* data, size_t size) {
    for (const auto& codec : atrous::data::codec::codecs())
        for (bool raw_values : {false, true}) try {
                if (codec.name == name) codec.decode({data, size}, "x", raw_values);
            } catch (const atrous::DataError&) {
            }
    return 0;
}
