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
constexpr int64_t most_bytes_a_pixel = 4 * max_channels;

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

constexpr size_t most_values = 4096;  // of a mask; as many say that these are no classes

using ValuesByKey = std::map<uint32_t, RawValue>;

// Adds up the values of a mask some rows at a time: each of them up to most_values, and of a definite rule each class.
class ValuesOfRows {
 public:
    explicit ValuesOfRows(const MaskRule& rule) : rule_(rule) {}

    void add(const RawMask& rows, int64_t first) {
        const std::vector<RawValue> values = raw_values(rows, {}, most_values);
        if (!too_many()) add(values, first, all_, [](uint32_t value) { return value; });
        if (rule_.kind == MaskKind::automatic) return;
        add(values.size() < most_values ? raw_values(values, rule_) : raw_values(rows, rule_), first, by_class_,
            [this](uint32_t value) { return uint32_t(rule_.class_of(value)); });
    }
    bool too_many() const { return all_.size() > most_values; }
    const ValuesByKey& all() const { return all_; }  // where they are not too many
    std::vector<RawValue> by_class(bool colours) const {
        std::vector<RawValue> values;
        for (const auto& [id, v] : by_class_) values.push_back(v);
        if (colours)
            for (RawValue& v : values) v.value = v.colour;
        std::sort(values.begin(), values.end(), [](const auto& a, const auto& b) { return a.value < b.value; });
        return values;
    }

 private:
    template <class KeyOf>
    static void add(const std::vector<RawValue>& values, int64_t first, ValuesByKey& all, KeyOf key_of) {
        for (RawValue v : values) {
            v.y += int32_t(first);
            const auto [at, fresh] = all.try_emplace(key_of(v.value), v);
            if (!fresh) at->second.count += v.count;
        }
    }
    const MaskRule& rule_;
    ValuesByKey all_, by_class_;
};

// Rows that are gray in a mask in colours have colours like the others.
std::vector<RawValue> values_of(const ValuesByKey& all, bool colours) {
    ValuesByKey merged;
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

// The rows of a file that is read by rows, unless so little is in it that its size does not matter; else null.
std::unique_ptr<ImageRows> rows_of_filled(const std::string& path) {
    const io::FileDescriptor file = open_file(path);
    if (size_of_file(file, path) < small_file) return nullptr;
    std::vector<uint8_t> head(4096);
    head.resize(read_part(file, head.data(), head.size(), 0, path));
    const codec::Codec* codec = codec::codec_of(head, path);
    return codec && codec->rows ? codec->rows(path, false) : nullptr;
}

int64_t bytes_a_pixel(const Image& image) { return image.c * (image.is_float() ? 4 : image.is_16bit() ? 2 : 1); }

void look_at_mask(const Sample& sample, const MaskRule& rule, SampleFacts& facts) {
    MaskRows mask(sample, facts.image.h, facts.image.w);
    const bool automatic = rule.kind == MaskKind::automatic;
    ValuesOfRows found(rule);
    bool alpha_varies = false, colours = false;
    for (int64_t n; mask.at() < facts.image.h;) {
        const int64_t first = mask.at();
        n = std::min(at_once, facts.image.h - first);
        const RawMask rows = mask.next(n);
        found.add(rows, first);
        alpha_varies = alpha_varies || rows.alpha_varies;
        facts.paletted = !rows.palette.empty();
        colours = colours || rows.image.c == 3;
        if (automatic && found.too_many()) break;
    }
    facts.values = values_of(found.all(), colours);
    facts.all_values = facts.values.size() <= most_kept_values;
    facts.alpha_mask = alpha_varies && facts.values.size() == 1;
    if (!colours) facts.soft = has_soft_edges(facts.values, facts.paletted);
    if (!facts.all_values && !automatic)
        facts.values = found.too_many() ? found.by_class(colours) : raw_values(facts.values, rule);
    if (automatic) facts.instances = -1;
    facts.values.shrink_to_fit();
}

}  // namespace

bool is_large(const Sample& sample) {
    const std::vector<std::string> files = sample.bands.empty() ? std::vector{sample.image_path} : sample.bands;
    int64_t pixels = 0, bytes = 0;  // of the largest file, and a pixel's
    for (const std::string& file : files) {
        const auto rows = rows_of_filled(file);
        if (!rows) continue;
        const int64_t of_file = rows->height() * rows->width();
        if (of_file > most_checked_whole) return true;
        if (of_file > most_bytes_whole / most_bytes_a_pixel) bytes = std::max(bytes, bytes_a_pixel(rows->next(1)));
        pixels = std::max(pixels, of_file);
    }
    return pixels * bytes * int64_t(files.size()) > most_bytes_whole;
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
