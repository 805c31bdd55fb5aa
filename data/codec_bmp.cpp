#include "data/codec_stb.h"

namespace atrous::data::codec {

static bool is_bmp(Bytes bytes) { return starts_with(bytes, "BM"); }

static Decoded decode_bmp(Bytes bytes, const std::string& path, bool) { return {decode_by_stb(bytes, path, "BMP")}; }

Codec bmp() { return {"BMP", {".bmp"}, is_bmp, decode_bmp}; }

}  // namespace atrous::data::codec
