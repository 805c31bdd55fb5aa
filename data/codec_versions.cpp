// Which program and libraries decode. Only what is linked can be asked at runtime, and of that JPEG's and GIF's cannot.
#include <gif_lib.h>
#include <jconfig.h>
#include <png.h>
#include <tiffio.h>
#include <webp/decode.h>
#include <zlib.h>

#include "data/codecs.h"
#include "data/fingerprint.h"

namespace atrous::data::codec {

uint64_t hash_of_versions() {
    static const uint64_t hash = Fingerprint()
                                     .add(ATROUS_VERSION)
                                     .add(LIBJPEG_TURBO_VERSION_NUMBER)
                                     .add(png_get_libpng_ver(nullptr))
                                     .add(zlibVersion())
                                     .add(WebPGetDecoderVersion())
                                     .add(TIFFLIB_VERSION)
                                     .add(100 * (100 * GIFLIB_MAJOR + GIFLIB_MINOR) + GIFLIB_RELEASE)
                                     .value();
    return hash;
}

}  // namespace atrous::data::codec
