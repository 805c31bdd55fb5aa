#include <fmt/core.h>

#include "base/crc32.h"
#include "base/text.h"
#include "engine/io/zip.h"

namespace atrous::io {
namespace {

constexpr uint64_t alignment = 64;
constexpr uint16_t padding_id = 0x4246;  // "FB", PyTorch's own padding field
constexpr uint16_t version = 45;         // zip64
constexpr uint16_t flag_utf8 = 1 << 11;
constexpr uint32_t no_time = 0x00210000;  // 1 January 1980: the same tensors give the same bytes

// Little-endian numbers, each of a stated width.
class Record {
 public:
    Record& u16(uint64_t value) { return put(&value, 2); }
    Record& u32(uint64_t value) { return put(&value, 4); }
    Record& u64(uint64_t value) { return put(&value, 8); }
    Record& text(const std::string& text) { return put(text.data(), text.size()); }
    const std::string& bytes() const { return bytes_; }

 private:
    Record& put(const void* data, size_t n) {
        bytes_.append(static_cast<const char*>(data), n);
        return *this;
    }
    std::string bytes_;
};

class CountingSink : public Sink {
 public:
    explicit CountingSink(Sink& to) : to_(to) {}
    using Sink::write;
    void write(const void* data, size_t n) override {
        crc = crc32(data, n, crc);
        bytes += n;
        to_.write(data, n);
    }
    uint32_t crc = 0;
    uint64_t bytes = 0;

 private:
    Sink& to_;
};

}  // namespace

void ZipWriter::add(const std::string& name, uint64_t bytes, const std::function<void(Sink&)>& write) {
    const uint64_t header = file_.written();
    const uint64_t unpadded = header + 30 + name.size() + 20 + 4;
    const uint64_t padding = (alignment - unpadded % alignment) % alignment;
    Record r;
    r.u32(0x04034b50).u16(version).u16(flag_utf8).u16(0).u32(no_time);
    r.u32(0).u32(UINT32_MAX).u32(UINT32_MAX);  // the checksum comes later, sizes are in the zip64 field
    r.u16(name.size()).u16(24 + padding).text(name);
    r.u16(1).u16(16).u64(bytes).u64(bytes);
    r.u16(padding_id).u16(padding).text(std::string(padding, 'Z'));
    file_.write(r.bytes());
    CountingSink sink(file_);
    write(sink);
    if (sink.bytes != bytes)
        throw ShapeError(fmt::format("entry {} gave {} bytes instead of {}", in_quotes(name), sink.bytes, bytes));
    file_.patch(header + 14, &sink.crc, sizeof sink.crc);
    entries_.push_back({name, header, bytes, sink.crc});
}

void ZipWriter::finish() {
    const uint64_t begin = file_.written(), count = entries_.size();
    for (const Written& e : entries_) {
        Record r;
        r.u32(0x02014b50).u16(version).u16(version).u16(flag_utf8).u16(0).u32(no_time);
        r.u32(e.crc).u32(UINT32_MAX).u32(UINT32_MAX).u16(e.name.size()).u16(28);
        r.u16(0).u16(0).u16(0).u32(0).u32(UINT32_MAX).text(e.name);
        r.u16(1).u16(24).u64(e.bytes).u64(e.bytes).u64(e.header);
        file_.write(r.bytes());
    }
    const uint64_t end = file_.written();
    Record r;
    r.u32(0x06064b50).u64(44).u16(version).u16(version).u64(0).u64(count).u64(count).u64(end - begin).u64(begin);
    r.u32(0x07064b50).u32(0).u64(end).u32(1);
    r.u32(0x06054b50).u32(0).u16(UINT16_MAX).u16(UINT16_MAX).u32(UINT32_MAX).u32(UINT32_MAX).u16(0);
    file_.write(r.bytes());
}

}  // namespace atrous::io
