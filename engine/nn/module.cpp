#include "engine/nn/module.h"

#include <algorithm>

#include "engine/nn/init.h"

namespace atrous {

Module::Module(Module& parent, const std::string& name) : name_(name) { parent.children_.push_back(this); }

Parameter& Module::add_parameter(Parameter parameter) {
    parameters_.push_back(std::make_unique<Parameter>(std::move(parameter)));
    return *parameters_.back();
}

Buffer& Module::add_buffer(Buffer buffer) {
    buffers_.push_back(std::make_unique<Buffer>(std::move(buffer)));
    return *buffers_.back();
}

static std::string joined(const std::string& path, const std::string& name) {
    return path.empty() || name.empty() ? path + name : path + "." + name;
}

template <class F>
void Module::walk(const std::string& path, const F& visit) {
    visit(path, *this);
    for (Module* child : children_) child->walk(joined(path, child->name_), visit);
}

std::vector<NamedParameter> Module::parameters() {
    std::vector<NamedParameter> all;
    walk("", [&](const std::string& path, Module& m) {
        for (auto& p : m.parameters_) all.push_back({joined(path, p->name), p.get()});
    });
    return all;
}

std::vector<NamedBuffer> Module::buffers() {
    std::vector<NamedBuffer> all;
    walk("", [&](const std::string& path, Module& m) {
        for (auto& b : m.buffers_) all.push_back({joined(path, b->name), b.get()});
    });
    return all;
}

int64_t Module::parameter_count() {
    int64_t n = 0;
    for (auto& [path, p] : parameters()) n += p->shape.count();
    return n;
}

void Module::set_training(bool training) {
    walk("", [&](const std::string&, Module& m) {
        m.training_ = training && !m.frozen_;
        m.evaluating_ = !training;
    });
}

void Module::freeze() {
    walk("", [](const std::string&, Module& m) {
        m.frozen_ = true;
        m.training_ = false;
        for (auto& p : m.parameters_) p->trainable = false;
    });
}

void Module::freeze_batch_norm() {
    walk("", [](const std::string&, Module& m) {
        if (!m.momentum()) return;
        m.frozen_ = true;
        m.training_ = false;
    });
}

std::vector<double*> Module::momenta() {
    std::vector<double*> all;
    walk("", [&](const std::string&, Module& m) {
        if (m.momentum() && !m.frozen_) all.push_back(m.momentum());
    });
    return all;
}

std::vector<Buffer*> Module::running_statistics() {
    std::vector<Buffer*> all;
    walk("", [&](const std::string&, Module& m) {
        if (!m.momentum() || m.frozen_) return;
        for (auto& b : m.buffers_)
            if (b->dtype != DType::i64) all.push_back(b.get());
    });
    return all;
}

void Module::zero_gradients() {
    for (auto& [path, p] : arena_.parameters)
        if (p->value.leaf()) p->value.leaf()->fresh = true;
}

static void place(ParameterArena& arena, const MaterializeOptions& options) {
    constexpr int64_t alignment = 64;
    int64_t total = 0;
    for (auto& [path, p] : arena.parameters) {
        arena.offsets.push_back(total);
        total += (p->shape.count() + alignment - 1) / alignment * alignment;
    }
    arena.values = Tensor::full({total}, options.dtype, options.device, 0);
    arena.gradients = Tensor::full({total}, options.dtype, options.device, 0);
    if (is_half(options.compute)) arena.halves = Tensor::full({total}, options.compute, options.device, 0);
    for (size_t i = 0; i < arena.parameters.size(); ++i) {
        Parameter& p = *arena.parameters[i].parameter;
        auto leaf = std::make_shared<Leaf>();
        leaf->gradient = std::make_shared<Tensor>(arena.gradients.part(arena.offsets[i], p.shape));
        p.value = arena.values.part(arena.offsets[i], p.shape);
        if (p.trainable) p.value.set_leaf(leaf);
        p.half = Tensor();
        if (arena.halves.defined() && p.computes_in_half) {
            p.half = arena.halves.part(arena.offsets[i], p.shape);
            if (p.trainable) p.half.set_leaf(leaf);
        }
    }
}

void Module::materialize(const MaterializeOptions& options) {
    options_ = options;
    arena_ = {};
    arena_.parameters = parameters();
    std::reverse(arena_.parameters.begin(), arena_.parameters.end());
    if (!arena_.parameters.empty()) place(arena_, options);
    for (auto& [path, b] : buffers()) {
        const DType dtype = b->dtype == DType::f32 ? options.dtype : b->dtype;
        b->value = Tensor::full(b->shape, dtype, options.device, b->initial);
    }
    if (options.initialize && !arena_.parameters.empty() && options.device.kind != DeviceKind::meta)
        initialize(arena_, options.seed);
}

}  // namespace atrous
