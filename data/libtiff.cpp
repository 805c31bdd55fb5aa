#include "data/libtiff.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include "base/error.h"

namespace atrous::data {

namespace {

// Of releases 4.5 and later: those before have no TIFFOpenOptions.
constexpr const char* needed_soname = "libtiff.so.6";

class Library {
 public:
    explicit Library(const std::string& soname) : handle_(dlopen(soname.c_str(), RTLD_NOW | RTLD_LOCAL)) {
        if (!handle_) refuse();
    }

    template <class Function>
    void find(Function& function, const char* name) const {
        function = reinterpret_cast<Function>(dlsym(handle_, name));
        if (!function) refuse();
    }

 private:
    [[noreturn]] static void refuse() {
        const char* why = dlerror();
        throw IoError(
            fmt::format("libtiff, which TIFF needs, cannot be opened: {}; install it (apt-get install libtiff6)",
                        why ? why : "it lacks a function"));
    }

    void* handle_;
};

}  // namespace

LibTiff open_libtiff(const std::string& soname) {
    const Library library(soname);
    LibTiff tiff;
    library.find(tiff.client_open, "TIFFClientOpenExt");
    library.find(tiff.close, "TIFFClose");
    library.find(tiff.options_alloc, "TIFFOpenOptionsAlloc");
    library.find(tiff.options_free, "TIFFOpenOptionsFree");
    library.find(tiff.set_max_single_mem_alloc, "TIFFOpenOptionsSetMaxSingleMemAlloc");
    library.find(tiff.set_error_handler, "TIFFOpenOptionsSetErrorHandlerExtR");
    library.find(tiff.set_warning_handler, "TIFFOpenOptionsSetWarningHandlerExtR");
    library.find(tiff.get_field, "TIFFGetField");
    library.find(tiff.get_field_defaulted, "TIFFGetFieldDefaulted");
    library.find(tiff.set_field, "TIFFSetField");
    library.find(tiff.read_directory, "TIFFReadDirectory");
    library.find(tiff.find_codec, "TIFFFindCODEC");
    library.find(tiff.is_codec_configured, "TIFFIsCODECConfigured");
    library.find(tiff.is_tiled, "TIFFIsTiled");
    library.find(tiff.tile_size, "TIFFTileSize64");
    library.find(tiff.strip_size, "TIFFStripSize64");
    library.find(tiff.compute_tile, "TIFFComputeTile");
    library.find(tiff.compute_strip, "TIFFComputeStrip");
    library.find(tiff.read_encoded_tile, "TIFFReadEncodedTile");
    library.find(tiff.read_encoded_strip, "TIFFReadEncodedStrip");
    library.find(tiff.read_scanline, "TIFFReadScanline");
    library.find(tiff.rgba_image_ok, "TIFFRGBAImageOK");
    library.find(tiff.read_rgba_image_oriented, "TIFFReadRGBAImageOriented");
    return tiff;
}

const LibTiff& libtiff() {
    static const LibTiff library = open_libtiff(needed_soname);
    return library;
}

}  // namespace atrous::data
