#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "base/text.h"
#include "engine/io/pth_tensors.h"
#include "engine/io/zip.h"

namespace atrous::io {
namespace {

// The pickle of PyTorch's magic number, 0x1950a86a20f9469cfc6c, with which legacy files begin.
constexpr unsigned char legacy_magic[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                          0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr int64_t legacy_protocol = 1001;

const ZipEntry* find_entry(const std::vector<ZipEntry>& entries, const std::string& name) {
    const auto at = std::lower_bound(entries.begin(), entries.end(), name,
                                     [](const ZipEntry& e, const std::string& n) { return e.name < n; });
    return at != entries.end() && at->name == name ? &*at : nullptr;
}

// The folder in which everything lies: "archive/".
std::string root_of(const std::vector<ZipEntry>& entries, const std::string& path) {
    std::string root;
    for (const ZipEntry& e : entries) {
        const size_t slash = e.name.find('/');
        if (slash == std::string::npos || e.name.compare(slash, std::string::npos, "/data.pkl") != 0) continue;
        if (!root.empty()) throw FormatError(path + ": the zip archive holds two files of PyTorch's");
        root = e.name.substr(0, slash + 1);
    }
    if (root.empty()) throw FormatError(path + ": a zip archive without a data.pkl: not written by torch.save");
    if (find_entry(entries, root + "constants.pkl"))
        throw FormatError(path +
                          ": a TorchScript program, which is not run here; save the weights alone, in Python: "
                          "torch.save(model.state_dict(), 'weights.pth')");
    return root;
}

const PickleValue* entry_of(const Pickle& pickle, const std::string& name) {
    const auto& items = pickle.root().items;
    for (size_t i = 0; i + 1 < items.size() && pickle.root().kind == PickleKind::dict; i += 2)
        if (pickle[items[i]].text == name) return &pickle[items[i + 1]];
    return nullptr;
}

bool row_major(const std::vector<int64_t>& shape, const std::vector<int64_t>& strides) {
    int64_t expected = 1;
    for (size_t i = shape.size(); i-- > 0;) {
        if (shape[i] != 1 && strides[i] != expected) return false;
        expected *= shape[i];
    }
    return true;
}

// Gathers in the order of the shape; `from` begins at the tensor's first element.
void gather(const std::byte* from, size_t element, const TensorInfo& t, const std::vector<int64_t>& strides,
            std::byte* to) {
    std::vector<int64_t> at(t.shape.size(), 0);
    uint64_t offset = 0;
    for (uint64_t i = 0; i < t.count(); ++i, to += element) {
        std::memcpy(to, from + offset * element, element);
        for (size_t d = t.shape.size(); d-- > 0;) {
            offset += uint64_t(strides[d]);
            if (++at[d] < t.shape[d]) break;
            offset -= uint64_t(strides[d]) * uint64_t(t.shape[d]);
            at[d] = 0;
        }
    }
}

template <class T>
void negate_as(std::vector<std::byte>& values) {
    for (size_t at = 0; at < values.size(); at += sizeof(T)) {
        T value;
        std::memcpy(&value, values.data() + at, sizeof value);
        value = std::is_integral_v<T> ? T(0 - value) : -value;  // integers wrap around, as PyTorch's
        std::memcpy(values.data() + at, &value, sizeof value);
    }
}

void negate(std::vector<std::byte>& values, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return negate_as<float>(values);
        case DType::f64:
            return negate_as<double>(values);
        case DType::f16:
        case DType::bf16:
            for (size_t at = 1; at < values.size(); at += 2) values[at] ^= std::byte{0x80};
            return;
        case DType::i64:
            return negate_as<uint64_t>(values);
        case DType::i32:
            return negate_as<uint32_t>(values);
        case DType::u8:
            return negate_as<uint8_t>(values);
    }
}

}  // namespace

PthFile::PthFile(const std::string& path, const std::string& entry) : TensorFile(path) {
    unsigned char start[264] = {};
    read_at(file_, start, sizeof start, 0, path);
    if (start[0] == 'P' && start[1] == 'K') {
        read_zip_archive(entry);
    } else if (std::memcmp(start, legacy_magic, sizeof legacy_magic) == 0) {
        legacy_ = true;
        read_legacy(entry);
    } else if (std::memcmp(start + 257, "ustar", 5) == 0) {
        throw FormatError(path + ": a tar archive (PyTorch before 0.1.10); load and save it again with PyTorch");
    } else {
        throw FormatError(path + ": not a file of torch.save: neither a zip archive nor its older form");
    }
    if (const TensorInfo* twice = index_names())
        throw FormatError(path + ": two tensors are named " + in_quotes(twice->name));
    check_amount();
}

// Tensors may share storages, as tied weights do; so many that unpacking them explodes is no honest file.
void PthFile::check_amount() {
    const uint64_t file_bytes = uint64_t(opened_.bytes);
    uint64_t total = 0;
    for (const TensorInfo& t : tensors_)
        if (__builtin_add_overflow(total, t.bytes(), &total)) total = UINT64_MAX;
    if (total / 16 > file_bytes + (1 << 20))
        throw FormatError(
            fmt::format("{}: its tensors share storages so often that they would take {}, the file has {}", path_,
                        format_bytes(total), format_bytes(file_bytes)));
}

void PthFile::read_zip_archive(const std::string& entry) {
    const auto entries = read_zip(file_, path_);
    const std::string root = root_of(entries, path_);
    for (const ZipEntry& e : entries) verify_zip_entry(file_, e, path_);
    if (const ZipEntry* order = find_entry(entries, root + "byteorder")) {
        ByteReader r(file_, order->begin, order->begin + order->bytes, path_, "its byte order");
        if (order->bytes != 6 || r.text(6) != "little")
            throw FormatError(path_ + ": was written in big-endian byte order; save it again on another machine");
    }
    const ZipEntry& data = *find_entry(entries, root + "data.pkl");
    ByteReader reader(file_, data.begin, data.begin + data.bytes, path_, "its pickle");
    const Pickle pickle = read_pickle(reader, path_);
    if (reader.left() != 0) throw FormatError(fmt::format("{}: {} bytes follow its pickle", path_, reader.left()));
    detail::StorageTable storages(pickle, path_);
    for (detail::NamedStorage& s : storages.storages()) {
        const ZipEntry* stored = find_entry(entries, root + "data/" + s.key);
        if (!stored) throw FormatError(path_ + ": storage " + in_quotes(s.key) + " is missing");
        if (stored->bytes != s.bytes())
            throw FormatError(fmt::format("{}: storage {} should have {} elements of {} bytes, it has {} bytes", path_,
                                          in_quotes(s.key), s.count, s.type->bytes, stored->bytes));
        s.begin = stored->begin;
    }
    auto found = detail::find_tensors(pickle, storages, entry, path_);
    tensors_ = std::move(found.infos);
    strided_ = std::move(found.strided);
    notes_ = std::move(found.notes);
}

// Five pickles (magic number, protocol, system, object, keys of storages), then for each key its count and bytes.
void PthFile::read_legacy(const std::string& entry) {
    ByteReader reader(file_, sizeof legacy_magic, uint64_t(opened_.bytes), path_, "the file");
    const Pickle protocol = read_pickle(reader, path_);
    if (protocol.root().kind != PickleKind::integer || protocol.root().integer != legacy_protocol)
        throw FormatError(fmt::format("{}: not PyTorch's legacy protocol {}", path_, legacy_protocol));
    const Pickle system = read_pickle(reader, path_);
    const PickleValue* little = entry_of(system, "little_endian");
    if (!little || little->kind != PickleKind::boolean || !little->integer)
        throw FormatError(path_ + ": was written in big-endian byte order; save it again on another machine");
    const Pickle pickle = read_pickle(reader, path_);
    const Pickle keys = read_pickle(reader, path_);
    detail::StorageTable storages(pickle, path_);
    size_t read = 0;
    if (keys.root().kind != PickleKind::list) throw FormatError(path_ + ": has no list of its storages");
    for (const uint32_t index : keys.root().items) {
        detail::NamedStorage* s = storages.find(keys[index].text);
        if (!s || s->begin != 0)
            throw FormatError(fmt::format("{}: storage {} is {}", path_, in_quotes(keys[index].text),
                                          s ? "there twice" : "not used by any tensor"));
        const int64_t count = reader.number<int64_t>();
        if (count < 0 || uint64_t(count) != s->count)
            throw FormatError(fmt::format("{}: storage {} should have {} elements, it has {}", path_, in_quotes(s->key),
                                          s->count, count));
        s->begin = reader.position();
        reader.skip(s->bytes());
        ++read;
    }
    if (read != storages.storages().size()) throw FormatError(path_ + ": some of its storages are missing");
    if (reader.left() != 0) throw FormatError(fmt::format("{}: {} bytes follow its storages", path_, reader.left()));
    auto found = detail::find_tensors(pickle, storages, entry, path_);
    tensors_ = std::move(found.infos);
    strided_ = std::move(found.strided);
    notes_ = std::move(found.notes);
}

std::vector<std::byte> PthFile::bytes(const TensorInfo& tensor) const {
    const size_t index = size_t(&at(tensor.name) - tensors_.data());
    const Strided& s = strided_[index];
    std::vector<std::byte> values(tensor.bytes());
    if (values.empty()) return values;
    const size_t element = size_of(tensor.dtype);
    const bool direct = row_major(tensor.shape, s.strides);
    uint64_t span = 1;  // elements from the first to the last
    for (size_t d = 0; d < tensor.shape.size(); ++d) span += uint64_t(tensor.shape[d] - 1) * uint64_t(s.strides[d]);
    std::vector<std::byte> around(direct ? 0 : span * element);
    std::byte* to = direct ? values.data() : around.data();
    const uint64_t wanted = direct ? values.size() : around.size();
    if (read_at(file_, to, wanted, s.storage.begin + s.offset * element, path_) < wanted)
        throw FormatError(path_ + ": the file became shorter while it was being read");
    if (!direct) gather(around.data(), element, tensor, s.strides, values.data());
    if (s.negated) negate(values, tensor.dtype);
    return values;
}

}  // namespace atrous::io
