// Writing a file so that a crash, a kill or a full disk at any moment leaves the old file or the new one, whole.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atrous::io {

// A sink takes bytes and puts them somewhere.
class Sink {
 public:
    virtual ~Sink() = default;
    virtual void write(const void* data, size_t bytes) = 0;  // IoError
    void write(std::string_view text) { write(text.data(), text.size()); }
};

// A file being written, through a small buffer.
class FileSink : public Sink {
 public:
    FileSink(int fd, std::string path);
    using Sink::write;
    void write(const void* data, size_t bytes) override;
    // Replaces bytes written before: for a length or checksum that is known only at the end.
    void patch(uint64_t offset, const void* data, size_t bytes);
    void flush();
    uint64_t written() const { return written_; }

 private:
    void put(const char* data, size_t bytes, uint64_t offset);

    int fd_;
    std::string path_;
    std::vector<char> buffer_;
    uint64_t written_ = 0;  // bytes accepted, of which the last buffer_.size() are not in the file yet
};

struct DurableOptions {
    bool keep_previous = false;  // the file that was there becomes previous_of(path)
    // Suits many files that can be made again: a file is whole after a crash of the program, perhaps not after one of
    // the machine (nothing is synced), and temporaries of killed runs stay for remove_stale_temporaries_in.
    bool quick = false;
};

std::string previous_of(const std::string& path);  // "<path>.previous"

// Calls `fill` with a temporary file of the same folder, syncs it, renames it to `path` and syncs the folder. Other
// processes see the old file or the new one. On an error (IoError, or whatever `fill` throws) the temporary is removed
// and the file that was there is unchanged. With keep_previous, `path` exists at every moment where the file system
// has hard links; elsewhere there is a moment when only the previous file does.
void write_durably(const std::string& path, const std::function<void(FileSink&)>& fill, DurableOptions options = {});

// Writes bytes that are there already in the same way.
void write_durably(const std::string& path, std::string_view bytes, DurableOptions options = {});
void write_durably(const std::string& path, std::span<const uint8_t> bytes, DurableOptions options = {});

// Writes several files, quickly, all or none: `fill` gets a sink for each path, and what it wrote into all is flushed before
// the first is renamed. Where anything fails none is there, but for those that were there before and not replaced yet.
void write_together(const std::vector<std::string>& paths,
                    const std::function<void(const std::vector<std::unique_ptr<FileSink>>&)>& fill);

// Removes the temporaries that killed runs left while writing `path`, not those of runs still writing; returns how
// many. write_durably calls it.
int remove_stale_temporaries(const std::string& path);
int remove_stale_temporaries_in(const std::string& folder);  // of whatever file

}  // namespace atrous::io
