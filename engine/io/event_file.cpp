#include "engine/io/event_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>

#include "base/crc32c.h"
#include "engine/io/protobuf.h"

namespace atrous::io {

namespace {

using namespace protobuf;

// Event: wall_time = 1 (double), step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event(int64_t step) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    std::string e;
    put_key(e, 1, fixed64);
    put_fixed(e, std::chrono::duration<double>(now).count());
    put_key(e, 2, varint);
    put_varint(e, uint64_t(step));
    return e;
}

uint32_t masked(std::string_view data) {
    const uint32_t crc = crc32c(data.data(), data.size());
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

constexpr size_t time_digits = 16;  // microseconds since 1970, until the year 2286

int64_t microseconds_now() {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

// The number of sixteen digits under which a name sorts behind all of this beginning; 0 of a name that is no event
// file's. Other programs write seconds, which are ten digits, or more behind them.
int64_t time_behind(std::string_view name) {
    if (!name.starts_with(EventFile::name_prefix)) return 0;
    std::string digits(name.substr(EventFile::name_prefix.size(), time_digits));
    digits.resize(std::min(digits.find_first_not_of("0123456789"), digits.size()));
    digits.resize(time_digits, '0');
    return std::stoll(digits) + 1;
}

// TensorBoard reads a folder's files in the order of their names, and what a later one repeats replaces what an earlier
// one has: a clock that was set back must not put the new file before the old ones.
int64_t time_for(const std::string& folder) {
    int64_t time = microseconds_now();
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), &::closedir);
    if (!entries) return time;  // making the file says why
    while (const dirent* entry = ::readdir(entries.get())) time = std::max(time, time_behind(entry->d_name));
    return time;
}

EventFile::Made create_in(const std::string& folder) {
    char host[256] = "localhost";
    ::gethostname(host, sizeof host - 1);
    for (int64_t time = time_for(folder);; ++time) {
        const std::string path = folder + "/" + std::string(EventFile::name_prefix) + std::to_string(time) + "." +
                                 host + "." + std::to_string(::getpid());
        FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
        if (file) return {path, std::move(file)};
        if (errno != EEXIST) throw system_error("cannot write " + path, errno);
    }
}

}  // namespace

bool EventFile::is_ours(std::string_view name) {
    if (!name.starts_with(name_prefix)) return false;
    name.remove_prefix(name_prefix.size());
    return std::min(name.find_first_not_of("0123456789"), name.size()) == time_digits;
}

EventFile::EventFile(const std::string& folder, int64_t first_step) : EventFile(create_in(folder), first_step) {}

EventFile::EventFile(Made made, int64_t first_step)
    : path_(std::move(made.path)), file_(std::move(made.file)), sink_(file_.get(), path_) {
    std::string version = event(0), start = event(first_step), log;
    put_bytes(version, 3, "brain.Event:2");
    append(version);
    put_key(log, 1, varint);
    put_varint(log, 1);  // SessionLog.START
    put_bytes(start, 7, log);
    append(start);
}

void EventFile::write(int64_t step, const std::vector<std::pair<std::string, double>>& scalars) {
    std::string summary;
    for (const auto& [tag, value] : scalars) {  // Summary: value = 1; Value: tag = 1, simple_value = 2 (float)
        std::string entry;
        put_bytes(entry, 1, tag);
        put_key(entry, 2, fixed32);
        put_fixed(entry, float(value));
        put_bytes(summary, 1, entry);
    }
    std::string e = event(step);
    put_bytes(e, 5, summary);
    append(e);
}

void EventFile::append(const std::string& event) {
    std::string record;
    put_fixed(record, uint64_t(event.size()));
    put_fixed(record, masked(record));
    record += event;
    put_fixed(record, masked(event));
    sink_.write(record);
    sink_.flush();
}

}  // namespace atrous::io
