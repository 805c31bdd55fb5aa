#include "engine/io/tensor_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/text.h"
#include "engine/io/pth.h"
#include "engine/io/safetensors.h"

namespace atrous::io {

TensorFile::TensorFile(const std::string& path)
    : path_(path), file_(open_for_reading(path)), opened_(stamp_of(file_, path)) {}

void TensorFile::verify_unchanged() const {
    if (stamp_of(file_, path_) != opened_)
        throw FormatError(path_ + ": changed while it was read; read it again when nothing writes to it");
}

const TensorInfo* TensorFile::index_names() {
    by_name_.resize(tensors_.size());
    std::iota(by_name_.begin(), by_name_.end(), 0u);
    std::sort(by_name_.begin(), by_name_.end(),
              [&](uint32_t a, uint32_t b) { return tensors_[a].name < tensors_[b].name; });
    const auto twice = std::adjacent_find(by_name_.begin(), by_name_.end(),
                                          [&](uint32_t a, uint32_t b) { return tensors_[a].name == tensors_[b].name; });
    return twice == by_name_.end() ? nullptr : &tensors_[*twice];
}

const TensorInfo* TensorFile::find(const std::string& name) const {
    const auto at = std::lower_bound(by_name_.begin(), by_name_.end(), name,
                                     [&](uint32_t i, const std::string& n) { return tensors_[i].name < n; });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
}

const TensorInfo& TensorFile::at(const std::string& name) const {
    if (const TensorInfo* found = find(name)) return *found;
    throw FormatError(fmt::format("{}: has no tensor {} among its {}", path_, in_quotes(name), tensors_.size()));
}

std::unique_ptr<TensorFile> open_tensors(const std::string& path) {
    unsigned char start[9] = {};
    read_at(open_for_reading(path), start, sizeof start, 0, path);
    // A header's length may look like any other format's beginning; the brace behind it decides.
    const bool safetensors = start[8] == '{';
    const bool zip = start[0] == 'P' && start[1] == 'K', pickle = start[0] == 0x80;
    if (!safetensors && (zip || pickle || path.ends_with(".pth") || path.ends_with(".pt")))
        return std::make_unique<PthFile>(path);
    return std::make_unique<SafetensorsFile>(path);
}

std::string shape_text(const std::vector<int64_t>& shape) {
    std::string s;
    for (const int64_t d : shape) s += (s.empty() ? "" : "x") + std::to_string(d);
    return "[" + s + "]";
}

}  // namespace atrous::io
