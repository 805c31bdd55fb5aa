#include "engine/nn/receptive_field.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

namespace atrous {

namespace {

int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
int64_t ceil_of(int64_t a, int64_t b) { return -floor_div(-a, b); }

struct Range {
    int64_t first, last;
};

std::optional<int64_t> integer(const Entry& e, const char* name) {
    for (const auto& [key, value] : e.attributes)
        if (key == name) return std::get<int64_t>(value);
    return {};
}
std::optional<bool> flag(const Entry& e, const char* name) {
    for (const auto& [key, value] : e.attributes)
        if (key == name) return std::get<bool>(value);
    return {};
}

bool has(const std::string& op, const char* word) { return op.find(word) != std::string::npos; }

// How the positions of an op's output lie on those of its input along one axis: by what it recorded, not by its name
// where that can be helped, so that new ops find their place.
struct Axis {
    enum Kind { same, shifted, window, transposed, corners, centres, nearest, all } kind = same;
    int64_t in = 1, out = 1, kernel = 1, stride = 1, padding = 0, dilation = 1, shift = 0;

    Axis(const Entry& e, int axis) : in(e.inputs[0].shape[1 + axis]), out(e.output.shape[1 + axis]) {
        const bool convolution = has(e.op, "conv") && e.inputs.size() > 1 && e.inputs[1].shape.rank() == 4;
        stride = integer(e, "stride").value_or(1);
        padding = integer(e, "padding").value_or(0);
        dilation = integer(e, "dilation").value_or(1);
        shift = integer(e, axis ? "left" : "top").value_or(0);
        const auto aligned = flag(e, "align_corners");
        if (convolution && has(e.op, "transpose")) {
            kind = transposed;
            kernel = e.inputs[1].shape[axis];
            if (!integer(e, "stride")) stride = kernel;
        } else if (convolution || integer(e, "kernel")) {
            kind = window;
            kernel = integer(e, "kernel").value_or(convolution ? e.inputs[1].shape[1 + axis] : 1);
        } else if (integer(e, "top")) {
            kind = shifted;
        } else if (in != out) {
            kind = has(e.op, "nearest") ? nearest : aligned ? (*aligned ? corners : centres) : out == 1 ? all : centres;
        }
    }

    // Both neighbours of the position numerator / denominator, or the one that it meets.
    static Range around(int64_t first, int64_t last, int64_t denominator) {
        return {floor_div(first, denominator), ceil_of(last, denominator)};
    }
    Range inputs_of(Range o) const {
        switch (kind) {
            case window:
                return {o.first * stride - padding, o.last * stride - padding + (kernel - 1) * dilation};
            case transposed:
                return {ceil_of(o.first + padding - (kernel - 1) * dilation, stride),
                        floor_div(o.last + padding, stride)};
            case shifted:
                return {o.first + shift, o.last + shift};
            case corners:
                return out > 1 ? around(o.first * (in - 1), o.last * (in - 1), out - 1) : Range{0, 0};
            case centres:
                return around((2 * o.first + 1) * in - out, (2 * o.last + 1) * in - out, 2 * out);
            case nearest:
                return {floor_div(o.first * in, out), floor_div(o.last * in, out)};
            case all:
                return {0, in - 1};
            case same:
                break;
        }
        return o;
    }
};

// The entries with values numbered, and the geometry of both axes.
class Walk {
 public:
    Walk(const std::vector<Entry>& entries, int64_t image) : entries_(entries), image_(number_of(image)) {
        for (const Entry& e : entries) {
            Step s{number_of(e.output.id), {}, {Axis(e, 0), Axis(e, 1)}};
            for (const Value& v : e.inputs)
                if (v.shape.rank() == 4) s.inputs.push_back(number_of(v.id));
            steps_.push_back(std::move(s));
        }
    }

    // Image rows and columns that the pixel (y, x) of an entry's output depends on.
    ReceptiveField back_from(size_t entry, int64_t y, int64_t x) const {
        std::vector<std::optional<Box>> boxes(numbers_.size());
        boxes[steps_[entry].output] = Box{{{y, y}, {x, x}}, false};
        for (size_t i = entry + 1; i-- > 0;) {
            const auto& box = boxes[steps_[i].output];
            if (!box) continue;
            const Axis* axes = steps_[i].axes;
            const Box in{{axes[0].inputs_of(box->axis[0]), axes[1].inputs_of(box->axis[1])},
                         box->whole || axes[0].kind == Axis::all || axes[1].kind == Axis::all};
            for (size_t value : steps_[i].inputs) join(boxes[value], in);
        }
        const auto& box = boxes[image_];
        if (!box) return {0, 0, false};
        return {box->axis[0].last - box->axis[0].first + 1, box->axis[1].last - box->axis[1].first + 1, box->whole};
    }

 private:
    struct Box {
        Range axis[2];
        bool whole;
    };
    struct Step {
        size_t output;
        std::vector<size_t> inputs;
        Axis axes[2];
    };
    static void join(std::optional<Box>& box, const Box& more) {
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

bool is_map(const Entry& e) { return e.output.shape.rank() == 4 && !e.inputs.empty() && e.inputs[0].shape.rank() == 4; }

}  // namespace

std::vector<double> output_strides(const std::vector<Entry>& entries, const Value& image) {
    std::unordered_map<int64_t, double> of{{image.id, 1}};
    std::unordered_map<int64_t, double> of_height{{image.shape[1], 1}};
    std::vector<double> strides;
    for (const Entry& e : entries) {
        double stride = 0;
        if (is_map(e)) {
            const Axis axis(e, 0);
            const auto input = of.find(e.inputs[0].id);
            stride = input == of.end() ? 0 : input->second;
            const bool resized = axis.kind == Axis::corners || axis.kind == Axis::centres || axis.kind == Axis::nearest;
            if (axis.kind == Axis::window) stride *= double(axis.stride);
            if (axis.kind == Axis::transposed) stride /= double(axis.stride);
            if (axis.kind == Axis::all) stride = double(image.shape[1]);
            if (resized) {
                const auto known = of_height.find(axis.out);
                stride = known != of_height.end() ? known->second : stride * double(axis.in) / double(axis.out);
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
            const ReceptiveField f = walk.back_from(at, s[1] / 2 + phase, s[2] / 2 + phase);
            fields[i] = {std::max(fields[i].height, f.height), std::max(fields[i].width, f.width),
                         fields[i].whole || f.whole};
        }
    }
    return fields;
}

}  // namespace atrous
