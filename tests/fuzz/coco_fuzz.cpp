// Any bytes as COCO's annotations, as compressed runs and as a bitmap: drawn or refused with a DataError, nothing else.
#include "base/error.h"
#include "data/layouts/coco.h"

using namespace atrous;

template <class F>
static void refused_or_done(F f) {
    try {
        f();
    } catch (const DataError&) {
    }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    refused_or_done([&] {
        data::CocoFile file = data::parse_coco(text, "x.json");
        for (data::CocoFile::Image& image : file.images) {
            image.mask.h = image.mask.w = 0;  // or no image would be of its size
            refused_or_done([&] { data::drawn_mask(std::move(image.mask))->draw(37, 41, "x.json"); });
        }
    });
    refused_or_done([&] { data::decode_rle(data::runs_of_counts(data::counts_of_text(text, "x"), "x"), 5, 7, "x:1"); });
    refused_or_done([&] { data::inflate_zlib(data::from_base64(text, "x"), "x"); });
    return 0;
}
