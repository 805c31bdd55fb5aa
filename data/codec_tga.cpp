// TGA, which has no signature.
#include "data/codec_stb.h"

namespace atrous::data::codec {

static Decoded decode_tga(Bytes bytes, const std::string& path, bool) { return {decode_by_stb(bytes, path, "TGA")}; }

Codec tga() { return {"TGA", {".tga"}, nullptr, decode_tga}; }

}  // namespace atrous::data::codec
