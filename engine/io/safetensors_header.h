// The JSON header of a safetensors file, for the reader and the writer beside it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/io/safetensors.h"

namespace atrous::io::detail {

// The format's own limit for the header, and ours, which keep a hostile header's memory near its size.
constexpr uint64_t max_header_bytes = 100'000'000;
constexpr uint64_t max_token_bytes = 2 << 20;
constexpr size_t max_entries = 65'536;
constexpr size_t max_rank = 16;

// A header of ours begins with this, then eight hexadecimal digits: the checksum has a fixed place, so that it can
// cover the header too (taken with zeros for the digits). A tool that rewrites the file moves or drops it.
constexpr std::string_view checksum_key = "atrous.crc32c";
constexpr std::string_view checksum_prefix = R"({"__metadata__":{"atrous.crc32c":")";
constexpr size_t checksum_digits = 8;
constexpr size_t checksum_prefix_damage = 3;  // a header whose beginning differs in this many bytes was ours

struct Header {
    std::vector<TensorInfo> tensors;
    std::map<std::string, std::string> metadata;
};

const char* safetensors_name(DType t);  // "F32"

// Product of the dimensions and the element's size; empty if it does not fit in 64 bits.
std::optional<uint64_t> checked_bytes(const std::vector<int64_t>& shape, DType dtype);

// Parses the header_bytes bytes after the length. FormatError with the path. Spans are not looked at here.
Header parse_header(const FileDescriptor& file, uint64_t header_bytes, const std::string& path);

// The header's text, padded to a multiple of 8, with zeros for the checksum. ShapeError if the reader would refuse it.
std::string header_text(const std::vector<TensorInfo>& tensors, const std::map<std::string, std::string>& metadata);

}  // namespace atrous::io::detail
