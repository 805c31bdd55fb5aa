// TIFF, which is not read; that it is known lets a folder of them be refused by name.
#include "data/codecs.h"

namespace atrous::data::codec {

static bool is_tiff(Bytes bytes) {
    return starts_with(bytes, "II*") || starts_with(bytes, "II+") || starts_with(bytes, "MM");
}

Codec tiff() { return {"TIFF", {".tif", ".tiff"}, is_tiff, nullptr}; }

}  // namespace atrous::data::codec
