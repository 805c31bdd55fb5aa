// For readers that take a path: the fuzzer's bytes as a file in memory.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>

class ScratchFile {
 public:
    // `name` is the last part of the path: readers look at extensions.
    explicit ScratchFile(const std::string& name) {
        char folder[] = "/dev/shm/atrous-fuzz-XXXXXX";
        if (!mkdtemp(folder)) std::abort();
        folder_ = folder;
        path_ = folder_ + "/" + name;
    }
    ~ScratchFile() {
        unlink(path_.c_str());
        rmdir(folder_.c_str());
    }
    ScratchFile(const ScratchFile&) = delete;
    const std::string& path() const { return path_; }
    void fill(const uint8_t* data, size_t size) const {
        const int file = open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (file < 0 || write(file, data, size) != ssize_t(size)) std::abort();
        close(file);
    }

 private:
    std::string folder_, path_;
};
