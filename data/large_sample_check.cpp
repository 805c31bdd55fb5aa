#include "data/large_sample_check.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "data/band_files.h"
#include "data/codecs.h"
#include "data/fingerprint.h"
#include "data/mask_rows.h"
#include "data/open_file.h"
#include "data/transform.h"

namespace atrous::data {

namespace {

constexpr int64_t at_once = 64;           // rows
constexpr int64_t small_file = 64 << 10;  // what is large and fits into it holds next to nothing

std::unique_ptr<ImageRows> rows_of(const Sample& sample) {
    return sample.bands.empty() ? open_rows(sample.image_path) : open_bands(sample.bands);
}

uint64_t hash_of_file(const std::string& path) {
    const io::FileDescriptor file = open_file(path);
    std::vector<uint8_t> piece(16 << 20);
    Fingerprint all;
    for (uint64_t at = 0;; at += piece.size()) {
        piece.resize(read_part(file, piece.data(), piece.size(), at, path));
        if (piece.empty()) return all.value();
        all.add(piece);
        piece.resize(16 << 20);
    }
}

// The smallest and the largest value, and the rows that the print is made of.
class ImageLook {
 public:
    explicit ImageLook(const ImageRows& image)
        : h_(image.height()), w_(image.width()), wanted_(rows_of_print(h_, w_)) {}

    void add(int64_t first, const Image& rows) {
        const FoundImage part = look_at(rows);
        found_ = first == 0 ? part : found_;
        found_.low = std::min(found_.low, part.low), found_.high = std::max(found_.high, part.high);
        dispatch_pixels(rows, [&](auto zero) {
            if (first == 0) kept_ = make_image<decltype(zero)>(int64_t(wanted_.size()), w_, rows.c);
        });
        for (; next_ < wanted_.size() && wanted_[next_] < first + rows.h; ++next_)
            copy_rows(rows, wanted_[next_] - first, 1, kept_, int64_t(next_));
    }
    FoundImage found(int pages) const {
        FoundImage all = found_;
        all.h = h_, all.w = w_, all.paged = pages > 1;
        return all;
    }
    ImagePrint print() const { return print_of_rows(kept_, h_, found_.low, found_.high); }

 private:
    int64_t h_, w_;
    std::vector<int64_t> wanted_;
    size_t next_ = 0;
    FoundImage found_;
    Image kept_;
};

// Adds the values of some rows of a mask to those above them.
void add_values(const RawMask& rows, int64_t first, std::map<uint32_t, RawValue>& all) {
    for (RawValue v : raw_values(rows, {}, 4096)) {
        v.y += int32_t(first);
        const auto [at, fresh] = all.try_emplace(v.value, v);
        if (!fresh) at->second.count += v.count;
    }
}

// Rows that are gray in a mask in colours have colours like the others.
std::vector<RawValue> values_of(const std::map<uint32_t, RawValue>& all, bool colours) {
    std::map<uint32_t, RawValue> merged;
    for (auto [value, v] : all) {
        if (colours) v.value = v.colour;
        const auto [at, fresh] = merged.try_emplace(v.value, v);
        if (fresh) continue;
        const int64_t count = at->second.count + v.count;
        if (std::pair(v.y, v.x) < std::pair(at->second.y, at->second.x)) at->second = v;
        at->second.count = count;
    }
    std::vector<RawValue> values;
    for (const auto& [value, v] : merged) values.push_back(v);
    return values;
}

void look_at_mask(const Sample& sample, const MaskRule& rule, SampleFacts& facts) {
    MaskRows mask(sample, facts.image.h, facts.image.w);
    std::map<uint32_t, RawValue> all;
    bool alpha_varies = false, colours = false;
    for (int64_t n; mask.at() < facts.image.h;) {
        const int64_t first = mask.at();
        n = std::min(at_once, facts.image.h - first);
        const RawMask rows = mask.next(n);
        add_values(rows, first, all);
        alpha_varies = alpha_varies || rows.alpha_varies;
        facts.paletted = !rows.palette.empty();
        colours = colours || rows.image.c == 3;
        if (all.size() > 4096) break;  // as many as say that these are no classes
    }
    facts.values = values_of(all, colours);
    facts.all_values = facts.values.size() <= most_kept_values;
    facts.alpha_mask = alpha_varies && facts.values.size() == 1;
    if (!colours) facts.soft = has_soft_edges(facts.values, facts.paletted);
    if (!facts.all_values && rule.kind != MaskKind::automatic) facts.values = raw_values(facts.values, rule);
    if (rule.kind == MaskKind::automatic) facts.instances = -1;
    facts.values.shrink_to_fit();
}

}  // namespace

bool is_large(const Sample& sample) {
    const std::string& path = sample.bands.empty() ? sample.image_path : sample.bands[0];
    const io::FileDescriptor file = open_file(path);
    if (size_of_file(file, path) < small_file) return false;
    std::vector<uint8_t> head(4096);
    head.resize(read_part(file, head.data(), head.size(), 0, path));
    const codec::Codec* codec = codec::codec_of(head, path);
    const auto rows = codec && codec->rows ? codec->rows(path, false) : nullptr;
    return rows && rows->height() > most_checked_whole / rows->width();
}

SampleFacts look_at_rows(const Sample& sample, const MaskRule& rule) {
    SampleFacts facts;
    try {
        const auto image = rows_of(sample);
        ImageLook look(*image);
        while (image->left() > 0) {
            const int64_t first = image->height() - image->left();
            look.add(first, image->next(std::min(at_once, image->left())));
        }
        facts.image = look.found(image->pages());
        facts.print = look.print();
        Fingerprint bytes;
        for (const std::string& file : sample.bands) bytes.add(hash_of_file(file));
        facts.print.bytes = sample.bands.empty() ? hash_of_file(sample.image_path) : bytes.value();
        look_at_mask(sample, rule, facts);
    } catch (const DataError& error) {
        facts.problem = error.what();
    }
    return facts;
}

}  // namespace atrous::data
