#include "engine/io/pth_tensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "engine/io/safetensors_header.h"

namespace atrous::io::detail {
namespace {

constexpr size_t max_tensors = 65'536, max_visits = 1 << 20, max_name_bytes = 512;
constexpr int max_depth = 8;

constexpr StorageType types[] = {
    {"Float", 4, true, DType::f32},     {"Double", 8, true, DType::f64},       {"Half", 2, true, DType::f16},
    {"BFloat16", 2, true, DType::bf16}, {"Long", 8, true, DType::i64},         {"Int", 4, true, DType::i32},
    {"Byte", 1, true, DType::u8},       {"Bool", 1, true, DType::u8},          {"Short", 2, false, DType::u8},
    {"Char", 1, false, DType::u8},      {"ComplexFloat", 8, false, DType::u8}, {"ComplexDouble", 16, false, DType::u8},
};

const StorageType* type_of(const std::string& global) {
    const size_t dot = global.rfind('.');
    for (const StorageType& t : types)
        if (global.compare(dot + 1, std::string::npos, std::string(t.name) + "Storage") == 0) return &t;
    return nullptr;
}

}  // namespace

StorageTable::StorageTable(const Pickle& pickle, const std::string& path) : path_(path) {
    for (uint32_t i = 0; i < pickle.size(); ++i)
        if (pickle[i].kind == PickleKind::persistent) add(pickle, i);
}

// ('storage', torch.FloatStorage, key, location, count) and, in legacy files, None or (key of the view, offset, count).
void StorageTable::add(const Pickle& pickle, uint32_t value) {
    const auto bad = [&](const std::string& what) { return FormatError(path_ + ": a storage " + what); };
    const PickleValue& id = pickle[pickle[value].items[0]];
    const auto part = [&](size_t i, PickleKind kind) -> const PickleValue& {
        if (id.kind != PickleKind::tuple || i >= id.items.size() || pickle[id.items[i]].kind != kind)
            throw bad("is not named as PyTorch names them");
        return pickle[id.items[i]];
    };
    if (part(0, PickleKind::text).text != "storage") throw bad("is not named as PyTorch names them");
    const StorageType* type = type_of(part(1, PickleKind::global).text);
    const std::string& key = part(2, PickleKind::text).text;
    const int64_t count = part(4, PickleKind::integer).integer;
    if (!type || id.items.size() > 6) throw bad("is not named as PyTorch names them");
    if (count < 0 || uint64_t(count) > UINT64_MAX / 2 / type->bytes)
        throw bad(fmt::format("{} has {} elements", in_quotes(key), count));
    const auto [at, fresh] = by_key_.try_emplace(key, uint32_t(storages_.size()));
    if (fresh) storages_.push_back({key, type, uint64_t(count)});
    const NamedStorage& storage = storages_[at->second];
    if (storage.type != type || storage.count != uint64_t(count))
        throw bad(fmt::format("{} has {} elements of {} here, {} of {} there", in_quotes(key), count, type->name,
                              storage.count, storage.type->name));
    Reference reference{at->second, 0, storage.count};
    if (id.items.size() == 6 && pickle[id.items[5]].kind != PickleKind::none) {
        const PickleValue& view = part(5, PickleKind::tuple);
        const auto number = [&](size_t i) -> uint64_t {
            if (view.items.size() != 3 || pickle[view.items[i]].kind != PickleKind::integer)
                throw bad("has a view that is not named as PyTorch names them");
            return uint64_t(pickle[view.items[i]].integer);
        };
        reference.offset = number(1);
        reference.count = number(2);
        if (reference.offset > storage.count || reference.count > storage.count - reference.offset)
            throw bad(in_quotes(key) + " has a view outside itself");
    }
    references_.emplace(value, reference);
}

NamedStorage* StorageTable::find(const std::string& key) {
    const auto at = by_key_.find(key);
    return at == by_key_.end() ? nullptr : &storages_[at->second];
}

StorageTable::View StorageTable::view_of(uint32_t value) const {
    const Reference& r = references_.at(value);
    return {&storages_[r.storage], r.offset, r.count};
}

namespace {

class Finder {
 public:
    Finder(const Pickle& pickle, const StorageTable& storages, const std::string& path)
        : pickle_(pickle), storages_(storages), path_(path) {}

    FoundTensors find(const std::string& entry) {
        collect(choose(entry), "", 0);
        if (found_.infos.empty()) throw FormatError(path_ + ": holds no tensors");
        note_left_out();
        return std::move(found_);
    }

 private:
    using Kind = PickleKind;

    FormatError bad(const std::string& name, const std::string& what) const {
        return FormatError(path_ + ": tensor " + in_quotes(name) + " " + what);
    }
    static bool is_tensor(const PickleValue& v) { return v.kind == Kind::call && v.text != "torch.Size"; }
    void count_visit() {
        if (++visits_ > max_visits) throw FormatError(path_ + ": its dicts have too many entries");
    }

    bool holds_tensors(const PickleValue& v, int depth) {
        count_visit();
        if (is_tensor(v)) return true;
        if (v.kind != Kind::dict || depth == max_depth) return false;
        for (size_t i = 1; i < v.items.size(); i += 2)
            if (holds_tensors(pickle_[v.items[i]], depth + 1)) return true;
        return false;
    }

    // The dict that is the state dict.
    const PickleValue& choose(const std::string& entry) {
        const PickleValue& root = pickle_.root();
        if (root.kind != Kind::dict)
            throw FormatError(path_ +
                              ": holds no dict; save one, in Python: torch.save(model.state_dict(), 'weights.pth')");
        std::vector<std::pair<std::string, const PickleValue*>> candidates;
        std::string names;
        for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
            const PickleValue &key = pickle_[root.items[i]], &value = pickle_[root.items[i + 1]];
            if (is_tensor(value) && entry.empty()) return root;
            if (key.kind != Kind::text || value.kind != Kind::dict || !holds_tensors(value, 1)) continue;
            candidates.emplace_back(key.text, &value);
            if (names.size() < 200) names += (names.empty() ? "" : ", ") + in_quotes(key.text);
        }
        const PickleValue* chosen = pick(candidates, entry);
        if (!chosen && (!entry.empty() || candidates.size() > 1))
            throw FormatError(
                fmt::format("{}: {} among its entries {}; choose one with: atrous convert IN OUT `entry` NAME", path_,
                            entry.empty() ? std::string("it is not clear which is the state dict")
                                          : "there is no dict " + in_quotes(entry),
                            names));
        if (!chosen) throw FormatError(path_ + ": holds no tensors");
        for (size_t i = 0; i + 1 < root.items.size(); i += 2)
            if (&pickle_[root.items[i + 1]] != chosen)
                leave_out(pickle_[root.items[i]], pickle_[root.items[i + 1]], "");
        return *chosen;
    }

    static const PickleValue* pick(const std::vector<std::pair<std::string, const PickleValue*>>& candidates,
                                   const std::string& entry) {
        const auto named = [&](std::string_view name) -> const PickleValue* {
            for (const auto& [key, value] : candidates)
                if (key == name) return value;
            return nullptr;
        };
        if (!entry.empty()) return named(entry);
        for (const char* name : {"state_dict", "model_state_dict", "model", "net", "weights"})
            if (const PickleValue* found = named(name)) return found;
        const PickleValue* only = nullptr;
        for (const auto& [key, value] : candidates)
            if (!key.starts_with("optim")) {
                if (only) return nullptr;
                only = value;
            }
        return only;
    }

    void collect(const PickleValue& dict, const std::string& prefix, int depth) {
        for (size_t i = 0; i + 1 < dict.items.size(); i += 2) {
            count_visit();
            const PickleValue &key = pickle_[dict.items[i]], &value = pickle_[dict.items[i + 1]];
            const bool nested = value.kind == Kind::dict && depth < max_depth;
            if (key.kind != Kind::text || (!nested && !is_tensor(value))) {
                leave_out(key, value, prefix);
                continue;
            }
            if (prefix.size() + key.text.size() > max_name_bytes)
                throw FormatError(fmt::format("{}: a name has more than {} bytes: {}", path_, max_name_bytes,
                                              in_quotes(prefix + key.text.substr(0, 100))));
            const std::string name = prefix + key.text;
            if (nested)
                collect(value, name + ".", depth + 1);
            else
                add(name, dict.items[i + 1]);
        }
    }

    void add(const std::string& name, uint32_t index) {
        if (found_.infos.size() == max_tensors)
            throw FormatError(fmt::format("{}: it names more than {} tensors", path_, max_tensors));
        // A parameter is a call around a tensor.
        for (int depth = 0; depth < 4; ++depth) {
            const PickleValue& call = pickle_[index];
            if (call.kind != Kind::call) break;
            const std::vector<uint32_t>& arguments = pickle_[call.items[0]].items;
            const bool v2 = call.text == "torch._utils._rebuild_tensor_v2";
            if (v2 || call.text == "torch._utils._rebuild_tensor") {
                if (arguments.size() < (v2 ? 6u : 4u) || arguments.size() > (v2 ? 7u : 4u)) break;
                return add_strided(name, arguments);
            }
            if (arguments.empty()) break;
            index = arguments[0];
        }
        throw bad(name, "is not put together as PyTorch does it");
    }

    std::vector<int64_t> sizes(const std::string& name, uint32_t index) const {
        const PickleValue* v = &pickle_[index];
        if (v->kind == Kind::call && v->text == "torch.Size" && pickle_[v->items[0]].items.size() == 1)
            v = &pickle_[pickle_[v->items[0]].items[0]];
        if (v->kind != Kind::tuple || v->items.size() > max_rank)
            throw bad(name, fmt::format("has no shape, or one of more than {} dimensions", max_rank));
        std::vector<int64_t> values;
        for (const uint32_t i : v->items) {
            if (pickle_[i].kind != Kind::integer || pickle_[i].integer < 0)
                throw bad(name, "has a size or stride that is no number from 0");
            values.push_back(pickle_[i].integer);
        }
        return values;
    }

    // What a view does to its storage's values when it is read: {"neg": True, "conj": True}, as of
    // torch.imag(x.conj()).
    bool is_negated(const std::string& name, const std::vector<uint32_t>& arguments) const {
        if (arguments.size() < 7 || pickle_[arguments[6]].kind == Kind::none) return false;
        const PickleValue& properties = pickle_[arguments[6]];
        if (properties.kind != Kind::dict) throw bad(name, "is not put together as PyTorch does it");
        bool negated = false;
        for (size_t i = 0; i + 1 < properties.items.size(); i += 2) {
            const PickleValue &key = pickle_[properties.items[i]], &value = pickle_[properties.items[i + 1]];
            if (key.kind != Kind::text || value.kind != Kind::boolean)
                throw bad(name, "is not put together as PyTorch does it");
            if (key.text == "neg") negated = value.integer != 0;
            if (key.text == "neg" || value.integer == 0) continue;
            throw bad(name, key.text == "conj"
                                ? "is a conjugated view, which is not read; save it after .resolve_conj()"
                                : "has the property " + in_quotes(key.text) + ", which is not read; save a .clone()");
        }
        return negated;
    }

    // (storage, offset, sizes, strides, …): every element must lie in the storage, and no more than the storage has.
    void add_strided(const std::string& name, const std::vector<uint32_t>& arguments) {
        if (pickle_[arguments[0]].kind != Kind::persistent || pickle_[arguments[1]].kind != Kind::integer)
            throw bad(name, "is not put together as PyTorch does it");
        const StorageTable::View view = storages_.view_of(arguments[0]);
        const StorageType& type = *view.storage->type;
        if (!type.readable)
            throw bad(name, fmt::format("has element type {}; Float, Double, Half, BFloat16, Long, Int, Byte and Bool "
                                        "can be read",
                                        type.name));
        const auto shape = sizes(name, arguments[2]), strides = sizes(name, arguments[3]);
        const auto bytes = checked_bytes(shape, type.dtype);
        if (strides.size() != shape.size() || !bytes)
            throw bad(name, "has a shape of more than 64 bits of bytes, or strides that do not belong to it");
        uint64_t last = uint64_t(pickle_[arguments[1]].integer);
        bool outside = pickle_[arguments[1]].integer < 0 || last > view.count;
        for (size_t i = 0; i < shape.size() && *bytes > 0; ++i) {
            uint64_t step;
            outside = outside || __builtin_mul_overflow(uint64_t(shape[i] - 1), uint64_t(strides[i]), &step) ||
                      __builtin_add_overflow(last, step, &last);
        }
        outside = outside || (*bytes > 0 && last >= view.count);
        if (outside || *bytes / type.bytes > view.count)
            throw bad(name,
                      fmt::format("is {} {} with elements outside its storage of {}, or repeated in it (an expanded "
                                  "tensor: save a .clone() of it)",
                                  name_of(type.dtype), shape_text(shape), view.count));
        found_.infos.push_back({name, type.dtype, shape, 0, *bytes});
        const PthFile::Storage storage{type.dtype, view.storage->begin, view.storage->count};
        found_.strided.push_back(
            {storage, view.offset + uint64_t(pickle_[arguments[1]].integer), strides, is_negated(name, arguments)});
    }

    void leave_out(const PickleValue& key, const PickleValue& value, const std::string& prefix) {
        if (++left_out_count_ > 4) return;
        const char* kind = value.kind == Kind::dict                                  ? "a dict"
                           : value.kind == Kind::text                                ? "text"
                           : value.kind == Kind::list || value.kind == Kind::tuple   ? "a list"
                           : value.kind == Kind::call                                ? "a tensor"
                           : value.kind == Kind::integer || value.kind == Kind::real ? "a number"
                           : value.kind == Kind::boolean || value.kind == Kind::none ? "a flag"
                                                                                     : "an object";
        const std::string name = key.kind == Kind::text      ? prefix + key.text
                                 : key.kind == Kind::integer ? prefix + std::to_string(key.integer)
                                                             : prefix + "?";
        left_out_ += (left_out_.empty() ? "" : ", ") + in_quotes(name) + " (" + kind + ")";
    }
    void note_left_out() {
        if (left_out_count_ == 0) return;
        if (left_out_count_ > 4) left_out_ += fmt::format(" and {} more", left_out_count_ - 4);
        found_.notes.push_back("left out: " + left_out_);
    }

    const Pickle& pickle_;
    const StorageTable& storages_;
    const std::string& path_;
    FoundTensors found_;
    size_t visits_ = 0, left_out_count_ = 0;
    std::string left_out_;
};

}  // namespace

FoundTensors find_tensors(const Pickle& pickle, const StorageTable& storages, const std::string& entry,
                          const std::string& path) {
    return Finder(pickle, storages, path).find(entry);
}

}  // namespace atrous::io::detail
