// What a file among images is whose name says nothing: an image all the same, or of a kind that is not read.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace atrous::data {

struct Content {
    bool is_read = false;  // a codec decodes it, whatever it is called
    std::string kind;      // "JPEG", "WebP"
};
// By the first bytes, of formats that are archives by the extension. Returns nothing for what is no image, hidden files
// and what cannot be opened.
std::optional<Content> image_content(const std::string& path);

// "3 WebP (a.webp, b.webp, c.webp)" of lines "path (kind)", as ImageList::unread holds them.
std::string text_of_unread(const std::vector<std::string>& unread);

}  // namespace atrous::data
