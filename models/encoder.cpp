#include "models/encoder.h"

#include <fmt/core.h>

#include <algorithm>

#include "engine/io/state_dict.h"
#include "models/resnet.h"
#include "models/vgg.h"

namespace atrous {

std::vector<std::string> encoder_names() {
    std::vector<std::string> names = ResNet::names();
    for (const std::string& name : Vgg::names()) names.push_back(name);
    return names;
}

std::unique_ptr<Encoder> make_encoder(const std::string& encoder, Module& parent, const std::string& name,
                                      const EncoderOptions& o) {
    if (o.output_stride != 8 && o.output_stride != 16 && o.output_stride != 32)
        throw UsageError(fmt::format("output stride {}: expected 8, 16 or 32", o.output_stride));
    for (const std::string& known : ResNet::names())
        if (encoder == known) return std::make_unique<ResNet>(encoder, parent, name, o);
    for (const std::string& known : Vgg::names())
        if (encoder == known) return std::make_unique<Vgg>(encoder, parent, name, o);
    std::string all;
    for (const std::string& known : encoder_names()) all += (all.empty() ? "" : ", ") + known;
    throw UsageError("encoder '" + encoder + "' is unknown; expected one of " + all);
}

namespace {

struct Alone : Module {
    std::unique_ptr<Encoder> encoder;
    explicit Alone(const std::string& name, int64_t in_channels = 3)
        : encoder(make_encoder(name, *this, "encoder", {.in_channels = in_channels})) {
        materialize({.device = {DeviceKind::meta}});
    }
};

// Names and shapes of an encoder's parameters, without the part that it has in a net.
std::vector<std::pair<std::string, std::vector<int64_t>>> parameters_of(const std::string& encoder) {
    Alone net(encoder);
    std::vector<std::pair<std::string, std::vector<int64_t>>> all;
    for (const io::Slot& slot : io::slots_of(net))
        if (slot.parameter) all.emplace_back(slot.name.substr(std::string("encoder.").size()), slot.shape());
    return all;
}

}  // namespace

bool is_encoder(Module& encoder, const std::string& name, int64_t in_channels) {
    return encoder.parameter_count() == Alone(name, in_channels).parameter_count();
}

std::string encoder_in(const io::TensorFile& file) {
    std::string found;
    size_t most = 0;  // a deeper net may hold the names of one that is not as deep
    for (const std::string& encoder : encoder_names()) {
        const auto parameters = parameters_of(encoder);
        for (const io::TensorInfo& info : file.tensors()) {
            const std::string& first = parameters.front().first;
            if (!info.name.ends_with(first) || info.shape != parameters.front().second) continue;
            const std::string prefix = info.name.substr(0, info.name.size() - first.size());
            const bool all = std::all_of(parameters.begin(), parameters.end(), [&](const auto& p) {
                const io::TensorInfo* there = file.find(prefix + p.first);
                return there && there->shape == p.second;
            });
            if (all && parameters.size() > most) found = encoder, most = parameters.size();
        }
    }
    return found;
}

}  // namespace atrous
