// libtiff, opened when the first TIFF comes: linked, it and the eight libraries it brings would take a fifth of the
// time that the program needs to start.
#pragma once

#include <tiffio.h>

#include <string>

namespace atrous::data {

// The functions of libtiff that are called, by their names there without TIFF.
struct LibTiff {
    decltype(&TIFFClientOpenExt) client_open = nullptr;
    decltype(&TIFFClose) close = nullptr;
    decltype(&TIFFOpenOptionsAlloc) options_alloc = nullptr;
    decltype(&TIFFOpenOptionsFree) options_free = nullptr;
    decltype(&TIFFOpenOptionsSetMaxSingleMemAlloc) set_max_single_mem_alloc = nullptr;
    decltype(&TIFFOpenOptionsSetErrorHandlerExtR) set_error_handler = nullptr;
    decltype(&TIFFOpenOptionsSetWarningHandlerExtR) set_warning_handler = nullptr;
    decltype(&TIFFGetField) get_field = nullptr;
    decltype(&TIFFGetFieldDefaulted) get_field_defaulted = nullptr;
    decltype(&TIFFSetField) set_field = nullptr;
    decltype(&TIFFReadDirectory) read_directory = nullptr;
    decltype(&TIFFFindCODEC) find_codec = nullptr;
    decltype(&TIFFIsCODECConfigured) is_codec_configured = nullptr;
    decltype(&TIFFIsTiled) is_tiled = nullptr;
    decltype(&TIFFTileSize64) tile_size = nullptr;
    decltype(&TIFFStripSize64) strip_size = nullptr;
    decltype(&TIFFComputeTile) compute_tile = nullptr;
    decltype(&TIFFComputeStrip) compute_strip = nullptr;
    decltype(&TIFFReadEncodedTile) read_encoded_tile = nullptr;
    decltype(&TIFFReadEncodedStrip) read_encoded_strip = nullptr;
    decltype(&TIFFReadScanline) read_scanline = nullptr;
    decltype(&TIFFRGBAImageOK) rgba_image_ok = nullptr;
    decltype(&TIFFReadRGBAImageOriented) read_rgba_image_oriented = nullptr;
};

// Opens the library of this soname, which stays open. Throws IoError with the loader's words where there is none, or
// where it lacks a function.
LibTiff open_libtiff(const std::string& soname);

// The one that this was compiled for, opened by the first call. Throws as above, at each call anew.
const LibTiff& libtiff();

}  // namespace atrous::data
