#include "kernels/cpu/dnnl.h"

#include <omp.h>

#include <dnnl.hpp>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/variant.h"
#include "kernels/conv.h"

namespace atrous::kernels::cpu {

namespace {

using dnnl::memory;

// A primitive for one shape, with what a call needs: memory objects whose pointers are set anew each time.
struct Plan {
    std::string variant;  // empty: no optimized implementation
    dnnl::primitive compute, reorder;
    bool reorders = false;
    memory x, w, plain_w, bias, y, scratchpad;
    std::unordered_map<int, memory> arguments;
};

struct Hash {
    static size_t of(std::initializer_list<int64_t> values) {
        size_t h = 1469598103934665603u;
        for (int64_t v : values) h = (h ^ size_t(v)) * 1099511628211u;
        return h;
    }
    size_t operator()(const DnnlConv& c) const {
        return of({int64_t(c.pass), int64_t(c.dtype), c.bias, c.accumulate, c.n, c.h, c.w, c.c, c.p, c.q, c.o, c.r, c.s,
                   c.stride, c.padding, c.dilation, c.w_strides[0], c.threads});
    }
    size_t operator()(const DnnlProduct& p) const {
        return of({p.batch, p.m, p.n, p.k, p.bias, p.a_strides[1], p.b_strides[1], p.c_strides[1], p.threads});
    }
};

// One a thread, so that no call waits for another and the memory objects are the thread's own.
struct Library {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    std::unordered_map<DnnlConv, std::unique_ptr<Plan>, Hash> convolutions;
    std::unordered_map<DnnlProduct, std::unique_ptr<Plan>, Hash> products;
};
Library& library() {
    thread_local Library instance;
    return instance;
}

memory unbound(const memory::desc& d) { return memory(d, library().engine, nullptr); }

struct Descriptors {
    memory::desc x, w, dw, plain_w, bias, y;
    memory::dims strides, dilations, padding, padding_end;
};

Descriptors describe(const DnnlConv& c) {
    const auto type = c.dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
    const auto plain_type = c.pass == Pass::backward_weight ? memory::data_type::f32 : type;
    const auto nhwc = memory::format_tag::nhwc;
    const memory::dims w{c.o, c.c, c.r, c.s};
    const memory::dims w_strides(c.w_strides.begin(), c.w_strides.end());
    const auto end = [&](int64_t in, int64_t out, int64_t kernel) {  // may be negative: input the windows do not reach
        return (out - 1) * c.stride + (kernel - 1) * c.dilation + 1 - in - c.padding;
    };
    return {.x = {{c.n, c.c, c.h, c.w}, type, nhwc},
            .w = {w, type, memory::format_tag::any},
            .dw = {w, memory::data_type::f32, memory::format_tag::any},
            .plain_w = {w, plain_type, w_strides},
            .bias = c.bias ? memory::desc{{c.o}, memory::data_type::f32, memory::format_tag::a} : memory::desc{},
            .y = {{c.n, c.o, c.p, c.q}, type, nhwc},
            .strides = {c.stride, c.stride},
            .dilations = {c.dilation - 1, c.dilation - 1},
            .padding = {c.padding, c.padding},
            .padding_end = {end(c.h, c.p, c.r), end(c.w, c.q, c.s)}};
}

constexpr auto direct = dnnl::algorithm::convolution_direct;

dnnl::convolution_forward::primitive_desc forward(const DnnlConv& c, const Descriptors& d, dnnl::primitive_attr attr) {
    if (c.accumulate && c.pass == Pass::forward) {
        dnnl::post_ops post;
        post.append_sum(1.0f);
        attr.set_post_ops(post);
    }
    return {{dnnl::prop_kind::forward_training, direct, d.x, d.w, d.bias, d.y, d.strides, d.dilations, d.padding,
             d.padding_end},
            attr,
            library().engine};
}

// oneDNN's implementations come in order of preference, its plain loops ("ref") last.
template <class PrimitiveDesc>
bool optimized(const PrimitiveDesc& desc) {
    return std::string(desc.impl_info_str()).rfind("ref", 0) != 0;
}

template <class Primitive, class PrimitiveDesc>
void finish(Plan& plan, const char* contract, const PrimitiveDesc& desc) {
    plan.compute = Primitive(desc);
    plan.scratchpad = unbound(desc.scratchpad_desc());
    plan.arguments[DNNL_ARG_SCRATCHPAD] = plan.scratchpad;
    plan.variant = std::string(contract) + "/dnnl:" + desc.impl_info_str();
}

// The weights' layout is the primitive's choice: their reorder from or to ours is part of the plan.
bool plan_reorder(Plan& plan, const Descriptors& d, const memory::desc& chosen, bool to_plain) {
    plan.w = unbound(chosen);
    plan.plain_w = unbound(d.plain_w);
    plan.reorders = chosen != d.plain_w;
    if (!plan.reorders) return true;
    const dnnl::reorder::primitive_desc desc(library().engine, to_plain ? chosen : d.plain_w, library().engine,
                                             to_plain ? d.plain_w : chosen);
    if (optimized(desc)) plan.reorder = dnnl::reorder(desc);
    return optimized(desc);
}

void build(Plan& plan, const DnnlConv& c) {
    const Descriptors d = describe(c);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const auto hint = forward(c, d, attr);
    plan.x = unbound(d.x);
    plan.y = unbound(d.y);
    if (c.bias) plan.bias = unbound(d.bias);
    if (c.pass == Pass::forward) {
        if (!optimized(hint) || !plan_reorder(plan, d, hint.weights_desc(), false)) return;
        finish<dnnl::convolution_forward>(plan, c.contract, hint);
        plan.arguments.insert({{DNNL_ARG_SRC, plan.x}, {DNNL_ARG_WEIGHTS, plan.w}, {DNNL_ARG_DST, plan.y}});
        if (c.bias) plan.arguments[DNNL_ARG_BIAS] = plan.bias;
    } else if (c.pass == Pass::backward_input) {
        const dnnl::convolution_backward_data::primitive_desc desc(
            {direct, d.x, d.w, d.y, d.strides, d.dilations, d.padding, d.padding_end}, attr, library().engine, hint);
        if (!optimized(desc) || !plan_reorder(plan, d, desc.weights_desc(), false)) return;
        finish<dnnl::convolution_backward_data>(plan, c.contract, desc);
        plan.arguments.insert({{DNNL_ARG_DIFF_SRC, plan.x}, {DNNL_ARG_WEIGHTS, plan.w}, {DNNL_ARG_DIFF_DST, plan.y}});
    } else {
        const dnnl::convolution_backward_weights::primitive_desc desc(
            {direct, d.x, d.dw, d.bias, d.y, d.strides, d.dilations, d.padding, d.padding_end}, attr, library().engine,
            hint);
        if (!optimized(desc) || !plan_reorder(plan, d, desc.diff_weights_desc(), true)) return;
        finish<dnnl::convolution_backward_weights>(plan, c.contract, desc);
        plan.arguments.insert({{DNNL_ARG_SRC, plan.x}, {DNNL_ARG_DIFF_WEIGHTS, plan.w}, {DNNL_ARG_DIFF_DST, plan.y}});
        if (c.bias) plan.arguments[DNNL_ARG_DIFF_BIAS] = plan.bias;
    }
}

void build(Plan& plan, const DnnlProduct& p) {
    const auto type = memory::data_type::bf16;
    const memory::desc a({p.batch, p.m, p.k}, type, memory::dims{p.a_strides[0], p.a_strides[1], 1});
    const memory::desc b({1, p.k, p.n}, type, memory::dims{p.k * p.n, p.b_strides[0], p.b_strides[1]});
    const memory::desc c({p.batch, p.m, p.n}, type, memory::dims{p.c_strides[0], p.c_strides[1], 1});
    const memory::desc bias({1, 1, p.n}, memory::data_type::f32, memory::format_tag::abc);
    dnnl::primitive_attr attr;
    attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    const dnnl::matmul::primitive_desc desc(p.bias ? dnnl::matmul::desc(a, b, bias, c) : dnnl::matmul::desc(a, b, c),
                                            attr, library().engine);
    if (!optimized(desc)) return;
    finish<dnnl::matmul>(plan, p.contract, desc);
    plan.x = unbound(a);
    plan.w = unbound(b);
    plan.y = unbound(c);
    plan.arguments.insert({{DNNL_ARG_SRC, plan.x}, {DNNL_ARG_WEIGHTS, plan.w}, {DNNL_ARG_DST, plan.y}});
    if (p.bias) plan.arguments[DNNL_ARG_BIAS] = plan.bias = unbound(bias);
}

template <class Plans, class Problem>
Plan& plan_for(Plans& plans, const Problem& problem) {
    if (const auto found = plans.find(problem); found != plans.end()) return *found->second;
    if (plans.size() >= 1024) plans.clear();  // every image size is a new set of plans
    auto plan = std::make_unique<Plan>();
    try {
        build(*plan, problem);
    } catch (const dnnl::error& e) {
        if (e.status != dnnl_unimplemented) throw;
        plan->variant.clear();
    }
    return *(plans[problem] = std::move(plan));
}

bool has_isa(dnnl::cpu_isa wanted) {  // sets of bits, of which newer ones are supersets
    static const unsigned has = unsigned(dnnl::get_effective_cpu_isa());
    return (has & unsigned(wanted)) == unsigned(wanted);
}
bool has_avx512() { return has_isa(dnnl::cpu_isa::avx512_core); }

}  // namespace

bool has_bf16_convolutions() { return has_avx512(); }
bool has_amx() { return has_isa(dnnl::cpu_isa::avx512_core_amx); }

namespace {

void require_bf16() {
    if (!has_avx512())
        throw ShapeError(
            "convolution: bf16 needs AVX-512, which this processor lacks or ATROUS_CPU_ARCH or ONEDNN_MAX_CPU_ISA "
            "holds back; "
            "use `precision` fp32");
}

void bind(memory& m, const void* p) { m.set_data_handle(const_cast<void*>(p)); }
void bind_scratchpad(Queue& q, Plan& plan) {
    if (const size_t bytes = plan.scratchpad.get_desc().get_size()) bind(plan.scratchpad, q.scratch<char>(bytes));
}

}  // namespace

// Null where oneDNN has nothing optimized for it.
static Plan* plan_of(Queue& q, const DnnlConv& c) {
    if (c.dtype == DType::f64) return nullptr;
    if (c.dtype == DType::bf16) require_bf16();
    // Without AVX-512, oneDNN 2.6 hangs or aborts in some strided 1x1 convolutions.
    if (!has_avx512() && c.r == 1 && c.s == 1 && c.stride > 1) return nullptr;
    // oneDNN 2.6 divides by zero where an image has 2^31 values.
    constexpr int64_t max_values = int64_t{1} << 31;
    if (c.h * c.w * c.c >= max_values || c.p * c.q * c.o >= max_values) return nullptr;
    omp_set_num_threads(q.threads());
    Plan& plan = plan_for(library().convolutions, c);
    return plan.variant.empty() ? nullptr : &plan;
}

static Plan* plan_of(Queue& q, const DnnlProduct& p) {
    require_bf16();
    omp_set_num_threads(q.threads());
    Plan& plan = plan_for(library().products, p);
    return plan.variant.empty() ? nullptr : &plan;
}

template <class Problem>
static Plan& supported_plan(Queue& q, const Problem& problem) {
    Plan* plan = plan_of(q, problem);
    if (!plan) throw Error(std::string(problem.contract) + ": oneDNN does not support this problem");
    return *plan;
}

bool dnnl_supports(Queue& q, const DnnlConv& c) { return plan_of(q, c) != nullptr; }
bool dnnl_supports(Queue& q, const DnnlProduct& p) { return plan_of(q, p) != nullptr; }

void dnnl_convolution(Queue& q, const DnnlConv& c, const void* x, const void* w, const void* bias, const void* y) {
    Plan& plan = supported_plan(q, c);
    bind(plan.x, x);
    bind(plan.y, y);
    bind(plan.plain_w, w);
    if (c.bias) bind(plan.bias, bias);
    bind(plan.w, plan.reorders ? q.scratch<char>(plan.w.get_desc().get_size()) : w);
    bind_scratchpad(q, plan);
    if (q.is_dry_run()) return;

    auto& stream = library().stream;
    const bool gradient = c.pass == Pass::backward_weight;
    if (plan.reorders && !gradient)
        plan.reorder.execute(stream, {{DNNL_ARG_FROM, plan.plain_w}, {DNNL_ARG_TO, plan.w}});
    plan.compute.execute(stream, plan.arguments);
    if (plan.reorders && gradient) plan.reorder.execute(stream, {{DNNL_ARG_FROM, plan.w}, {DNNL_ARG_TO, plan.plain_w}});
    stream.wait();
    ran(plan.variant.c_str());
}

void dnnl_product(Queue& q, const DnnlProduct& p, const void* a, const void* b, const void* bias, void* c) {
    Plan& plan = supported_plan(q, p);
    bind(plan.x, a);
    bind(plan.w, b);
    bind(plan.y, c);
    if (p.bias) bind(plan.bias, bias);
    bind_scratchpad(q, plan);
    if (q.is_dry_run()) return;
    plan.compute.execute(library().stream, plan.arguments);
    library().stream.wait();
    ran(plan.variant.c_str());
}

}  // namespace atrous::kernels::cpu
