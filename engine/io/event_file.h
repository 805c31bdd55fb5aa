// Scalars as TensorBoard reads them: a file of records, each a length (u64), the masked CRC-32C of the length, an Event
// in protobuf's wire format, and its masked CRC-32C; little-endian. (tensorflow/core/util/event.proto, summary.proto)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/durable_file.h"
#include "base/posix.h"

namespace atrous::io {

class EventFile {
 public:
    // Makes a file in `folder` whose name sorts behind those of all event files there. What older files there hold of
    // steps from `first_step` on, TensorBoard forgets: a training that goes on writes them again. IoError where it
    // cannot be written.
    EventFile(const std::string& folder, int64_t first_step);
    // After an error (IoError) the file may end within a record, which TensorBoard passes over; a later write completes
    // it.
    void write(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);
    const std::string& path() const { return path_; }

    // Tells whether this class gives such a name: other programs count seconds, of ten digits.
    static bool is_ours(std::string_view name);

    static constexpr std::string_view name_prefix = "events.out.tfevents.";

    struct Made {  // a new file, of which nothing is written yet
        std::string path;
        FileDescriptor file;
    };

 private:
    EventFile(Made made, int64_t first_step);
    void append(const std::string& event);

    std::string path_;
    FileDescriptor file_;
    FileSink sink_;
};

}  // namespace atrous::io
