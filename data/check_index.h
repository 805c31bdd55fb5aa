// What checks found out about samples, kept in a file so that each image and mask is decoded once.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/posix.h"
#include "data/sample_check.h"

namespace atrous::data {

// Keyed by the paths of a sample, and good as long as its files have the size and the times that they had. A file that is
// damaged counts as empty, with a warning, and so does one of another version of the program or of the libraries that
// decode, without. Several processes may use one
// file: each reads it whole and replaces it whole, with what others added since. find and add may be called from several
// threads.
class CheckIndex {
 public:
    // Reads the file. Empty: what is found is remembered as long as the object lives.
    explicit CheckIndex(std::string path);

    std::optional<SampleFacts> find(const SampleKey& key, const MaskRule& rule) const;
    // Samples with a problem are not kept, nor those whose values are too many to keep.
    void add(const SampleKey& key, const MaskRule& rule, const SampleFacts& facts);

    // Writes the file where something was added since it was. What was asked for stays, and the rest too, unless it
    // outnumbers that by ten.
    void save();

    int64_t added() const { return int64_t(fresh_.size()); }
    // Each of these says that the file was damaged or cannot be written, and what follows from that.
    const std::vector<std::string>& warnings() const { return warnings_; }

 private:
    struct Entry {
        uint64_t state = 0;
        uint64_t at = 0;  // of its facts among the bytes
        uint32_t size = 0;
    };
    using Entries =
        std::unordered_map<uint64_t, Entry>;  // by the key's name, where not all values are kept with the rule

    void read();
    void read_what_others_added();
    void replace_file();

    std::string path_;
    io::FileStamp stamp_;  // of the file when it was read
    std::vector<uint8_t> kept_bytes_, fresh_bytes_;
    Entries kept_, fresh_;
    bool saved_ = true;
    mutable std::mutex mutex_;
    mutable std::unordered_set<uint64_t> hits_;  // entries of the file that were asked for
    mutable std::atomic<int64_t> asked_ = 0;
    std::vector<std::string> warnings_;
};

// The file for a data set: in the folder that `check-cache` names, empty: "checks" in cache_folder(); empty where that
// is "none", and where there is no such folder.
std::string check_index_file(const std::string& setting, const std::string& root);

}  // namespace atrous::data
