// Reads a TIFF's or BigTIFF's first directory by itself: libtiff knows nothing of these tags.
#include "data/geo_tags.h"

#include <algorithm>
#include <iterator>

#include "base/error.h"
#include "data/open_file.h"

namespace atrous::data {

namespace {

constexpr uint16_t orientation_tag = 274;
constexpr uint16_t geo_tags[] = {33550, 33922, 34264, 34735, 34736, 34737, 42113};
constexpr uint64_t longest_value = 1 << 20, most_entries = 4096;

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
    TiffTag entry(uint64_t i) const {
        const size_t width = big_ ? 8 : 4;  // of counts and offsets
        const std::vector<uint8_t> e = bytes(at_ + i * (4 + 2 * width), 4 + 2 * width);
        TiffTag tag{uint16_t(number(e, 0, 2)), uint16_t(number(e, 2, 2)), number(e, 4, width), {}};
        const size_t element = size_t(size_of_tiff_type(tag.type));
        if (element == 0 || tag.count > longest_value / element || e.size() < 4 + 2 * width) return {};
        const size_t size = tag.count * element;
        tag.value = size <= width ? std::vector(e.begin() + 4 + long(width), e.begin() + long(4 + width + size))
                                  : bytes(number(e, 4 + width, width), size);
        if (tag.value.size() != size) return {};
        const size_t word = tag.type == 5 || tag.type == 10 ? 4 : element;  // fractions are two numbers
        if (swapped_)
            for (size_t k = 0; k < size; k += word)
                std::reverse(tag.value.begin() + long(k), tag.value.begin() + long(k + word));
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

std::vector<TiffTag> geo_tags_of(const std::string& path) {
    std::vector<TiffTag> found;
    const Directory directory(path);
    for (uint64_t i = 0; i < directory.count(); ++i) {
        TiffTag tag = directory.entry(i);
        if (tag.tag == orientation_tag && (tag.value.empty() || tag.value[0] != 1)) return {};
        if (std::count(std::begin(geo_tags), std::end(geo_tags), tag.tag)) found.push_back(std::move(tag));
    }
    std::sort(found.begin(), found.end(), [](const TiffTag& a, const TiffTag& b) { return a.tag < b.tag; });
    return found;
}

}  // namespace atrous::data
