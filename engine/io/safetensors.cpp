#include "engine/io/safetensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <functional>
#include <numeric>
#include <tuple>

#include "base/crc32c.h"
#include "base/text.h"
#include "engine/io/safetensors_header.h"

namespace atrous::io {
namespace {

static_assert(std::endian::native == std::endian::little, "tensors are written as they lie in memory");

constexpr size_t length_bytes = 8;

std::string shape_text(const TensorInfo& t) {
    std::string text;
    for (const int64_t d : t.shape) text += (text.empty() ? "" : "x") + std::to_string(d);
    return std::string(detail::safetensors_name(t.dtype)) + " [" + text + "]";
}

// Spans sorted, without gap or overlap, from 0 to the end of the file; each as long as its shape says.
void check_spans(std::vector<TensorInfo>& tensors, uint64_t data_bytes, const std::string& path) {
    std::stable_sort(tensors.begin(), tensors.end(), [](const TensorInfo& a, const TensorInfo& b) {
        return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
    });
    uint64_t expected = 0;
    for (const TensorInfo& t : tensors) {
        const auto bad = [&](const std::string& what) {
            return FormatError(path + ": tensor " + in_quotes(t.name) + " " + what);
        };
        if (t.end < t.begin) throw bad(fmt::format("has data_offsets [{}, {}] that run backwards", t.begin, t.end));
        const auto wanted = detail::checked_bytes(t.shape, t.dtype);
        if (!wanted) throw bad(fmt::format("is {}: more than 64 bits of bytes", shape_text(t)));
        if (*wanted != t.bytes())
            throw bad(
                fmt::format("is {}: that takes {} bytes, its data_offsets give {}", shape_text(t), *wanted, t.bytes()));
        if (t.begin != expected)
            throw bad(fmt::format("begins at byte {} of the data, {} the one before it (byte {} expected)", t.begin,
                                  t.begin < expected ? "inside" : "with a gap after", expected));
        expected = t.end;
    }
    if (expected > data_bytes)
        throw FormatError(
            fmt::format("{}: cut short: its header promises {} bytes of data, {} are there; copy or "
                        "download it again",
                        path, expected, data_bytes));
    if (expected < data_bytes)
        throw FormatError(
            fmt::format("{}: {} bytes follow the last tensor; copy or download it again", path, data_bytes - expected));
}

std::vector<uint32_t> sorted_by_name(const std::vector<TensorInfo>& tensors) {
    std::vector<uint32_t> order(tensors.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return tensors[a].name < tensors[b].name; });
    return order;
}

// A tensor whose name another one has, or null.
const TensorInfo* repeated_name(const std::vector<TensorInfo>& tensors, const std::vector<uint32_t>& order) {
    const auto twice = std::adjacent_find(order.begin(), order.end(),
                                          [&](uint32_t a, uint32_t b) { return tensors[a].name == tensors[b].name; });
    return twice == order.end() ? nullptr : &tensors[*twice];
}

std::string remedy_for_damage(const std::string& path) {
    if (::access(previous_of(path).c_str(), R_OK) != 0) return "; use another copy";
    return "; use another copy, or the one before it, " + previous_of(path);
}

// Counts and sums what passes through.
class ChecksumSink : public Sink {
 public:
    ChecksumSink(Sink& to, uint32_t before) : to_(to), checksum(before) {}
    using Sink::write;
    void write(const void* data, size_t n) override {
        checksum = crc32c(data, n, checksum);
        bytes += n;
        to_.write(data, n);
    }

 private:
    Sink& to_;

 public:
    uint32_t checksum;
    uint64_t bytes = 0;
};

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : TensorFile(path) {
    const uint64_t file_bytes = uint64_t(opened_.bytes);
    uint64_t header_bytes = 0;
    if (read_at(file_, &header_bytes, length_bytes, 0, path) < length_bytes)
        throw FormatError(fmt::format(
            "{}: not a safetensors file: it has {} bytes, fewer than the header's length takes", path, file_bytes));
    if (header_bytes > detail::max_header_bytes)
        throw FormatError(
            fmt::format("{}: not a safetensors file: its header would have {} bytes (at most {} are "
                        "allowed)",
                        path, header_bytes, detail::max_header_bytes));
    if (header_bytes > file_bytes - length_bytes)
        throw FormatError(
            fmt::format("{}: cut short, or not a safetensors file: a header of {} bytes is announced, the "
                        "file has {}; copy or download it again",
                        path, header_bytes, file_bytes));
    detail::Header header = detail::parse_header(file_, header_bytes, path);
    tensors_ = std::move(header.tensors);
    metadata_ = std::move(header.metadata);
    data_offset_ = length_bytes + header_bytes;
    check_spans(tensors_, file_bytes - data_offset_, path);
    if (const TensorInfo* twice = index_names())
        throw FormatError(path + ": the safetensors header names tensor " + in_quotes(twice->name) + " twice");
    verify_checksum(header_bytes, file_bytes);
}

void SafetensorsFile::verify_checksum(uint64_t header_bytes, uint64_t file_bytes) {
    using detail::checksum_digits, detail::checksum_prefix;
    const auto stored = metadata_.extract(std::string(detail::checksum_key));
    if (header_bytes <= checksum_prefix.size() + checksum_digits) return;
    std::string start(checksum_prefix.size(), '\0');
    read_at(file_, start.data(), start.size(), length_bytes, path_);
    const size_t differing =
        start.size() - size_t(std::inner_product(start.begin(), start.end(), checksum_prefix.begin(), 0, std::plus<>(),
                                                 std::equal_to<>()));
    // A key that is nearly ours is ours, damaged. Any other means a file of another program, which may have carried the
    // checksum along elsewhere in the header.
    if (differing > 0 && differing <= detail::checksum_prefix_damage)
        throw FormatError(path_ + ": damaged: the name of its checksum is misspelt" + remedy_for_damage(path_));
    if (differing > 0 || stored.empty()) return;
    std::vector<char> buffer(1 << 20);
    uint32_t checksum = 0;
    for (uint64_t at = length_bytes; at < file_bytes;) {
        const size_t wanted = size_t(std::min<uint64_t>(buffer.size(), file_bytes - at));
        if (read_at(file_, buffer.data(), wanted, at, path_) < wanted)
            throw FormatError(path_ + ": the file became shorter while it was being read");
        if (at == length_bytes) std::memset(buffer.data() + checksum_prefix.size(), '0', checksum_digits);
        checksum = crc32c(buffer.data(), wanted, checksum);
        at += wanted;
    }
    if (stored.mapped() != fmt::format("{:08x}", checksum))
        throw FormatError(fmt::format("{}: damaged: its checksum is {:08x}, {} was written{}", path_, checksum,
                                      in_quotes(stored.mapped()), remedy_for_damage(path_)));
    checksummed_ = true;
}

void SafetensorsFile::read(const TensorInfo& tensor, void* to) const {
    if (read_at(file_, to, tensor.bytes(), data_offset_ + tensor.begin, path_) < tensor.bytes())
        throw FormatError(path_ + ": the file became shorter while it was being read");
}

std::vector<std::byte> SafetensorsFile::bytes(const TensorInfo& tensor) const {
    std::vector<std::byte> result(tensor.bytes());
    read(tensor, result.data());
    return result;
}

TensorToWrite tensor_in_memory(std::string name, DType dtype, std::vector<int64_t> shape, const void* data) {
    const auto bytes = detail::checked_bytes(shape, dtype);
    if (!bytes) throw ShapeError("tensor " + in_quotes(name) + " has a negative or too large shape");
    return {std::move(name), dtype, std::move(shape), [data, n = *bytes](Sink& sink) { sink.write(data, n); }};
}

void write_safetensors(const std::string& path, std::vector<TensorToWrite> tensors,
                       const std::map<std::string, std::string>& metadata, DurableOptions options) {
    // Wide elements first: then every tensor is aligned to its element without padding.
    std::sort(tensors.begin(), tensors.end(), [](const TensorToWrite& a, const TensorToWrite& b) {
        return std::make_tuple(size_of(b.dtype), std::cref(a.name)) <
               std::make_tuple(size_of(a.dtype), std::cref(b.name));
    });
    std::vector<TensorInfo> infos;
    uint64_t offset = 0;
    for (const TensorToWrite& t : tensors) {
        const auto bytes = detail::checked_bytes(t.shape, t.dtype);
        if (!bytes) throw ShapeError("tensor " + in_quotes(t.name) + " has a negative or too large shape");
        if (t.name == "__metadata__") throw ShapeError("a tensor cannot be named __metadata__ in a safetensors file");
        infos.push_back({t.name, t.dtype, t.shape, offset, offset + *bytes});
        offset += *bytes;
    }
    if (const TensorInfo* twice = repeated_name(infos, sorted_by_name(infos)))
        throw ShapeError("two tensors are named " + in_quotes(twice->name) + "; a file needs different names");
    const std::string header = detail::header_text(infos, metadata);

    write_durably(
        path,
        [&](FileSink& file) {
            const uint64_t header_bytes = header.size();
            file.write(&header_bytes, length_bytes);
            file.write(header);
            ChecksumSink sink(file, crc32c(header.data(), header.size()));
            for (size_t i = 0; i < tensors.size(); ++i) {
                tensors[i].write(sink);
                if (sink.bytes != infos[i].end)
                    throw ShapeError(fmt::format("tensor {} gave {} bytes instead of {}", in_quotes(infos[i].name),
                                                 infos[i].bytes() + sink.bytes - infos[i].end, infos[i].bytes()));
            }
            const std::string digits = fmt::format("{:08x}", sink.checksum);
            file.patch(length_bytes + detail::checksum_prefix.size(), digits.data(), digits.size());
        },
        options);
}

}  // namespace atrous::io
