// Files of PyTorch put together by hand, byte by byte: right ones and wrong ones.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/crc32.h"

namespace atrous::test {

template <class T>
std::string little(T value) {
    return {reinterpret_cast<const char*>(&value), sizeof value};
}

struct RawEntry {
    std::string name, data;
    uint16_t flags = 0, method = 0;
    std::optional<uint32_t> crc = {};     // claimed instead of the true one
    std::optional<uint64_t> bytes = {};   // likewise, in the directory
    std::optional<uint64_t> header = {};  // likewise, where the local header is said to be
};

constexpr uint16_t later = 1 << 3;  // sizes and checksum stand behind the data

struct ZipOptions {
    bool zip64 = false;  // end records and sizes of 64 bits
    std::string before_end = {}, after_end = {};
};

inline std::string zip_text(const std::vector<RawEntry>& entries, const ZipOptions& options = {}) {
    const auto n32 = [](uint64_t v) { return little(uint32_t(v)); };
    const auto n16 = [](uint64_t v) { return little(uint16_t(v)); };
    std::string text, directory;
    for (const RawEntry& e : entries) {
        const uint64_t header = e.header.value_or(text.size()), bytes = e.bytes.value_or(e.data.size());
        const uint32_t crc = e.crc.value_or(io::crc32(e.data.data(), e.data.size()));
        const bool behind = e.flags & later;
        const std::string wide = options.zip64 ? n16(1) + n16(16) + little(bytes) + little(bytes) : "";
        const std::string size = options.zip64 ? n32(UINT32_MAX) + n32(UINT32_MAX) : n32(bytes) + n32(bytes);
        text += "PK\3\4" + n16(20) + n16(e.flags) + n16(e.method) + n32(0) + n32(behind ? 0 : crc) +
                (behind ? n32(0) + n32(0) : size) + n16(e.name.size()) + n16(behind ? 0 : wide.size()) + e.name +
                (behind ? "" : wide) + e.data;
        if (behind) text += "PK\7\10" + n32(crc) + n32(bytes) + n32(bytes);
        directory += "PK\1\2" + n16(20) + n16(20) + n16(e.flags) + n16(e.method) + n32(0) + n32(crc) + size +
                     n16(e.name.size()) + n16(wide.size()) + n16(0) + n16(0) + n16(0) + n32(0) + n32(header) + e.name +
                     wide;
    }
    const uint64_t begin = text.size(), count = entries.size();
    text += directory;
    if (options.zip64) {
        const uint64_t record = text.size();
        text += "PK\6\6" + little(uint64_t(44)) + n16(45) + n16(45) + little(uint64_t(0)) + little(count) +
                little(count) + little(uint64_t(directory.size())) + little(begin);
        text += "PK\6\7" + n32(0) + little(record) + n32(1);
    }
    text += options.before_end;
    text += "PK\5\6" + n32(0) + n16(options.zip64 ? UINT16_MAX : count) + n16(options.zip64 ? UINT16_MAX : count) +
            n32(options.zip64 ? UINT32_MAX : directory.size()) + n32(options.zip64 ? UINT32_MAX : begin) + n16(0);
    return text + options.after_end;
}

// Opcodes of pickle protocol 2.
inline std::string global(const std::string& module, const std::string& name) {
    return "c" + module + "\n" + name + "\n";
}
inline std::string text(const std::string& s) { return "X" + little(uint32_t(s.size())) + s; }
inline std::string integer(int64_t v) { return v == int32_t(v) ? "J" + little(int32_t(v)) : "\x8a\x08" + little(v); }
inline std::string tuple(const std::vector<int64_t>& values) {
    std::string s = "(";
    for (const int64_t v : values) s += integer(v);
    return s + "t";
}
inline std::string ordered_dict() { return global("collections", "OrderedDict") + ")R"; }

struct RawTensor {
    std::string key = "0", type = "FloatStorage";
    int64_t count = 4, offset = 0;
    std::vector<int64_t> sizes{4}, strides{1};
};
inline std::string storage(const RawTensor& t, const std::string& more = "") {
    return "(" + text("storage") + global("torch", t.type) + text(t.key) + text("cpu") + integer(t.count) + more + "tQ";
}
inline std::string tensor(const RawTensor& t, const std::string& more = "") {
    return global("torch._utils", "_rebuild_tensor_v2") + "(" + storage(t, more) + integer(t.offset) + tuple(t.sizes) +
           tuple(t.strides) + "\x89" + ordered_dict() + "tR";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
    std::string s = "}(";
    for (const auto& [key, value] : items) s += text(key) + value;
    return s + "u";
}
inline std::string pickle(const std::string& value) { return "\x80\x02" + value + "."; }

// An archive of torch.save with this pickle and these storages.
inline std::vector<RawEntry> archive(const std::string& value, const std::vector<std::string>& storages) {
    std::vector<RawEntry> entries{{"archive/data.pkl", pickle(value), later}};
    for (size_t i = 0; i < storages.size(); ++i)
        entries.push_back({"archive/data/" + std::to_string(i), storages[i], later});
    entries.push_back({"archive/version", "3\n", later});
    return entries;
}

// The legacy form: magic number, protocol, system, object, keys, storages with their counts.
inline std::string legacy(const std::string& value, const std::vector<std::pair<int64_t, std::string>>& storages,
                          bool little_endian = true) {
    std::string file = std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
    file += pickle(integer(1001)) + pickle(dict({{"little_endian", little_endian ? "\x88" : "\x89"}})) + pickle(value);
    std::string keys = "](";
    for (size_t i = 0; i < storages.size(); ++i) keys += text(std::to_string(i));
    file += pickle(keys + "e");
    for (const auto& [count, bytes] : storages) file += little(count) + bytes;
    return file;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

}  // namespace atrous::test
