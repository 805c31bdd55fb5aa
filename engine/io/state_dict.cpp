#include "engine/io/state_dict.h"

#include <fmt/core.h>

#include <array>
#include <cstring>
#include <memory>
#include <set>

#include "engine/nn/init.h"

namespace atrous::io {

// axes[i]: which of our axes is the file's i-th.
static std::array<int, 4> file_axes(FileLayout layout) {
    if (layout == FileLayout::conv || layout == FileLayout::linear) return {0, 3, 1, 2};
    if (layout == FileLayout::conv_transpose) return {3, 2, 0, 1};
    if (layout == FileLayout::depthwise) return {3, 0, 1, 2};
    return {0, 1, 2, 3};
}

std::vector<int64_t> file_shape(const Shape& shape, FileLayout layout) {
    if (layout == FileLayout::scalar) return {};
    if (layout == FileLayout::linear) return {shape[0], shape.count() / shape[0]};
    std::vector<int64_t> dims;
    for (int i = 0; i < shape.rank(); ++i) dims.push_back(shape[shape.rank() == 4 ? file_axes(layout)[size_t(i)] : i]);
    return dims;
}

// Calls move(index in the file, index in memory) for every element.
template <class F>
static void each_element(const Shape& shape, FileLayout layout, const F& move) {
    const auto axes = file_axes(layout);
    std::array<int64_t, 4> stride{1, 1, 1, 1};
    for (int i = 2; i >= 0; --i) stride[size_t(i)] = stride[size_t(i + 1)] * shape[i + 1];
    int64_t at = 0;
    for (int64_t a = 0; a < shape[axes[0]]; ++a)
        for (int64_t b = 0; b < shape[axes[1]]; ++b)
            for (int64_t c = 0; c < shape[axes[2]]; ++c)
                for (int64_t d = 0; d < shape[axes[3]]; ++d)
                    move(at++, a * stride[size_t(axes[0])] + b * stride[size_t(axes[1])] + c * stride[size_t(axes[2])] +
                                   d * stride[size_t(axes[3])]);
}

static bool permuted(const Shape& shape, FileLayout layout) { return shape.rank() == 4 && layout != FileLayout::same; }

std::vector<std::byte> to_file_layout(const Tensor& tensor, FileLayout layout) {
    std::vector<std::byte> ours(tensor.bytes());
    tensor.copy_to_host(ours.data(), ours.size());
    if (!permuted(tensor.shape(), layout)) return ours;
    std::vector<std::byte> file(ours.size());
    const size_t size = size_of(tensor.dtype());
    each_element(tensor.shape(), layout, [&](int64_t to, int64_t from) {
        std::memcpy(&file[size_t(to) * size], &ours[size_t(from) * size], size);
    });
    return file;
}

void from_file_layout(Tensor& tensor, FileLayout layout, const std::vector<std::byte>& bytes) {
    if (!permuted(tensor.shape(), layout)) return tensor.copy_from_host(bytes.data(), bytes.size());
    std::vector<std::byte> ours(bytes.size());
    const size_t size = size_of(tensor.dtype());
    each_element(tensor.shape(), layout, [&](int64_t from, int64_t to) {
        std::memcpy(&ours[size_t(to) * size], &bytes[size_t(from) * size], size);
    });
    tensor.copy_from_host(ours.data(), ours.size());
}

std::vector<Slot> slots_of(Module& net) {
    std::vector<Slot> slots;
    for (auto& [path, p] : net.parameters()) slots.push_back({path, &p->value, p->layout, true});
    for (auto& [path, b] : net.buffers()) slots.push_back({path, &b->value, b->layout, false});
    return slots;
}

std::vector<TensorToWrite> state_dict(Module& net) {
    std::vector<TensorToWrite> tensors;
    for (const Slot& slot : slots_of(net)) {
        auto write = [tensor = *slot.tensor, layout = slot.layout](Sink& sink) {
            const auto bytes = to_file_layout(tensor, layout);
            sink.write(bytes.data(), bytes.size());
        };
        tensors.push_back(
            {slot.name, slot.tensor->dtype(), file_shape(slot.tensor->shape(), slot.layout), std::move(write)});
    }
    return tensors;
}

static std::string few_of(const std::vector<std::string>& names) {
    std::string s;
    for (size_t i = 0; i < names.size() && i < 3; ++i) s += (i ? ", " : "") + names[i];
    return names.size() > 3 ? fmt::format("{} and {} more", s, names.size() - 3) : s;
}

static void check_fit(const std::vector<Slot>& slots, const TensorFile& file, const std::string& ignored_prefix) {
    std::set<std::string> known;
    std::vector<std::string> missing, extra;
    for (const Slot& slot : slots) {
        known.insert(slot.name);
        const TensorInfo* info = file.find(slot.name);
        if (!info) {
            missing.push_back(slot.name);
            continue;
        }
        const auto wanted = file_shape(slot.tensor->shape(), slot.layout);
        if (info->shape != wanted || !converts(info->dtype, slot.tensor->dtype()))
            throw FormatError(
                fmt::format("{}: tensor '{}' is {} {}, the net wants {} {}; is it another model's checkpoint?",
                            file.path(), slot.name, name_of(info->dtype), shape_text(info->shape),
                            name_of(slot.tensor->dtype()), shape_text(wanted)));
    }
    for (const TensorInfo& info : file.tensors())
        if (!known.count(info.name) && (ignored_prefix.empty() || info.name.rfind(ignored_prefix, 0) != 0))
            extra.push_back(info.name);
    if (!missing.empty() || !extra.empty())
        throw FormatError(fmt::format(
            "{}: not this net's weights:{}{}{}", file.path(), missing.empty() ? "" : " missing " + few_of(missing),
            !missing.empty() && !extra.empty() ? ";" : "", extra.empty() ? "" : " unknown " + few_of(extra)));
}

void fill(const Slot& slot, const TensorFile& file, const TensorInfo& info) {
    from_file_layout(*slot.tensor, slot.layout, converted(file.bytes(info), info.dtype, slot.tensor->dtype()));
}

void check_state_dict(Module& net, const TensorFile& file, const std::string& ignored_prefix) {
    check_fit(slots_of(net), file, ignored_prefix);
}

void load_state_dict(Module& net, const TensorFile& file, const std::string& ignored_prefix) {
    const auto slots = slots_of(net);
    check_fit(slots, file, ignored_prefix);
    for (const Slot& slot : slots) fill(slot, file, file.at(slot.name));
    file.verify_unchanged();
    refresh_halves(net.arena());
}

}  // namespace atrous::io
