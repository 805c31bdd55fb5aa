#include "engine/nn/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "engine/ops/descriptor.h"

namespace atrous {

namespace {

// The entries with values numbered, and the reach on both axes.
class Walk {
 public:
    Walk(const std::vector<Entry>& entries, int64_t image) : entries_(entries), image_(number_of(image)) {
        for (const Entry& e : entries) {
            Step s{number_of(e.output.id), {}, {reach_of(e, 0), reach_of(e, 1)}};
            for (const Value& v : e.inputs)
                if (v.shape.rank() == 4) s.inputs.push_back(number_of(v.id));
            steps_.push_back(std::move(s));
        }
    }

    // Image rows and columns that the pixel (y, x) of an entry's output depends on.
    ImageBox back_from(size_t entry, int64_t y, int64_t x) const {
        std::vector<std::optional<ImageBox>> boxes(numbers_.size());
        boxes[steps_[entry].output] = ImageBox{{{y, y}, {x, x}}, false};
        for (size_t i = entry + 1; i-- > 0;) {
            const auto& box = boxes[steps_[i].output];
            if (!box) continue;
            const Reach* axes = steps_[i].axes;
            const ImageBox in{{axes[0].inputs_of(box->axis[0]), axes[1].inputs_of(box->axis[1])},
                              box->whole || axes[0].is_all() || axes[1].is_all()};
            for (size_t value : steps_[i].inputs) join(boxes[value], in);
        }
        return boxes[image_].value_or(ImageBox{{{0, -1}, {0, -1}}, false});
    }

 private:
    struct Step {
        size_t output;
        std::vector<size_t> inputs;
        Reach axes[2];
    };
    static void join(std::optional<ImageBox>& box, const ImageBox& more) {
        if (!box) {
            box = more;
            return;
        }
        for (int i = 0; i < 2; ++i)
            box->axis[i] = {std::min(box->axis[i].first, more.axis[i].first),
                            std::max(box->axis[i].last, more.axis[i].last)};
        box->whole = box->whole || more.whole;
    }
    size_t number_of(int64_t id) { return numbers_.try_emplace(id, numbers_.size()).first->second; }

    const std::vector<Entry>& entries_;
    std::unordered_map<int64_t, size_t> numbers_;
    size_t image_;
    std::vector<Step> steps_;
};

std::vector<Entry> maps_of(const std::vector<Entry>& entries) {
    std::vector<Entry> maps;
    std::copy_if(entries.begin(), entries.end(), std::back_inserter(maps), is_map);
    return maps;
}

std::string name_of_layer(const Entry& e) { return e.module.empty() ? e.op : e.module + " (" + e.op + ")"; }

}  // namespace

ImageBox field_at(const std::vector<Entry>& entries, int64_t image, size_t entry, int64_t y, int64_t x) {
    return Walk(entries, image).back_from(entry, y, x);
}

Halo joined(const Halo& a, const Halo& b) {
    return {std::max(a.pixels, b.pixels), std::lcm(a.stride, b.stride), a.varies_by.empty() ? b.varies_by : a.varies_by,
            std::lcm(a.multiple, b.multiple)};
}

Halo halo_of(const std::vector<Entry>& entries, const Value& image) {
    const std::vector<Entry> maps = maps_of(entries);
    const Walk walk(maps, image.id);
    Halo halo;
    for (const double stride : output_strides(maps, image))
        halo.stride = std::max<int64_t>(halo.stride, std::llround(stride));
    for (const Entry& e : maps)
        if (halo.varies_by.empty() && (reach_of(e, 0).depends_on_size() || reach_of(e, 1).depends_on_size()))
            halo.varies_by = name_of_layer(e);
    if (maps.empty()) return halo;
    const int64_t middle = image.shape[1] / 2 / halo.stride * halo.stride;
    for (int64_t at = middle; at < middle + halo.stride; ++at) {
        const ImageBox box = walk.back_from(maps.size() - 1, at, at);
        for (const Reach::Range& axis : box.axis)
            halo.pixels = std::max({halo.pixels, at - axis.first, axis.last - at});
    }
    return halo;
}

std::vector<double> output_strides(const std::vector<Entry>& entries, const Value& image) {
    std::unordered_map<int64_t, double> of{{image.id, 1}};
    std::unordered_map<int64_t, double> of_height{{image.shape[1], 1}};
    std::vector<double> strides;
    for (const Entry& e : entries) {
        double stride = 0;
        if (is_map(e)) {
            const Reach rows = reach_of(e, 0);
            const auto input = of.find(e.inputs[0].id);
            stride = rows.stride_from(input == of.end() ? 0 : input->second);
            if (rows.is_all()) stride = double(image.shape[1]);
            if (rows.resizes()) {
                const auto known = of_height.find(rows.out());
                stride = known != of_height.end() ? known->second : stride * double(rows.in()) / double(rows.out());
            }
            of[e.output.id] = stride;
            of_height.try_emplace(e.output.shape[1], stride);
        }
        strides.push_back(stride);
    }
    return strides;
}

std::vector<ReceptiveField> receptive_fields(const std::vector<Entry>& entries, int64_t image) {
    std::vector<Entry> maps;
    std::vector<size_t> place(entries.size(), 0);
    Value input;
    for (size_t i = 0; i < entries.size(); ++i) {
        if (!is_map(entries[i])) continue;
        if (entries[i].inputs[0].id == image) input = entries[i].inputs[0];
        place[i] = maps.size() + 1;
        maps.push_back(entries[i]);
    }
    const Walk walk(maps, image);
    const auto strides = output_strides(maps, input);
    const double coarsest = strides.empty() ? 1 : *std::max_element(strides.begin(), strides.end());
    std::vector<ReceptiveField> fields(entries.size());
    for (size_t i = 0; i < entries.size(); ++i) {
        if (!place[i]) continue;
        const size_t at = place[i] - 1;
        const int64_t phases = std::clamp<int64_t>(std::llround(coarsest / std::max(strides[at], 0.01)), 1, 64);
        fields[i] = {0, 0, false};
        for (int64_t phase = 0; phase < phases; ++phase) {
            const Shape& s = maps[at].output.shape;
            const ImageBox box = walk.back_from(at, s[1] / 2 + phase, s[2] / 2 + phase);
            fields[i] = {std::max(fields[i].height, box.size(0)), std::max(fields[i].width, box.size(1)),
                         fields[i].whole || box.whole};
        }
    }
    return fields;
}

}  // namespace atrous
