// Zip archives as PyTorch writes them: entries stored as they are, with zip64 and data descriptors; nothing compressed,
// encrypted, split or hidden. Source: PKWARE APPNOTE.TXT 6.3, sections 4.3 to 4.5.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/durable_file.h"
#include "base/posix.h"

namespace atrous::io {

struct ZipEntry {
    std::string name;
    uint64_t begin = 0, bytes = 0;  // of its data in the file
    uint32_t crc = 0;
};

// The central directory, checked against every local header: names differ, data lie inside the file and nowhere
// overlap. Sorted by name. FormatError. Checksums are not looked at here.
std::vector<ZipEntry> read_zip(const FileDescriptor& file, const std::string& path);

void verify_zip_entry(const FileDescriptor& file, const ZipEntry& entry, const std::string& path);  // FormatError

// Writes entries one after another, with zip64 records throughout, and each entry's data at a multiple of 64 bytes.
class ZipWriter {
 public:
    explicit ZipWriter(FileSink& file) : file_(file) {}
    // `write` must give exactly `bytes` bytes (ShapeError).
    void add(const std::string& name, uint64_t bytes, const std::function<void(Sink&)>& write);
    void finish();

 private:
    struct Written {
        std::string name;
        uint64_t header = 0, bytes = 0;
        uint32_t crc = 0;
    };
    FileSink& file_;
    std::vector<Written> entries_;
};

}  // namespace atrous::io
