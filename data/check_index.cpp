#include "data/check_index.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>

#include <algorithm>
#include <cstring>

#include "base/crc32c.h"
#include "base/durable_file.h"
#include "base/error.h"
#include "base/paths.h"
#include "data/fingerprint.h"

namespace atrous::data {

namespace {

constexpr char magic[8] = {'a', 't', 'r', 'o', 'u', 's', 'C', 'K'};
// Raised where other facts are kept, or where the same files would now give others: a codec that decodes otherwise.
constexpr uint32_t version = 1;

struct Header {
    char magic[8] = {};
    uint32_t version = 0, crc = 0;  // crc: of all that follows the header
    uint64_t entries = 0, bytes = 0;
};

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

// Where not all values are kept, the facts are those of one rule.
uint64_t state_under(const SampleKey& key, const MaskRule& rule) {
    return Fingerprint().add(key.state).add(text_of(rule)).value();
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
    } catch (const Error& error) {
        kept_.clear(), kept_bytes_.clear();
        warnings_.push_back(fmt::format("{}: {}; the images are checked anew, and the file is replaced", path_,
                                        dynamic_cast<const FormatError*>(&error)
                                            ? std::string("the index of an earlier check is damaged")
                                            : std::string(error.what())));
    }
}

void CheckIndex::read() {
    const io::FileDescriptor file = io::open_for_reading(path_);
    stamp_ = io::stamp_of(file, path_);
    std::vector<uint8_t> bytes(size_t(stamp_.bytes));
    if (io::read_at(file, bytes.data(), bytes.size(), 0, path_) != bytes.size()) throw FormatError("short");
    Header header;
    if (bytes.size() < sizeof header) throw FormatError("short");
    std::memcpy(&header, bytes.data(), sizeof header);
    if (std::memcmp(header.magic, magic, sizeof magic) != 0) throw FormatError("no index");
    if (header.version != version) return;
    const size_t body = bytes.size() - sizeof header;
    if (header.bytes != body || io::crc32c(bytes.data() + sizeof header, body) != header.crc)
        throw FormatError("damaged");
    size_t at = sizeof header;
    Entries entries;
    entries.reserve(header.entries);
    for (uint64_t i = 0; i < header.entries; ++i) {
        EntryHead head;
        if (bytes.size() - at < sizeof head) throw FormatError("damaged");
        std::memcpy(&head, bytes.data() + at, sizeof head);
        at += sizeof head;
        if (bytes.size() - at < head.size) throw FormatError("damaged");
        entries[head.name] = {head.state, at, head.size};
        at += head.size;
    }
    kept_ = std::move(entries);
    kept_bytes_ = std::move(bytes);
}

std::optional<SampleFacts> CheckIndex::find(const SampleKey& key, const MaskRule& rule) const {
    if (key.state == 0) return std::nullopt;
    std::optional<SampleFacts> found;
    const auto look = [&](const Entries& entries, const std::vector<uint8_t>& bytes) {
        const auto at = entries.find(key.name);
        if (at == entries.end()) return;
        const Entry& e = at->second;
        if (e.state != key.state && e.state != state_under(key, rule)) return;
        found = read_facts(bytes.data() + e.at, e.size);
        if (found && found->all_values != (e.state == key.state)) found.reset();
        if (found && rule.kind == MaskKind::automatic && found->instances == not_counted) found.reset();
    };
    ++asked_;
    look(kept_, kept_bytes_);
    if (found) return found;
    const std::lock_guard lock(mutex_);
    look(fresh_, fresh_bytes_);
    return found;
}

void CheckIndex::add(const SampleKey& key, const MaskRule& rule, const SampleFacts& facts) {
    if (key.state == 0 || !facts.problem.empty() || facts.values.size() > 4 * most_kept_values) return;
    std::vector<uint8_t> bytes;
    write_facts(facts, bytes);
    const std::lock_guard lock(mutex_);
    fresh_[key.name] = {facts.all_values ? key.state : state_under(key, rule), fresh_bytes_.size(),
                        uint32_t(bytes.size())};
    fresh_bytes_.insert(fresh_bytes_.end(), bytes.begin(), bytes.end());
}

void CheckIndex::save() {
    if (path_.empty() || fresh_.empty()) return;
    try {
        make_folders(path_.substr(0, path_.rfind('/')));
        const FileLock lock(path_ + ".lock");
        read_what_others_added();
        replace_file();
    } catch (const Error& error) {
        warnings_.push_back(
            fmt::format("what was found of the images cannot be kept for the next time: {}; `check-cache` names "
                        "another folder, or none",
                        error.what()));
    }
}

void CheckIndex::read_what_others_added() {
    try {
        if (!path_exists(path_) || io::stamp_of(io::open_for_reading(path_), path_) == stamp_) return;
        read();
    } catch (const Error&) {
        kept_.clear(), kept_bytes_.clear();
    }
}

void CheckIndex::replace_file() {
    const bool outnumbered = int64_t(kept_.size()) > 10 * std::max<int64_t>(asked_, 1000);
    std::vector<uint8_t> body;
    uint64_t entries = 0;
    const auto append = [&](uint64_t name, const Entry& e, const std::vector<uint8_t>& from) {
        Writer(body).put(EntryHead{name, e.state, e.size, 0});
        body.insert(body.end(), from.begin() + ptrdiff_t(e.at), from.begin() + ptrdiff_t(e.at + e.size));
        ++entries;
    };
    for (const auto& [name, entry] : kept_)
        if (!outnumbered && !fresh_.contains(name)) append(name, entry, kept_bytes_);
    for (const auto& [name, entry] : fresh_) append(name, entry, fresh_bytes_);
    Header header{{}, version, io::crc32c(body.data(), body.size()), entries, body.size()};
    std::memcpy(header.magic, magic, sizeof magic);
    io::write_durably(path_, [&](io::FileSink& sink) {
        sink.write(&header, sizeof header);
        sink.write(body.data(), body.size());
    });
}

}  // namespace atrous::data
