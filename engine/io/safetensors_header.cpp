#include "engine/io/safetensors_header.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace atrous::io::detail {
namespace {

using nlohmann::json;

constexpr std::pair<const char*, DType> dtype_names[] = {
    {"F32", DType::f32}, {"BF16", DType::bf16}, {"F16", DType::f16}, {"F64", DType::f64},
    {"U8", DType::u8},   {"I32", DType::i32},   {"I64", DType::i64},
};

// The header's characters, read in pieces. One string or number may not grow without bound: the parser holds it whole.
class HeaderStream {
 public:
    HeaderStream(const FileDescriptor& file, uint64_t bytes, const std::string& path)
        : file_(file), path_(path), left_(bytes), buffer_(64 << 10) {
        fill();
    }
    bool at_end() const { return position_ == filled_; }
    char current() const { return buffer_[position_]; }
    void advance() {
        measure_token(buffer_[position_]);
        if (++position_ == filled_) fill();
    }

 private:
    void measure_token(char c) {
        const bool quote = c == '"' && !escaped_;
        if (quote || (!in_string_ && std::string_view("{}[],: \n\r\t").find(c) != std::string_view::npos))
            token_bytes_ = 0;
        else if (++token_bytes_ > max_token_bytes)
            throw FormatError(fmt::format("{}: the header holds a string of more than {}; this is no tensor file",
                                          path_, format_bytes(max_token_bytes)));
        escaped_ = in_string_ && c == '\\' && !escaped_;
        if (quote) in_string_ = !in_string_;
    }
    void fill() {
        const size_t wanted = size_t(std::min<uint64_t>(left_, buffer_.size()));
        position_ = 0;
        filled_ = read_at(file_, buffer_.data(), wanted, offset_, path_);
        if (filled_ < wanted) throw FormatError(path_ + ": the file became shorter while it was being read");
        offset_ += filled_;
        left_ -= filled_;
    }

    const FileDescriptor& file_;
    const std::string& path_;
    uint64_t left_, offset_ = 8;
    std::vector<char> buffer_;
    size_t position_ = 0, filled_ = 0;
    uint64_t token_bytes_ = 0;
    bool in_string_ = false, escaped_ = false;
};

// What the JSON parser takes: two of these, the second without a stream.
struct HeaderIterator {
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = char;

    HeaderStream* stream = nullptr;
    char operator*() const { return stream->current(); }
    HeaderIterator& operator++() {
        stream->advance();
        return *this;
    }
    bool operator!=(const HeaderIterator&) const { return !stream->at_end(); }
};

// The parser's events; a document would have dropped the second of two equal keys in silence.
class HeaderBuilder : public nlohmann::json_sax<json> {
 public:
    Header header;
    std::string error;  // set where an event returned false

    bool start_object(size_t) override {
        switch (in_) {
            case In::file:
                return enter(In::top);
            case In::top:
                return enter(key_ == "__metadata__" ? In::metadata : begin_tensor());
            default:
                return refuse("an object");
        }
    }
    bool key(string_t& name) override {
        if (in_ == In::top) {
            key_ = std::string(name);
            if (key_ == "__metadata__" && std::exchange(has_metadata_, true)) return fail("__metadata__ appears twice");
            return header.tensors.size() < max_entries ||
                   fail(fmt::format("it names more than {} tensors", max_entries));
        }
        if (in_ == In::metadata) {
            metadata_key_ = std::string(name);
            if (header.metadata.contains(metadata_key_))
                return fail("the metadata key " + in_quotes(name) + " appears twice");
            return header.metadata.size() < max_entries ||
                   fail(fmt::format("it has more than {} metadata entries", max_entries));
        }
        const int field = name == "dtype" ? 1 : name == "shape" ? 2 : name == "data_offsets" ? 4 : 0;
        if (field == 0) return fail(tensor() + " has an unknown field " + in_quotes(name));
        if (seen_ & field) return fail(tensor() + " has two fields " + in_quotes(name));
        seen_ |= field;
        field_ = field;
        return true;
    }
    bool end_object() override {
        if (in_ == In::top) return enter(In::after);
        if (in_ == In::metadata) return enter(In::top);
        if (seen_ != 7) return fail(tensor() + " lacks its dtype, shape or data_offsets");
        return enter(In::top);
    }
    bool start_array(size_t) override {
        if (in_ != In::tensor || field_ == 1) return refuse("a list");
        return enter(field_ == 2 ? In::shape : In::offsets);
    }
    bool end_array() override {
        if (in_ == In::offsets && offsets_ != 2) return fail(tensor() + " has data_offsets that are not two numbers");
        return enter(In::tensor);
    }
    bool number_unsigned(number_unsigned_t value) override {
        TensorInfo* t = header.tensors.empty() ? nullptr : &header.tensors.back();
        if (in_ == In::shape) {
            if (value > uint64_t(INT64_MAX)) return fail(tensor() + " has a dimension beyond 2^63");
            if (t->shape.size() == max_rank)
                return fail(fmt::format("{} has more than {} dimensions", tensor(), max_rank));
            t->shape.push_back(int64_t(value));
            return true;
        }
        if (in_ == In::offsets && offsets_ < 2) {
            (offsets_++ == 0 ? t->begin : t->end) = value;
            return true;
        }
        return refuse("a number");
    }
    bool string(string_t& value) override {
        if (in_ == In::metadata) return header.metadata.emplace(metadata_key_, std::string(value)).second;
        if (in_ != In::tensor || field_ != 1) return refuse("text");
        for (const auto& [name, dtype] : dtype_names)
            if (value == name) {
                header.tensors.back().dtype = dtype;
                return true;
            }
        return fail(fmt::format("{} has element type {}; F32, BF16, F16, F64, U8, I32 and I64 can be read", tensor(),
                                in_quotes(value)));
    }
    bool null() override { return refuse("null"); }
    bool boolean(bool) override { return refuse("true or false"); }
    bool number_integer(number_integer_t) override { return refuse("a negative number"); }
    bool number_float(number_float_t, const string_t&) override { return refuse("a number that is no 64-bit integer"); }
    bool binary(binary_t&) override { return refuse("binary data"); }
    bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
        return fail(fmt::format("it is no valid JSON at byte {}", position));
    }

 private:
    enum class In { file, top, metadata, tensor, shape, offsets, after };

    bool enter(In where) {
        in_ = where;
        return true;
    }
    In begin_tensor() {
        header.tensors.emplace_back();
        header.tensors.back().name = key_;
        seen_ = field_ = offsets_ = 0;
        return In::tensor;
    }
    bool fail(std::string what) {
        error = std::move(what);
        return false;
    }
    bool refuse(const char* what) {
        switch (in_) {
            case In::file:
            case In::after:
                return fail(std::string("it is not one object, but has ") + what);
            case In::top:
                return fail(in_quotes(key_) + " should be an object, but is " + what);
            case In::metadata:
                return fail("the metadata of " + in_quotes(metadata_key_) + " should be text, but is " + what);
            case In::tensor:
                return fail(tensor() + " has " + what + " where its dtype, shape or data_offsets belong");
            case In::shape:
                return fail(tensor() + " has a shape with " + what);
            case In::offsets:
                return fail(tensor() + " has data_offsets with " + what + " (two numbers belong there)");
        }
        return false;
    }
    std::string tensor() const { return "tensor " + in_quotes(header.tensors.back().name); }

    In in_ = In::file;
    std::string key_, metadata_key_;
    bool has_metadata_ = false;
    int seen_ = 0, field_ = 0, offsets_ = 0;
};

// Valid UTF-8 in quotes; the JSON library checks it.
std::string json_text(const std::string& text) {
    try {
        return json(text).dump();
    } catch (const json::exception&) {
        throw ShapeError("cannot write " + in_quotes(text) + " into a tensor file: it is not valid UTF-8");
    }
}

}  // namespace

const char* safetensors_name(DType t) {
    for (const auto& [name, dtype] : dtype_names)
        if (dtype == t) return name;
    return "?";
}

std::optional<uint64_t> checked_bytes(const std::vector<int64_t>& shape, DType dtype) {
    uint64_t product = size_of(dtype);
    for (const int64_t d : shape)
        if (d < 0 || __builtin_mul_overflow(product, uint64_t(d), &product)) return std::nullopt;
    return product;
}

Header parse_header(const FileDescriptor& file, uint64_t header_bytes, const std::string& path) {
    HeaderStream stream(file, header_bytes, path);
    if (stream.at_end() || stream.current() != '{')
        throw FormatError(path + ": not a safetensors file: its header does not begin with {");
    HeaderBuilder builder;
    if (!json::sax_parse(HeaderIterator{&stream}, HeaderIterator{}, &builder)) {
        if (builder.error.empty()) builder.error = "it cannot be parsed";
        throw FormatError(path + ": the safetensors header is refused: " + builder.error);
    }
    return std::move(builder.header);
}

std::string header_text(const std::vector<TensorInfo>& tensors, const std::map<std::string, std::string>& metadata) {
    if (tensors.size() > max_entries || metadata.size() >= max_entries)
        throw ShapeError(fmt::format("a tensor file holds at most {} tensors and metadata entries", max_entries));
    std::string text(checksum_prefix);
    text += std::string(checksum_digits, '0') + '"';
    const auto limited = [](std::string token) {
        if (token.size() > max_token_bytes)
            throw ShapeError(fmt::format("a name or metadata value is longer than {}", format_bytes(max_token_bytes)));
        return token;
    };
    for (const auto& [name, value] : metadata)
        if (name != checksum_key) text += "," + limited(json_text(name)) + ":" + limited(json_text(value));
    text += '}';
    for (const TensorInfo& t : tensors) {
        if (t.shape.size() > max_rank) throw ShapeError(in_quotes(t.name) + ": too many dimensions for a tensor file");
        std::string shape;
        for (const int64_t d : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(d);
        text += fmt::format(",{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                            limited(json_text(t.name)), safetensors_name(t.dtype), shape, t.begin, t.end);
    }
    text += '}';
    text.append((8 - text.size() % 8) % 8, ' ');  // the data begin at a multiple of 8
    if (text.size() > max_header_bytes) throw ShapeError("names and metadata are too long for a tensor file's header");
    return text;
}

}  // namespace atrous::io::detail
