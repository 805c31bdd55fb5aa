#include "kernels/gpu/cudnn/object.h"

#include <algorithm>

namespace atrous::cudnn {

static const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::pointwise:
            return "pointwise";
        case Kind::convolution:
            return "convolution";
        case Kind::engine:
            return "engine";
        case Kind::engine_configuration:
            return "engine configuration";
        case Kind::heuristics:
            return "heuristics";
        case Kind::execution_plan:
            return "execution plan";
        case Kind::knob_choice:
            return "knob choice";
        case Kind::convolution_forward:
            return "convolution forward";
        case Kind::convolution_backward_weight:
            return "convolution backward weight";
        case Kind::convolution_backward_input:
            return "convolution backward input";
        case Kind::pointwise_operation:
            return "pointwise operation";
        case Kind::operation_graph:
            return "operation graph";
        case Kind::variant_pack:
            return "variant pack";
        case Kind::tensor:
            return "tensor";
        case Kind::device_properties:
            return "device properties";
    }
    return "?";
}

Object::Object(const Api& api, Kind kind) : api_(&api), kind_(kind) {
    if (const Status s = api.create_descriptor(kind, &descriptor_)) fail("cudnnBackendCreateDescriptor", s);
}
Object::~Object() {
    if (descriptor_) api_->destroy_descriptor(descriptor_);
}

void Object::fail(const char* call, Status status) const {
    throw Failure(*api_, std::string(call) + " of the " + name_of(kind_), status);
}

void Object::set(Attribute attribute, Type type, int64_t count, const void* values) {
    if (const Status s = api_->set_attribute(descriptor_, attribute, type, count, values))
        fail(("cudnnBackendSetAttribute " + std::to_string(int(attribute))).c_str(), s);
}
void Object::finalize() {
    if (const Status s = try_finalize()) fail("cudnnBackendFinalize", s);
}
Status Object::try_finalize() noexcept { return api_->finalize(descriptor_); }

int64_t Object::get(Attribute attribute, Type type, int64_t most, void* values) const {
    int64_t count = 0;
    if (const Status s = api_->get_attribute(descriptor_, attribute, type, most, &count, values))
        fail(("cudnnBackendGetAttribute " + std::to_string(int(attribute))).c_str(), s);
    return values ? std::min(count, most) : count;  // there may be more than were asked for
}

}  // namespace atrous::cudnn
