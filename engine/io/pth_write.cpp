#include <fmt/core.h>

#include <set>

#include "base/text.h"
#include "engine/io/pth.h"
#include "engine/io/safetensors_header.h"
#include "engine/io/zip.h"

namespace atrous::io {
namespace {

const char* storage_name(DType t) {
    switch (t) {
        case DType::f32:
            return "FloatStorage";
        case DType::bf16:
            return "BFloat16Storage";
        case DType::f16:
            return "HalfStorage";
        case DType::f64:
            return "DoubleStorage";
        case DType::u8:
            return "ByteStorage";
        case DType::i32:
            return "IntStorage";
        case DType::i64:
            return "LongStorage";
    }
    return "?";
}

// Pickle protocol 2, in the opcodes that torch.save uses.
class PickleText {
 public:
    PickleText& op(std::string_view opcodes) {
        text_ += opcodes;
        return *this;
    }
    PickleText& global(const std::string& module, const std::string& name) {
        return op("c" + module + "\n" + name + "\n");
    }
    PickleText& text(const std::string& value) { return op("X").number(uint32_t(value.size())).op(value); }
    PickleText& integer(uint64_t value) {
        if (value <= INT32_MAX) return op("J").number(int32_t(value));
        return op("\x8a").number(uint8_t(8)).number(value);  // LONG1; below 2^63
    }
    template <class Range>
    PickleText& tuple(const Range& values) {
        op("(");
        for (const auto v : values) integer(uint64_t(v));
        return op("t");
    }
    const std::string& text() const { return text_; }

 private:
    template <class T>
    PickleText& number(T value) {
        text_.append(reinterpret_cast<const char*>(&value), sizeof value);
        return *this;
    }
    std::string text_;
};

std::string pickle_of(const std::vector<TensorToWrite>& tensors) {
    PickleText p;
    p.op("\x80\x02").global("collections", "OrderedDict").op(")R(");
    for (size_t i = 0; i < tensors.size(); ++i) {
        const TensorToWrite& t = tensors[i];
        std::vector<int64_t> strides(t.shape.size(), 1);
        for (size_t d = t.shape.size(); d-- > 1;) strides[d - 1] = strides[d] * std::max<int64_t>(1, t.shape[d]);
        uint64_t count = 1;
        for (const int64_t d : t.shape) count *= uint64_t(d);
        p.text(t.name).global("torch._utils", "_rebuild_tensor_v2").op("((").text("storage");
        p.global("torch", storage_name(t.dtype)).text(std::to_string(i)).text("cpu").integer(count).op("tQ");
        p.integer(0).tuple(t.shape).tuple(strides).op("\x89").global("collections", "OrderedDict").op(")RtR");
    }
    return p.op("u.").text();
}

}  // namespace

void write_pth(const std::string& path, const std::vector<TensorToWrite>& tensors) {
    std::set<std::string> names;
    for (const TensorToWrite& t : tensors) {
        if (!detail::checked_bytes(t.shape, t.dtype))
            throw ShapeError("tensor " + in_quotes(t.name) + " has a negative or too large shape");
        if (!names.insert(t.name).second)
            throw ShapeError("two tensors are named " + in_quotes(t.name) + "; a file needs different names");
    }
    const std::string pickle = pickle_of(tensors);
    write_durably(path, [&](FileSink& file) {
        ZipWriter zip(file);
        const auto add = [&](const std::string& name, const std::string& text) {
            zip.add("archive/" + name, text.size(), [&](Sink& sink) { sink.write(text); });
        };
        add("data.pkl", pickle);
        add("byteorder", "little");
        for (size_t i = 0; i < tensors.size(); ++i)
            zip.add("archive/data/" + std::to_string(i), *detail::checked_bytes(tensors[i].shape, tensors[i].dtype),
                    tensors[i].write);
        add("version", "3\n");
        zip.finish();
    });
}

}  // namespace atrous::io
