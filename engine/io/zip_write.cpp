#include <fmt/core.h>

#include "engine/io/crc32.h"
#include "engine/io/text.h"
#include "engine/io/zip.h"

namespace atrous::io {
namespace {

constexpr uint64_t alignment = 64;
constexpr uint16_t padding_id = 0x4246;  // "FB", PyTorch's own padding field
constexpr uint16_t version = 45;         // zip64
constexpr uint16_t flag_utf8 = 1 << 11;
constexpr uint32_t no_time = 0x00210000;  // 1 January 1980: the same tensors give the same bytes

class Record {
 public:
    template <class T>
    Record& put(T value) {
        text_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    Record& put(const std::string& text) {
        text_ += text;
        return *this;
    }
    const std::string& text() const { return text_; }

 private:
    std::string text_;
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
    const auto padding = uint16_t((alignment - unpadded % alignment) % alignment);
    Record r;
    r.put(uint32_t(0x04034b50)).put(version).put(flag_utf8).put(uint16_t(0)).put(no_time);
    r.put(uint32_t(0)).put(UINT32_MAX).put(UINT32_MAX);  // the checksum comes later, sizes are in the zip64 field
    r.put(uint16_t(name.size())).put(uint16_t(24 + padding)).put(name);
    r.put(uint16_t(1)).put(uint16_t(16)).put(bytes).put(bytes);
    r.put(padding_id).put(padding).put(std::string(padding, 'Z'));
    file_.write(r.text());
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
        r.put(uint32_t(0x02014b50)).put(version).put(version).put(flag_utf8).put(uint16_t(0)).put(no_time);
        r.put(e.crc).put(UINT32_MAX).put(UINT32_MAX).put(uint16_t(e.name.size())).put(uint16_t(28));
        r.put(uint16_t(0)).put(uint16_t(0)).put(uint16_t(0)).put(uint32_t(0)).put(UINT32_MAX).put(e.name);
        r.put(uint16_t(1)).put(uint16_t(24)).put(e.bytes).put(e.bytes).put(e.header);
        file_.write(r.text());
    }
    const uint64_t end = file_.written();
    Record r;
    r.put(uint32_t(0x06064b50)).put(uint64_t(44)).put(version).put(version).put(uint64_t(0));
    r.put(count).put(count).put(end - begin).put(begin);
    r.put(uint32_t(0x07064b50)).put(uint32_t(0)).put(end).put(uint32_t(1));
    r.put(uint32_t(0x06054b50)).put(uint32_t(0)).put(UINT16_MAX).put(UINT16_MAX);
    r.put(UINT32_MAX).put(UINT32_MAX).put(uint16_t(0));
    file_.write(r.text());
}

}  // namespace atrous::io
