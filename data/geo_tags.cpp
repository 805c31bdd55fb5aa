// Reads a TIFF's or BigTIFF's first directory by itself: libtiff knows nothing of these tags.
#include "data/geo_tags.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "base/error.h"
#include "data/open_file.h"

namespace atrous::data {

namespace {

constexpr uint16_t orientation_tag = 274;
constexpr uint64_t longest_value = 1 << 16, most_entries = 4096;

// The type of a tag that is looked for; 0: it is not.
uint16_t type_of(uint16_t tag) {
    constexpr uint16_t text = 2, whole = 3, real = 12;
    switch (tag) {
        case orientation_tag:
        case 34735:
            return whole;
        case 33550:
        case 33922:
        case 34264:
        case 34736:
            return real;
        case 34737:
            return text;
        default:
            return 0;
    }
}

class Directory {
 public:
    explicit Directory(const std::string& path) : path_(path), file_(open_file(path)) {
        const std::vector<uint8_t> head = bytes(0, 16);
        if (head.size() < 8 || head[0] != head[1] || (head[0] != 'I' && head[0] != 'M')) return;
        swapped_ = head[0] == 'M';
        const uint64_t version = number(head, 2, 2);
        if (version != 42 && (version != 43 || head.size() < 16)) return;
        big_ = version == 43;
        at_ = number(head, big_ ? 8 : 4, big_ ? 8 : 4);
        count_ = std::min(number(bytes(at_, big_ ? 8 : 2), 0, big_ ? 8 : 2), most_entries);
        at_ += big_ ? 8 : 2;
    }

    uint64_t count() const { return count_; }
    // Without a value where it is damaged, too long, of a type that it does not have, or not looked for.
    TiffTag entry(uint64_t i) const {
        const size_t width = big_ ? 8 : 4;  // of counts and offsets
        const std::vector<uint8_t> e = bytes(at_ + i * (4 + 2 * width), 4 + 2 * width);
        if (e.size() < 4 + 2 * width) return {};
        TiffTag tag{uint16_t(number(e, 0, 2)), uint16_t(number(e, 2, 2)), number(e, 4, width), {}};
        const size_t element = size_t(size_of_tiff_type(tag.type));
        if (tag.type == 0 || tag.type != type_of(tag.tag) || tag.count > longest_value / element) return tag;
        const size_t size = tag.count * element;
        tag.value = size <= width ? std::vector(e.begin() + 4 + long(width), e.begin() + long(4 + width + size))
                                  : bytes(number(e, 4 + width, width), size);
        if (tag.value.size() != size) tag.value.clear();
        if (swapped_)
            for (size_t k = 0; k < tag.value.size(); k += element)
                std::reverse(tag.value.begin() + long(k), tag.value.begin() + long(k + element));
        return tag;
    }

 private:
    std::vector<uint8_t> bytes(uint64_t offset, size_t count) const {
        std::vector<uint8_t> all(count);
        all.resize(offset > uint64_t{1} << 62 ? 0 : read_part(file_, all.data(), count, offset, path_));
        return all;
    }
    // 0 where the file has ended.
    uint64_t number(const std::vector<uint8_t>& from, size_t at, size_t size) const {
        uint64_t value = 0;
        if (from.size() < at + size) return 0;
        for (size_t i = 0; i < size; ++i) value |= uint64_t(from[at + i]) << 8 * (swapped_ ? size - 1 - i : i);
        return value;
    }

    const std::string path_;
    const io::FileDescriptor file_;
    bool swapped_ = false, big_ = false;
    uint64_t at_ = 0, count_ = 0;  // where the entries lie, and how many there are
};

}  // namespace

int64_t size_of_tiff_type(uint16_t type) {
    constexpr int8_t sizes[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    return type < std::size(sizes) ? sizes[type] : 0;
}

// As libtiff does, the first entry of a number is taken and the others are passed over.
GeoTags geo_tags_of(const std::string& path) {
    GeoTags found;
    std::set<uint16_t> seen;
    const Directory directory(path);
    for (uint64_t i = 0; i < directory.count(); ++i) {
        TiffTag tag = directory.entry(i);
        if (!seen.insert(tag.tag).second) continue;
        if (tag.tag == orientation_tag)
            found.turned = tag.value.empty() || (tag.value[0] >= 2 && tag.value[0] <= 8);
        else if (!tag.value.empty())
            found.tags.push_back(std::move(tag));
    }
    found.turned = found.turned && !found.tags.empty();
    if (found.turned) found.tags.clear();
    std::sort(found.tags.begin(), found.tags.end(), [](const TiffTag& a, const TiffTag& b) { return a.tag < b.tag; });
    return found;
}

}  // namespace atrous::data
