#include "benchmarks/cases/run.h"

#include <cstring>

#include "base/half.h"
#include "base/philox.h"
#include "engine/autograd/tape.h"
#include "engine/context.h"

namespace atrous::cases {

static void encode(double x, DType type, unsigned char* to) {
    const auto put = [to](auto value) { std::memcpy(to, &value, sizeof value); };
    switch (type) {
        case DType::f32:
            return put(float(x));
        case DType::f64:
            return put(x);
        case DType::bf16:
            return put(round_to<bf16>(float(x)).bits);
        case DType::f16:
            return put(round_to<f16>(float(x)).bits);
        case DType::u8:
            return put(uint8_t(x));
        case DType::i32:
            return put(int32_t(x));
        case DType::i64:
            return put(int64_t(x));
    }
}

template <class T>
static T load(const unsigned char* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
}

static double decode(const unsigned char* from, DType type) {
    switch (type) {
        case DType::f32:
            return load<float>(from);
        case DType::f64:
            return load<double>(from);
        case DType::bf16:
            return to_float(load<bf16>(from));
        case DType::f16:
            return to_float(load<f16>(from));
        case DType::u8:
            return load<uint8_t>(from);
        case DType::i32:
            return load<int32_t>(from);
        case DType::i64:
            return double(load<int64_t>(from));
    }
    return 0;
}

// All bytes of the block that a tensor lies in.
static std::vector<unsigned char> block_of(const Tensor& t) {
    std::vector<unsigned char> bytes(t.storage()->bytes());
    if (t.device().kind != DeviceKind::gpu) {
        std::memcpy(bytes.data(), t.storage()->data(), bytes.size());
        return bytes;
    }
    auto& context = context_of(t.device());
    context.copy_async(bytes.data(), t.storage()->data(), bytes.size());
    context.synchronize();
    return bytes;
}

// f(element, byte offset in the block) for every element in order.
template <class F>
static void for_each_element(const Tensor& t, F f) {
    const size_t size = size_of(t.dtype());
    const auto begin = size_t(t.as<char>() - static_cast<char*>(t.storage()->data()));
    const int64_t channels = t.dim(t.shape().rank() - 1);
    for (int64_t i = 0; i < t.count(); ++i)
        f(size_t(i), begin + size_t(i / channels * t.pitch() + i % channels) * size);
}

Tensor tensor_of(const Shape& shape, DType dtype, Device device, Pitch pitch, const std::vector<double>& values) {
    Tensor whole, part;
    if (pitch == Pitch::dense || shape.rank() != 4) {
        whole = part = Tensor::empty(shape, dtype, device);
    } else {
        const int64_t c = shape[3], wide = pitch == Pitch::aligned ? 8 + (c + 7) / 8 * 8 : 11 + c;
        whole = Tensor::empty({shape[0], shape[1], shape[2], wide}, dtype, device);
        part = whole.slice_channels(8, c);
    }
    std::vector<unsigned char> bytes(whole.bytes(), 0xff);
    if (!values.empty()) for_each_element(part, [&](size_t i, size_t at) { encode(values[i], dtype, &bytes[at]); });
    whole.copy_from_host(bytes.data(), bytes.size());
    return part;
}

std::vector<double> values_in(const Tensor& t) {
    const auto bytes = block_of(t);
    std::vector<double> values(static_cast<size_t>(t.count()));
    for_each_element(t, [&](size_t i, size_t at) { values[i] = decode(&bytes[at], t.dtype()); });
    return values;
}

bool neighbours_untouched(const Tensor& slice) {
    auto bytes = block_of(slice);
    for_each_element(slice, [&](size_t, size_t at) { std::fill_n(&bytes[at], size_of(slice.dtype()), 0xff); });
    return bytes == std::vector<unsigned char>(bytes.size(), 0xff);
}

std::vector<double> prior_of(const Case& c, size_t input) {
    Random random(3, input);
    std::vector<double> values(static_cast<size_t>(c.inputs[input].shape.count()));
    for (double& x : values) x = double(random.below(17)) / 4 - 2;  // exact in every type
    return values;
}

Tensor output_on_meta(const Case& c, DType dtype) {
    std::vector<Tensor> in;
    for (const Input& input : c.inputs)
        in.push_back(Tensor::empty(input.shape, type_of(input, dtype), {DeviceKind::meta}));
    return c.call(in, {});
}

std::vector<double> run_forward(const Case& c, Device device, DType dtype,
                                const std::vector<std::vector<double>>& values) {
    std::vector<Tensor> in;
    for (size_t i = 0; i < values.size(); ++i)
        in.push_back(tensor_of(c.inputs[i].shape, type_of(c.inputs[i], dtype), device, Pitch::dense, values[i]));
    return values_in(c.call(in, {}));
}

namespace {

class Runner {
 public:
    Runner(const Case& c, const RunOptions& options) : case_(c), options_(options) {}
    Outcome run() {
        make_inputs();
        if (options_.destination) {
            const Tensor meta = output_on_meta(case_, options_.dtype);
            destination_ = tensor_of(meta.shape(), meta.dtype(), options_.device, slice_pitch(), {});
        }
        if (options_.backward && differentiable(case_))
            forward_and_backward();
        else
            take_output(case_.call(in_, destination_));
        for (size_t i = 0; i < in_.size(); ++i)
            if (case_.inputs[i].written) add(case_.inputs[i].name + " afterwards", in_[i]);
        for (const auto& [name, slice] : slices_)
            if (!neighbours_untouched(slice)) outcome_.damage += "wrote outside " + name + "; ";
        return std::move(outcome_);
    }

 private:
    Pitch slice_pitch() const { return options_.pitch == Pitch::dense ? Pitch::aligned : options_.pitch; }
    bool wanted(size_t i) const {
        return case_.inputs[i].differentiable && (options_.only < 0 || options_.only == int(i));
    }

    void make_inputs() {
        for (size_t i = 0; i < case_.inputs.size(); ++i) {
            const Input& input = case_.inputs[i];
            const bool sliced = input.role == Role::activation && options_.pitch != Pitch::dense;
            in_.push_back(tensor_of(input.shape, type_of(input, options_.dtype), options_.device,
                                    sliced ? options_.pitch : Pitch::dense,
                                    values_of(case_, i, options_.rounding, options_.integers)));
            if (sliced) slices_.emplace_back(input.name, in_[i]);
            if (!wanted(i)) continue;
            // Gradients of weights have another type than the weights; slices and priors need a buffer made here.
            if (sliced || options_.prior || input.role != Role::activation) give_leaf(i, sliced);
        }
    }

    void give_leaf(size_t i, bool sliced) {
        const Input& input = case_.inputs[i];
        const DType type = input.role == Role::activation ? options_.dtype : accumulator_of(options_.dtype);
        auto leaf = std::make_shared<Leaf>();
        leaf->gradient = std::make_shared<Tensor>(
            tensor_of(input.shape, type, options_.device, sliced ? options_.pitch : Pitch::dense,
                      options_.prior ? prior_of(case_, i) : std::vector<double>{}));
        leaf->fresh = !options_.prior;
        if (sliced) slices_.emplace_back("the gradient of " + input.name, *leaf->gradient);
        in_[i].set_leaf(leaf);
    }

    void forward_and_backward() {
        Tape tape;
        for (size_t i = 0; i < in_.size(); ++i)
            if (wanted(i) && !in_[i].leaf()) tape.watch(in_[i]);
        const Tensor y = case_.call(in_, destination_);
        take_output(y);
        const Pitch pitch = y.shape().rank() == 4 ? options_.pitch : Pitch::dense;
        const Tensor seed = tensor_of(y.shape(), y.dtype(), options_.device, pitch,
                                      seed_of(case_, y.count(), options_.rounding, options_.integers));
        if (pitch != Pitch::dense) slices_.emplace_back("the output's gradient", seed);
        tape.backward(y, seed);
        for (size_t i = 0; i < in_.size(); ++i)
            if (wanted(i))
                add("gradient of " + case_.inputs[i].name,
                    in_[i].leaf() ? *in_[i].leaf()->gradient : tape.gradient(in_[i]));
    }

    void take_output(const Tensor& y) {
        add("output", y);
        if (!destination_.defined()) return;
        slices_.emplace_back("the destination", destination_);
        if (y.data() != destination_.data()) outcome_.damage += "the output is not in its destination; ";
    }

    void add(const std::string& name, const Tensor& t) {
        if (t.defined())
            outcome_.arrays[name] = {t.dtype(), values_in(t)};
        else
            outcome_.damage += "no " + name + "; ";
    }

    const Case& case_;
    const RunOptions& options_;
    std::vector<Tensor> in_;
    Tensor destination_;
    std::vector<std::pair<std::string, Tensor>> slices_;
    Outcome outcome_;
};

}  // namespace

Outcome run_case(const Case& c, const RunOptions& options) { return Runner(c, options).run(); }

}  // namespace atrous::cases
