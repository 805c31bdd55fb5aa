#include "data/check_index.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/crc32c.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "data/codecs.h"
#include "data/fingerprint.h"

namespace atrous::data {

namespace {

constexpr char magic[8] = {'a', 't', 'r', 'o', 'u', 's', 'C', 'K'};
// Raised where other facts are kept, or where the same files would now give others: a codec that decodes otherwise.
constexpr uint32_t version = 3;
constexpr uint64_t most_bytes = uint64_t(4) << 30;  // some million samples

struct Header {
    char magic[8] = {};
    uint32_t version = 0, crc = 0;                    // crc: of all that follows it
    uint64_t entries = 0, bytes = 0, decoded_by = 0;  // bytes: after the header; decoded_by: hash_of_versions
};
constexpr size_t checked_from = offsetof(Header, entries);

struct EntryHead {
    uint64_t name = 0, state = 0;
    uint32_t size = 0, unused = 0;
};

class Writer {
 public:
    explicit Writer(std::vector<uint8_t>& bytes) : bytes_(bytes) {}
    template <class T>
    void put(const T& value) {
        const auto* from = reinterpret_cast<const uint8_t*>(&value);
        bytes_.insert(bytes_.end(), from, from + sizeof value);
    }

 private:
    std::vector<uint8_t>& bytes_;
};

class Reader {
 public:
    Reader(const uint8_t* from, size_t size) : from_(from), left_(size) {}
    template <class T>
    T get() {
        T value{};
        ok_ = ok_ && left_ >= sizeof value;
        if (!ok_) return value;
        std::memcpy(&value, from_, sizeof value);
        from_ += sizeof value, left_ -= sizeof value;
        return value;
    }
    bool ok() const { return ok_; }
    bool at_end() const { return ok_ && left_ == 0; }

 private:
    const uint8_t* from_;
    size_t left_;
    bool ok_ = true;
};

uint8_t flags_of(const SampleFacts& f) {
    const bool flags[] = {f.image.bands, f.image.deep, f.image.floats, f.image.paged,
                          f.all_values,  f.paletted,   f.alpha_mask,   f.soft};
    uint8_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = uint8_t(bits | int(flags[i]) << i);
    return bits;
}

void set_flags(uint8_t bits, SampleFacts& f) {
    bool* const flags[] = {&f.image.bands, &f.image.deep, &f.image.floats, &f.image.paged,
                           &f.all_values,  &f.paletted,   &f.alpha_mask,   &f.soft};
    for (int i = 0; i < 8; ++i) *flags[i] = bits >> i & 1;
}

void write_facts(const SampleFacts& f, std::vector<uint8_t>& bytes) {
    Writer w(bytes);
    w.put(int32_t(f.image.h)), w.put(int32_t(f.image.w)), w.put(uint8_t(f.image.c)), w.put(flags_of(f));
    w.put(f.image.low), w.put(f.image.high), w.put(f.instances);
    w.put(f.print.bytes), w.put(f.print.look), w.put(f.print.tone), w.put(f.print.has_look);
    w.put(uint16_t(f.values.size()));
    for (const RawValue& v : f.values)
        w.put(v.value), w.put(v.count), w.put(v.x), w.put(v.y), w.put(v.colour), w.put(v.width);
}

std::optional<SampleFacts> read_facts(const uint8_t* from, size_t size) {
    Reader r(from, size);
    SampleFacts f;
    f.image.h = r.get<int32_t>(), f.image.w = r.get<int32_t>(), f.image.c = r.get<uint8_t>();
    set_flags(r.get<uint8_t>(), f);
    f.image.low = r.get<float>(), f.image.high = r.get<float>(), f.instances = r.get<int32_t>();
    f.print.bytes = r.get<uint64_t>(), f.print.look = r.get<std::array<uint64_t, 2>>();
    f.print.tone = r.get<std::array<uint8_t, 12>>(), f.print.has_look = r.get<uint8_t>() != 0;
    const size_t count = r.get<uint16_t>();
    for (size_t i = 0; i < count && r.ok(); ++i) {
        RawValue v;
        v.value = r.get<uint32_t>(), v.count = r.get<int64_t>(), v.x = r.get<int32_t>(), v.y = r.get<int32_t>();
        v.colour = r.get<uint32_t>(), v.width = r.get<uint16_t>();
        f.values.push_back(v);
    }
    f.values.shrink_to_fit();
    if (!r.at_end() || f.image.h <= 0 || f.image.w <= 0) return std::nullopt;
    return f;
}

// Where not all values are kept, the facts are those of one rule; those of others have entries of their own.
uint64_t name_under(const SampleKey& key, const MaskRule& rule) {
    return Fingerprint().add(key.name).add(text_of(rule)).value();
}

// Refuses what is none of these files before it takes memory for it.
std::vector<uint8_t> bytes_of(const io::FileDescriptor& file, uint64_t size, const std::string& path) {
    Header header;
    if (size < sizeof header || size > most_bytes) throw FormatError("of another size");
    if (io::read_at(file, &header, sizeof header, 0, path) != sizeof header) throw FormatError("short");
    if (std::memcmp(header.magic, magic, sizeof magic) != 0) throw FormatError("no index");
    if (header.version != version) return {};
    if (header.bytes != size - sizeof header) throw FormatError("of another size");
    std::vector<uint8_t> bytes(size);
    if (io::read_at(file, bytes.data(), size, 0, path) != size) throw FormatError("short");
    if (io::crc32c(bytes.data() + checked_from, size - checked_from) != header.crc) throw FormatError("damaged");
    return header.decoded_by == codec::hash_of_versions() ? bytes : std::vector<uint8_t>();
}

// A lock that processes take turns by; without one where the file system has none.
class FileLock {
 public:
    explicit FileLock(const std::string& path) : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
        if (file_)
            while (::flock(file_.get(), LOCK_EX) != 0 && errno == EINTR) {
            }
    }

 private:
    io::FileDescriptor file_;
};

}  // namespace

std::string check_index_file(const std::string& setting, const std::string& root) {
    if (setting == "none") return "";
    const std::string cache = cache_folder();
    if (setting.empty() && cache.empty()) return "";
    return fmt::format("{}/{:016x}.index", setting.empty() ? cache + "/checks" : setting,
                       Fingerprint().add(canonical_path(root)).value());
}

CheckIndex::CheckIndex(std::string path) : path_(std::move(path)) {
    if (path_.empty() || !path_exists(path_)) return;
    try {
        read();
    } catch (const std::exception& error) {  // no memory for it, too
        kept_.clear(), kept_bytes_.clear();
        const bool damaged = !dynamic_cast<const Error*>(&error) || dynamic_cast<const FormatError*>(&error);
        warnings_.push_back(
            fmt::format("{}: {}; the images are checked anew, and the file is replaced", path_,
                        damaged ? std::string("the index of an earlier check is damaged") : error.what()));
    }
}

void CheckIndex::read() {
    const io::FileDescriptor file = io::open_for_reading(path_);
    stamp_ = io::stamp_of(file, path_);
    std::vector<uint8_t> bytes = bytes_of(file, uint64_t(stamp_.bytes), path_);
    Entries entries;
    if (!bytes.empty()) {
        Header header;
        std::memcpy(&header, bytes.data(), sizeof header);
        if (header.entries > header.bytes / sizeof(EntryHead)) throw FormatError("damaged");
        entries.reserve(header.entries);
        size_t at = sizeof header;
        for (uint64_t i = 0; i < header.entries; ++i) {
            EntryHead head;
            if (bytes.size() - at < sizeof head) throw FormatError("damaged");
            std::memcpy(&head, bytes.data() + at, sizeof head);
            at += sizeof head;
            if (bytes.size() - at < head.size) throw FormatError("damaged");
            entries[head.name] = {head.state, at, head.size};
            at += head.size;
        }
        if (at != bytes.size()) throw FormatError("damaged");
    }
    kept_ = std::move(entries);
    kept_bytes_ = std::move(bytes);
}

std::optional<SampleFacts> CheckIndex::find(const SampleKey& key, const MaskRule& rule) const {
    if (key.state == 0) return std::nullopt;
    const auto look = [&](uint64_t name, const Entries& entries, const std::vector<uint8_t>& bytes) {
        std::optional<SampleFacts> found;
        const auto at = entries.find(name);
        if (at == entries.end() || at->second.state != key.state) return found;
        found = read_facts(bytes.data() + at->second.at, at->second.size);
        if (found && found->all_values != (name == key.name)) found.reset();
        if (found && rule.kind == MaskKind::automatic && found->instances == not_counted) found.reset();
        return found;
    };
    ++asked_;
    for (const uint64_t name : {key.name, name_under(key, rule)}) {
        auto found = look(name, kept_, kept_bytes_);
        const std::lock_guard lock(mutex_);
        if (found) hits_.insert(name);
        if (!found) found = look(name, fresh_, fresh_bytes_);
        if (found) return found;
    }
    return std::nullopt;
}

void CheckIndex::add(const SampleKey& key, const MaskRule& rule, const SampleFacts& facts) {
    if (key.state == 0 || !facts.problem.empty() || facts.values.size() > 4 * most_kept_values) return;
    std::vector<uint8_t> bytes;
    write_facts(facts, bytes);
    const std::lock_guard lock(mutex_);
    fresh_[facts.all_values ? key.name : name_under(key, rule)] = {key.state, fresh_bytes_.size(),
                                                                   uint32_t(bytes.size())};
    fresh_bytes_.insert(fresh_bytes_.end(), bytes.begin(), bytes.end());
    saved_ = false;
}

void CheckIndex::save() {
    if (path_.empty() || saved_) return;
    saved_ = true;
    try {
        make_folders(path_.substr(0, path_.rfind('/')));
        const FileLock lock(path_ + ".lock");
        read_what_others_added();
        replace_file();
    } catch (const std::exception& error) {
        warnings_.push_back(
            fmt::format("what was found of the images cannot be kept for the next time: {}; `check-cache` names "
                        "another folder, or none",
                        error.what()));
        path_.clear();  // said once
    }
}

void CheckIndex::read_what_others_added() {
    try {
        if (!path_exists(path_) || io::stamp_of(io::open_for_reading(path_), path_) == stamp_) return;
        read();
    } catch (const std::exception&) {
        kept_.clear(), kept_bytes_.clear();
    }
}

void CheckIndex::replace_file() {
    const bool outnumbered = int64_t(kept_.size()) > 10 * std::max<int64_t>(asked_, 1000);
    Header header{{}, version, 0, 0, 0, codec::hash_of_versions()};
    std::memcpy(header.magic, magic, sizeof magic);
    std::vector<uint8_t> bytes(sizeof header);
    const auto append = [&](uint64_t name, const Entry& e, const std::vector<uint8_t>& from) {
        Writer(bytes).put(EntryHead{name, e.state, e.size, 0});
        bytes.insert(bytes.end(), from.begin() + ptrdiff_t(e.at), from.begin() + ptrdiff_t(e.at + e.size));
        ++header.entries;
    };
    for (const auto& [name, entry] : kept_)
        if ((!outnumbered || hits_.contains(name)) && !fresh_.contains(name)) append(name, entry, kept_bytes_);
    for (const auto& [name, entry] : fresh_) append(name, entry, fresh_bytes_);
    header.bytes = bytes.size() - sizeof header;
    std::memcpy(bytes.data(), &header, sizeof header);
    header.crc = io::crc32c(bytes.data() + checked_from, bytes.size() - checked_from);
    std::memcpy(bytes.data(), &header, sizeof header);
    io::write_durably(path_, bytes);
}

}  // namespace atrous::data
