#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <utility>

#include "base/byte_reader.h"
#include "base/crc32.h"
#include "base/text.h"
#include "engine/io/zip.h"

namespace atrous::io {
namespace {

constexpr uint32_t local_signature = 0x04034b50, central_signature = 0x02014b50, end_signature = 0x06054b50,
                   end64_signature = 0x06064b50, locator_signature = 0x07064b50;
constexpr uint64_t local_bytes = 30, central_bytes = 46, end_bytes = 22, end64_bytes = 56, locator_bytes = 20;
constexpr uint16_t flag_descriptor = 1 << 3, flag_utf8 = 1 << 11, flags_of_deflate = 3 << 1;
constexpr uint64_t max_entries = 70'000;  // 65,536 tensors and what else PyTorch puts in
constexpr size_t max_name_bytes = 1024;

struct Directory {
    uint64_t entries = 0, begin = 0, bytes = 0;
    uint64_t end = 0;  // where the end records begin
};

struct CentralEntry {
    ZipEntry entry;
    uint64_t header = 0;  // of the local header
    uint16_t flags = 0;
};

class Reader {
 public:
    Reader(const FileDescriptor& file, const std::string& path) : file_(file), path_(path) {
        struct stat status;
        if (::fstat(file.get(), &status) != 0) throw system_error("cannot read " + path, errno);
        file_bytes_ = uint64_t(status.st_size);
    }

    std::vector<ZipEntry> entries() {
        const Directory directory = find_directory();
        std::vector<CentralEntry> all = read_directory(directory);
        std::sort(all.begin(), all.end(),
                  [](const CentralEntry& a, const CentralEntry& b) { return a.header < b.header; });
        uint64_t free_from = 0;
        for (CentralEntry& e : all) {
            if (e.header < free_from)
                throw bad(fmt::format("entries overlap at byte {} ({})", e.header, in_quotes(e.entry.name)));
            check_local(e, directory.begin);
            free_from = e.entry.begin + e.entry.bytes;
        }
        std::vector<ZipEntry> entries;
        for (CentralEntry& e : all) entries.push_back(std::move(e.entry));
        std::sort(entries.begin(), entries.end(), [](const ZipEntry& a, const ZipEntry& b) { return a.name < b.name; });
        const auto twice = std::adjacent_find(entries.begin(), entries.end(),
                                              [](const ZipEntry& a, const ZipEntry& b) { return a.name == b.name; });
        if (twice != entries.end()) throw bad("two entries are named " + in_quotes(twice->name));
        return entries;
    }

 private:
    FormatError bad(const std::string& what) const {
        return FormatError(path_ + ": the zip archive is refused: " + what);
    }

    ByteReader at(uint64_t begin, uint64_t end) const { return {file_, begin, end, path_, "its zip archive"}; }

    // Archives here carry no comment, so the end record is the last thing in the file.
    Directory find_directory() {
        if (file_bytes_ < end_bytes) throw bad("the file is too short for one; copy or download it again");
        const uint64_t end = file_bytes_ - end_bytes;
        ByteReader r = at(end, file_bytes_);
        if (r.number<uint32_t>() != end_signature)
            throw bad(
                "no directory at the end of the file: it was cut short, or something follows it; copy or download it "
                "again");
        const uint32_t disks = r.number<uint32_t>();
        const uint16_t here = r.number<uint16_t>(), in_all = r.number<uint16_t>();
        Directory d;
        d.entries = in_all;
        d.bytes = r.number<uint32_t>();
        d.begin = r.number<uint32_t>();
        d.end = end;
        if (disks != 0 || here != in_all) throw bad("it is split over several disks");
        if (r.number<uint16_t>() != 0) throw bad("it ends with a comment");
        if (end >= locator_bytes && at(end - locator_bytes, end).number<uint32_t>() == locator_signature)
            read_zip64(d, end - locator_bytes);
        if (d.entries > max_entries) throw bad(fmt::format("it has {} entries (at most {})", d.entries, max_entries));
        if (d.begin > d.end || d.bytes != d.end - d.begin)
            throw bad(fmt::format("its directory would be bytes {} to {}+{}, but ends at {}", d.begin, d.begin, d.bytes,
                                  d.end));
        if (d.bytes / central_bytes < d.entries)
            throw bad(fmt::format("{} entries do not fit into a directory of {} bytes", d.entries, d.bytes));
        return d;
    }

    void read_zip64(Directory& d, uint64_t locator) {
        ByteReader l = at(locator, locator + locator_bytes);
        l.skip(8);  // signature, disk
        const uint64_t record = l.number<uint64_t>();
        if (l.number<uint32_t>() != 1) throw bad("it is split over several disks");
        if (locator < end64_bytes || record != locator - end64_bytes)
            throw bad("its zip64 end record does not lie before its locator");
        ByteReader r = at(record, locator);
        const bool signed_right = r.number<uint32_t>() == end64_signature;
        if (!signed_right || r.number<uint64_t>() != end64_bytes - 12) throw bad("its zip64 end record is damaged");
        r.skip(4);  // versions
        const uint64_t disks = r.number<uint64_t>(), here = r.number<uint64_t>(), in_all = r.number<uint64_t>();
        if (disks != 0 || here != in_all) throw bad("it is split over several disks");
        const Directory wide{in_all, 0, r.number<uint64_t>(), record};
        const uint64_t begin = r.number<uint64_t>();
        const auto agree = [](uint64_t narrow, uint64_t value, uint64_t escape) {
            return narrow == escape || narrow == value;
        };
        if (!agree(d.entries, wide.entries, UINT16_MAX) || !agree(d.bytes, wide.bytes, UINT32_MAX) ||
            !agree(d.begin, begin, UINT32_MAX))
            throw bad("its two end records contradict each other");
        d = wide;
        d.begin = begin;
    }

    std::vector<CentralEntry> read_directory(const Directory& d) {
        ByteReader r = at(d.begin, d.end);
        std::vector<CentralEntry> all;
        for (uint64_t i = 0; i < d.entries; ++i) all.push_back(read_central(r));
        if (r.left() != 0) throw bad(fmt::format("{} bytes follow the last entry of its directory", r.left()));
        return all;
    }

    CentralEntry read_central(ByteReader& r) {
        if (r.number<uint32_t>() != central_signature)
            throw bad(fmt::format("its directory is damaged before byte {}", r.position()));
        r.skip(4);  // versions
        CentralEntry e;
        e.flags = r.number<uint16_t>();
        const uint16_t method = r.number<uint16_t>();
        r.skip(4);  // time and date
        e.entry.crc = r.number<uint32_t>();
        uint64_t packed = r.number<uint32_t>();
        e.entry.bytes = r.number<uint32_t>();
        const uint16_t name = r.number<uint16_t>(), extra = r.number<uint16_t>(), comment = r.number<uint16_t>();
        uint64_t disk = r.number<uint16_t>();
        r.skip(6);  // attributes
        e.header = r.number<uint32_t>();
        if (name == 0 || name > max_name_bytes) throw bad(fmt::format("an entry's name has {} bytes", name));
        e.entry.name = r.text(name);
        read_extra(r, extra, {&e.entry.bytes, &packed, &e.header}, e.entry.name);
        r.skip(comment);
        const std::string quoted = in_quotes(e.entry.name);
        if (method != 0)
            throw bad(fmt::format(
                "entry {} is compressed (method {}); TorchScript and repacked archives are not read: save the state "
                "dict with torch.save",
                quoted, method));
        if (e.flags & 1) throw bad("entry " + quoted + " is encrypted");
        if (e.flags & ~(flag_descriptor | flag_utf8 | flags_of_deflate))
            throw bad(fmt::format("entry {} has unknown flags {:#x}", quoted, e.flags));
        if (disk != 0) throw bad("it is split over several disks");
        if (packed != e.entry.bytes)
            throw bad(
                fmt::format("entry {} is stored, yet has {} bytes and unpacks to {}", quoted, packed, e.entry.bytes));
        if (e.entry.name.find('\0') != std::string::npos) throw bad("a name contains a zero byte");
        return e;
    }

    // Extra fields: the zip64 one replaces, in this order, the values that are all ones.
    void read_extra(ByteReader& r, uint64_t bytes, std::initializer_list<uint64_t*> values, const std::string& name) {
        bool seen = false;
        while (bytes > 0) {
            if (bytes < 4) throw bad("the extra fields of " + in_quotes(name) + " are damaged");
            const uint16_t id = r.number<uint16_t>();
            uint64_t left = r.number<uint16_t>();
            bytes -= 4;
            if (left > bytes) throw bad("the extra fields of " + in_quotes(name) + " are damaged");
            bytes -= left;
            if (id == 1 && !std::exchange(seen, true))
                for (uint64_t* value : values)
                    if (*value == UINT32_MAX && left >= 8) {
                        *value = r.number<uint64_t>();
                        left -= 8;
                    }
            r.skip(left);
        }
    }

    // The local header must tell the same story; its sizes and checksum may be left to a descriptor behind the data.
    void check_local(CentralEntry& e, uint64_t data_end) {
        const std::string quoted = in_quotes(e.entry.name);
        if (e.header > data_end || data_end - e.header < local_bytes)
            throw bad(fmt::format("entry {} would begin at byte {}, outside the data", quoted, e.header));
        ByteReader r(file_, e.header, data_end, path_, "its zip archive", 256);
        if (r.number<uint32_t>() != local_signature)
            throw bad(fmt::format("entry {} is not at byte {} where the directory says", quoted, e.header));
        r.skip(2);  // version
        const uint16_t flags = r.number<uint16_t>(), method = r.number<uint16_t>();
        r.skip(4);  // time and date
        const uint32_t crc = r.number<uint32_t>();
        uint64_t packed = r.number<uint32_t>(), bytes = r.number<uint32_t>();
        const uint16_t name_bytes = r.number<uint16_t>(), extra = r.number<uint16_t>();
        const bool same_name = name_bytes == e.entry.name.size() && r.text(name_bytes) == e.entry.name;
        if (!same_name || method != 0 || flags != e.flags)
            throw bad("entry " + quoted + " differs between the directory and its own header");
        read_extra(r, extra, {&bytes, &packed}, e.entry.name);
        const bool later = flags & flag_descriptor;
        const auto agrees = [&](uint64_t here, uint64_t there) { return here == there || (later && here == 0); };
        if (!agrees(crc, e.entry.crc) || !agrees(bytes, e.entry.bytes) || !agrees(packed, e.entry.bytes))
            throw bad("entry " + quoted + " differs between the directory and its own header");
        e.entry.begin = r.position();
        if (e.entry.bytes > data_end - e.entry.begin)
            throw bad(fmt::format("entry {} would have {} bytes, {} are there", quoted, e.entry.bytes,
                                  data_end - e.entry.begin));
    }

    const FileDescriptor& file_;
    const std::string& path_;
    uint64_t file_bytes_ = 0;
};

}  // namespace

std::vector<ZipEntry> read_zip(const FileDescriptor& file, const std::string& path) {
    return Reader(file, path).entries();
}

void verify_zip_entry(const FileDescriptor& file, const ZipEntry& entry, const std::string& path) {
    std::vector<char> buffer(size_t(std::min<uint64_t>(entry.bytes, 1 << 20)));
    uint32_t crc = 0;
    for (uint64_t done = 0; done < entry.bytes;) {
        const size_t wanted = size_t(std::min<uint64_t>(buffer.size(), entry.bytes - done));
        if (read_at(file, buffer.data(), wanted, entry.begin + done, path) < wanted)
            throw FormatError(path + ": the file became shorter while it was being read");
        crc = crc32(buffer.data(), wanted, crc);
        done += wanted;
    }
    if (crc != entry.crc)
        throw FormatError(
            fmt::format("{}: damaged: entry {} has checksum {:08x}, {:08x} was written; copy or download "
                        "the file again",
                        path, in_quotes(entry.name), crc, entry.crc));
}

}  // namespace atrous::io
