// The codecs of BMP, PSD and TGA share this decoder.
#pragma once

#include "data/codecs.h"

namespace atrous::data::codec {

// Decodes through stb_image, which finds out by itself which of the three formats it is; `deep`: 16 bits a channel.
// `format` is for messages.
Image decode_by_stb(Bytes bytes, const std::string& path, const char* format, bool deep = false);

}  // namespace atrous::data::codec
