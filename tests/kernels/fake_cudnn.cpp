#include "tests/kernels/fake_cudnn.h"

#include <algorithm>
#include <cstring>

#include "base/half.h"

namespace atrous::test {

using namespace cudnn;

static FakeCudnn* now = nullptr;

// ---- what a descriptor was told -------------------------------------------------------------------------------------
template <class T>
static std::vector<T> told(const FakeDescriptor& d, Attribute a) {
    const FakeDescriptor::Value& v = d.values.at(a);
    std::vector<T> all(size_t(v.count));
    std::memcpy(all.data(), v.bytes.data(), v.bytes.size());
    return all;
}
int64_t FakeDescriptor::integer(Attribute a) const { return told<int64_t>(*this, a).at(0); }
double FakeDescriptor::real(Attribute a) const { return told<double>(*this, a).at(0); }
std::vector<int64_t> FakeDescriptor::integers(Attribute a) const { return told<int64_t>(*this, a); }
FakeDescriptor& FakeDescriptor::object(Attribute a, size_t at) const {
    return *static_cast<FakeDescriptor*>(told<void*>(*this, a).at(at));
}
void* FakeDescriptor::pointer(Attribute a, size_t at) const { return told<void*>(*this, a).at(at); }

static size_t size_of(Type t) {
    if (t == Type::boolean || t == Type::character) return 1;
    return t == Type::handle || t == Type::int64 || t == Type::float64 || t == Type::pointer || t == Type::descriptor
               ? 8
               : 4;
}

// ---- executing what a graph says ------------------------------------------------------------------------------------
namespace {

// A tensor of the graph on the host, in double; [n][c][h][w] by its own strides. What is only written is not read
// before.
struct HostTensor {
    HostTensor(const FakeDescriptor& d, char* data, bool read)
        : data(data),
          dims(d.integers(Attribute::tensor_dimensions)),
          strides(d.integers(Attribute::tensor_strides)),
          type(told<DataType>(d, Attribute::tensor_data_type).at(0)),
          bytes(size_t(dims[0] * dims[1] * dims[2] * dims[3]) * (type == DataType::f32 ? 4 : 2)),
          host(bytes) {
        if (read) gpu::copy_async(host.data(), data, bytes, gpu::StreamView(now->stream));
    }
    double get(int64_t n, int64_t c, int64_t h, int64_t w) const {
        const char* const p = at(n, c, h, w);
        if (type == DataType::f32) return *reinterpret_cast<const float*>(p);
        return type == DataType::bf16 ? to_float(*reinterpret_cast<const bf16*>(p))
                                      : to_float(*reinterpret_cast<const f16*>(p));
    }
    void put(int64_t n, int64_t c, int64_t h, int64_t w, double v) {
        char* const p = const_cast<char*>(at(n, c, h, w));
        if (type == DataType::f32) *reinterpret_cast<float*>(p) = float(v);
        if (type == DataType::bf16) *reinterpret_cast<bf16*>(p) = round_to<bf16>(float(v));
        if (type == DataType::f16) *reinterpret_cast<f16*>(p) = round_to<f16>(float(v));
    }
    void upload() { gpu::copy_async(data, host.data(), bytes, gpu::StreamView(now->stream)); }
    const char* at(int64_t n, int64_t c, int64_t h, int64_t w) const {
        const int64_t i = n * strides[0] + c * strides[1] + h * strides[2] + w * strides[3];
        return host.data() + i * (type == DataType::f32 ? 4 : 2);
    }
    char* data;
    std::vector<int64_t> dims, strides;
    DataType type;
    size_t bytes;
    std::vector<char> host;
};

struct Run {
    const FakeDescriptor &operation, &pack;
    const FakeDescriptor* addition;
    Attribute first;

    Attribute attribute(int i) const { return Attribute(int(first) + i); }
    HostTensor tensor(const FakeDescriptor& d, bool read) const {
        const auto ids = pack.integers(Attribute::pack_ids);
        const auto at = std::find(ids.begin(), ids.end(), d.integer(Attribute::tensor_id));
        if (at == ids.end()) throw Error("fake cuDNN: a tensor of the graph is not in the variant pack");
        void* const data = pack.pointer(Attribute::pack_pointers, size_t(at - ids.begin()));
        return {d, static_cast<char*>(data), read};
    }
    void go() const {
        const bool adds = operation.real(attribute(1)) != 0;
        HostTensor w = tensor(operation.object(attribute(3)), first != Attribute::backward_weight_alpha || adds);
        HostTensor x = tensor(operation.object(attribute(4)), first != Attribute::backward_input_alpha || adds);
        HostTensor y =
            tensor(addition ? addition->object(Attribute::pointwise_operation_y) : operation.object(attribute(5)),
                   first != Attribute::forward_alpha || adds);
        HostTensor& out = first == Attribute::forward_alpha ? y : first == Attribute::backward_input_alpha ? x : w;
        std::vector<double> sums(size_t(out.dims[0] * out.dims[1] * out.dims[2] * out.dims[3]), 0.0);
        for_each_product(w, x, y, [&](const int64_t(&iw)[4], const int64_t(&ix)[4], const int64_t(&iy)[4]) {
            const auto& to = &out == &y ? iy : &out == &x ? ix : iw;
            const double a = &out == &w ? x.get(ix[0], ix[1], ix[2], ix[3]) : w.get(iw[0], iw[1], iw[2], iw[3]);
            const double b = &out == &y ? x.get(ix[0], ix[1], ix[2], ix[3]) : y.get(iy[0], iy[1], iy[2], iy[3]);
            sums[size_t(((to[0] * out.dims[1] + to[1]) * out.dims[2] + to[2]) * out.dims[3] + to[3])] += a * b;
        });
        store(out, sums);
    }
    template <class F>
    void for_each_product(const HostTensor& w, const HostTensor& x, const HostTensor& y, F f) const {
        const FakeDescriptor& g = operation.object(attribute(2));
        const int64_t stride = g.integers(Attribute::convolution_strides)[0],
                      padding = g.integers(Attribute::convolution_paddings_before)[0],
                      dilation = g.integers(Attribute::convolution_dilations)[0];
        for (int64_t n = 0; n < y.dims[0]; ++n)
            for (int64_t o = 0; o < y.dims[1]; ++o)
                for (int64_t p = 0; p < y.dims[2]; ++p)
                    for (int64_t q = 0; q < y.dims[3]; ++q)
                        for (int64_t c = 0; c < x.dims[1]; ++c)
                            for (int64_t r = 0; r < w.dims[2]; ++r)
                                for (int64_t s = 0; s < w.dims[3]; ++s) {
                                    const int64_t h = p * stride - padding + r * dilation,
                                                  v = q * stride - padding + s * dilation;
                                    if (h >= 0 && v >= 0 && h < x.dims[2] && v < x.dims[3])
                                        f({o, c, r, s}, {n, c, h, v}, {n, o, p, q});
                                }
    }
    void store(HostTensor& out, const std::vector<double>& sums) const {
        const double beta = operation.real(attribute(1));
        std::unique_ptr<HostTensor> bias;
        if (addition)
            bias = std::make_unique<HostTensor>(tensor(addition->object(Attribute::pointwise_operation_b), true));
        size_t i = 0;
        for (int64_t a = 0; a < out.dims[0]; ++a)
            for (int64_t b = 0; b < out.dims[1]; ++b)
                for (int64_t c = 0; c < out.dims[2]; ++c)
                    for (int64_t d = 0; d < out.dims[3]; ++d) {
                        const double old = beta == 0 ? 0 : beta * out.get(a, b, c, d);
                        out.put(a, b, c, d, sums[i++] + old + (bias ? bias->get(0, b, 0, 0) : 0));
                    }
        out.upload();
    }
};

void execute_graph(const FakeDescriptor& graph, const FakeDescriptor& pack) {
    const FakeDescriptor& operation = graph.object(Attribute::graph_operations);
    const bool two = graph.values.at(Attribute::graph_operations).count == 2;
    const FakeDescriptor* const addition = two ? &graph.object(Attribute::graph_operations, 1) : nullptr;
    const Attribute first = operation.kind == Kind::convolution_forward          ? Attribute::forward_alpha
                            : operation.kind == Kind::convolution_backward_input ? Attribute::backward_input_alpha
                                                                                 : Attribute::backward_weight_alpha;
    Run{operation, pack, addition, first}.go();
}

// ---- the functions --------------------------------------------------------------------------------------------------
FakeDescriptor& as_fake(Descriptor d) { return *static_cast<FakeDescriptor*>(d); }

Status fake_create(Handle* handle) {
    if (now->create_status) return now->create_status;
    ++now->handles;
    *handle = now;
    return 0;
}
Status fake_destroy(Handle) { return --now->handles, 0; }
Status fake_set_stream(Handle, void* stream) { return now->stream = stream, now->stream_status; }
const char* fake_error_string(Status s) { return s / 1000 == 3 ? "CUDNN_STATUS_NOT_SUPPORTED" : "CUDNN_STATUS_OTHER"; }
void fake_last_error_string(char* message, size_t size) {
    std::strncpy(message, now->words.c_str(), size);
    now->words.clear();
}
Status fake_create_descriptor(Kind kind, Descriptor* d) {
    auto* made = new FakeDescriptor{kind, {}, false, nullptr};
    now->alive.insert(made);
    *d = made;
    return 0;
}
Status fake_destroy_descriptor(Descriptor d) {
    now->alive.erase(&as_fake(d));
    delete &as_fake(d);
    return 0;
}
Status fake_finalize(Descriptor d) {
    FakeDescriptor& f = as_fake(d);
    if (const auto fails = now->finalize_status.find(f.kind); fails != now->finalize_status.end()) return fails->second;
    if (f.kind == Kind::execution_plan) {
        f.engine = f.object(Attribute::plan_configuration).engine;
        if (f.engine->plan_status) return f.engine->plan_status;
    }
    f.finalized = true;
    ++now->finalized[f.kind];
    return 0;
}
Status fake_set_attribute(Descriptor d, Attribute a, Type t, int64_t count, const void* values) {
    FakeDescriptor& f = as_fake(d);
    if (f.finalized) return 2000;
    const char* const bytes = static_cast<const char*>(values);
    f.values[a] = {t, count, std::vector<char>(bytes, bytes + size_t(count) * size_of(t))};
    return 0;
}

template <class T>
Status answer(const std::vector<T>& all, int64_t most, int64_t* count, void* values) {
    *count = values ? std::min(most, int64_t(all.size())) : int64_t(all.size());
    if (values) std::memcpy(values, all.data(), size_t(*count) * sizeof(T));
    return 0;
}
// A configuration knows its engine and, for the day it is executed, its graph.
void configure(FakeDescriptor& configuration, const FakeEngine& engine, const FakeDescriptor& heuristics) {
    configuration.engine = &engine;
    configuration.values[Attribute::heuristics_graph] = heuristics.values.at(Attribute::heuristics_graph);
}
Status heuristics_results(const FakeDescriptor& h, int64_t most, int64_t* count, void* values) {
    const auto& offered = now->engines[told<HeuristicsMode>(h, Attribute::heuristics_mode).at(0)];
    *count = int64_t(offered.size()) + (values || offered.empty() ? 0 : 3);  // as cuDNN: how many there may be
    for (int64_t i = 0; values && i < std::min(most, *count); ++i)
        configure(*static_cast<FakeDescriptor**>(values)[i], offered[size_t(i)], h);
    return 0;
}
Status fake_get_attribute(Descriptor d, Attribute a, Type, int64_t most, int64_t* count, void* values) {
    const FakeDescriptor& f = as_fake(d);
    switch (a) {
        case Attribute::heuristics_results:
            return heuristics_results(f, most, count, values);
        case Attribute::configuration_engine:
            static_cast<FakeDescriptor**>(values)[0]->engine = f.engine;
            return *count = 1, 0;
        case Attribute::configuration_knobs:
            return *count = 0, 0;
        case Attribute::engine_index:
            return answer<int64_t>({f.engine->number}, most, count, values);
        case Attribute::engine_numerical_notes:
            return answer(f.engine->notes, most, count, values);
        case Attribute::engine_behavior_notes:
            return answer(f.engine->behavior, most, count, values);
        case Attribute::plan_workspace:
            return answer<int64_t>({f.engine->workspace}, most, count, values);
        default:
            return 2000;
    }
}
Status fake_execute(Handle, Descriptor plan, Descriptor pack) {
    if (now->execute_status) return now->execute_status;
    const FakeDescriptor &p = as_fake(plan), &v = as_fake(pack);
    FakeCudnn::Execution e{p.engine->number, now->stream, v.pointer(Attribute::pack_workspace),
                           v.integers(Attribute::pack_ids), told<void*>(v, Attribute::pack_pointers)};
    now->executions.push_back(e);
    execute_graph(p.object(Attribute::plan_configuration).object(Attribute::heuristics_graph), v);
    return 0;
}

}  // namespace

FakeCudnn::FakeCudnn() : api_(std::make_shared<Api>()) {
    now = this;
    api_->version = "9.99.0";
    api_->create = fake_create, api_->destroy = fake_destroy, api_->set_stream = fake_set_stream;
    api_->error_string = fake_error_string, api_->last_error_string = fake_last_error_string;
    api_->create_descriptor = fake_create_descriptor, api_->destroy_descriptor = fake_destroy_descriptor;
    api_->finalize = fake_finalize, api_->set_attribute = fake_set_attribute;
    api_->get_attribute = fake_get_attribute, api_->execute = fake_execute;
    engines[HeuristicsMode::a] = {{62, 131}};
}
FakeCudnn::~FakeCudnn() { now = nullptr; }

}  // namespace atrous::test
