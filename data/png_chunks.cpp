#include "data/png_chunks.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "base/paths.h"

namespace atrous::data {

namespace codec {

void check_chunks(Bytes png, const std::string& path) {
    for_each_chunk(png, [&](const PngChunk& chunk) {
        if (chunk.length <= chunk.data.size()) return true;
        std::string name;
        for (const uint8_t c : chunk.name) name += std::isalpha(c) ? char(c) : '?';
        damaged(path, "PNG",
                fmt::format("its chunk {} announces {} bytes, {} are there", name, chunk.length, chunk.data.size()));
    });
}

}  // namespace codec

bool is_our_png(const std::string& path) {
    uint8_t head[4096];  // the largest palette comes before the mark and takes 780
    if (!is_file(path)) return false;
    std::ifstream file(path, std::ios::binary);
    file.read(reinterpret_cast<char*>(head), sizeof head);
    const codec::Bytes bytes(head, size_t(file.gcount()));
    const std::string mark = std::string(codec::mark_key) + '\0' + codec::mark_text;
    bool ours = false;
    if (codec::is_png(bytes))
        codec::for_each_chunk(bytes, [&](const codec::PngChunk& chunk) {
            ours = chunk.is("tEXt") && chunk.length == mark.size() && std::ranges::equal(chunk.data, mark);
            return !ours && !chunk.is("IDAT");
        });
    return ours;
}

}  // namespace atrous::data
