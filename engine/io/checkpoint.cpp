#include "engine/io/checkpoint.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "engine/io/state_dict.h"
#include "engine/nn/init.h"

namespace atrous::io {

static const std::string train_prefix = "train.";
static const std::string trained_prefix = train_prefix + "weights.";
static const char* state_key = "atrous.training";

// A tensor of the optimizer's, laid out as the parameter arena.
struct OptimizerTensor {
    std::string prefix;
    const Tensor* arena;
};

static std::vector<OptimizerTensor> tensors_of(const Optimizer& optimizer) {
    std::vector<OptimizerTensor> all;
    for (size_t i = 0; i < optimizer.rule_states().size(); ++i)
        all.push_back({train_prefix + optimizer.rule_states()[i].name + ".", &optimizer.state_tensors()[i]});
    return all;
}

// Doubles survive: the JSON writer gives the shortest text that reads back to the same bits.
static std::string state_text(const Optimizer& optimizer, const TrainProgress& p) {
    const StepState s = optimizer.state();
    nlohmann::json state{{"optimizer", optimizer.options().rule},
                         {"epoch", p.epoch},
                         {"batch", p.batch},
                         {"step", p.step},
                         {"loss_sum", p.loss_sum},
                         {"loss_images", p.loss_images},
                         {"best_score", p.best_score},
                         {"monitor", p.monitor},
                         {"plateau_factor", p.schedule.factor},
                         {"plateau_best", p.schedule.best},
                         {"plateau_seen", p.schedule.seen ? 1 : 0},
                         {"plateau_waited", p.schedule.waited},
                         {"best_epoch", p.best_epoch},
                         {"applied_steps", s.step},
                         {"attempts", s.attempts},
                         {"first_bad_attempt", s.first_bad_attempt},
                         {"loss_scale", s.loss_scale},
                         {"good_steps", s.good_steps}};
    if (std::isfinite(p.best_loss)) state["best_loss"] = p.best_loss;
    if (const WeightAverage* average = optimizer.average(); average && average->is_mean()) {
        state["averaged_epochs"] = average->added();
        state["averaged_until"] = p.averaged_until;
        if (average->lacks_statistics()) state["lacks_statistics"] = 1;
    }
    return state.dump();
}

static TensorToWrite to_write(const std::string& name, const Tensor& tensor, FileLayout layout) {
    return {name, tensor.dtype(), file_shape(tensor.shape(), layout), [tensor, layout](Sink& sink) {
                const auto bytes = to_file_layout(tensor, layout);
                sink.write(bytes.data(), bytes.size());
            }};
}

// The net's tensors; with an average of them that under their names, and themselves as the training's.
static std::vector<TensorToWrite> weights_of(Module& net, const WeightAverage* average) {
    if (!average) return state_dict(net);
    require(!average->exchanged(), "save_training: the net holds its averages; save it with its own weights");
    std::vector<TensorToWrite> tensors, trained;
    const std::vector<Slot> slots = slots_of(net);
    for (size_t i = 0; i < slots.size(); ++i) {
        const Tensor& averaged = average->tensors()[i];
        tensors.push_back(to_write(slots[i].name, averaged.defined() ? averaged : *slots[i].tensor, slots[i].layout));
        if (averaged.defined())
            trained.push_back(to_write(trained_prefix + slots[i].name, *slots[i].tensor, slots[i].layout));
    }
    tensors.insert(tensors.end(), trained.begin(), trained.end());
    return tensors;
}

void save_weights(const std::string& path, Module& net, const Metadata& metadata) {
    write_safetensors(path, state_dict(net), metadata);
}

void save_training(const std::string& path, Module& net, const Optimizer& optimizer, const TrainProgress& progress,
                   Metadata metadata) {
    auto tensors = weights_of(net, optimizer.average());
    const ParameterArena& arena = net.arena();
    for (const OptimizerTensor& tensor : tensors_of(optimizer))
        for (size_t i = 0; i < arena.parameters.size(); ++i) {
            const Parameter& p = *arena.parameters[i].parameter;
            tensors.push_back(to_write(tensor.prefix + arena.parameters[i].path,
                                       tensor.arena->part(arena.offsets[i], p.shape), p.layout));
        }
    metadata[state_key] = state_text(optimizer, progress);
    write_safetensors(path, std::move(tensors), metadata, {.keep_previous = true});
}

void check_weights(const TensorFile& file, Module& net) { check_state_dict(net, file, train_prefix); }

void load_weights(const TensorFile& file, Module& net) { load_state_dict(net, file, train_prefix); }

static nlohmann::json parse_state(const SafetensorsFile& file) {
    const auto it = file.metadata().find(state_key);
    if (it == file.metadata().end())
        throw FormatError(file.path() +
                          ": holds weights only, not the state of a training; resume from last.safetensors");
    if (!file.checksummed())  // another program wrote it: equal bits cannot be promised from there
        throw FormatError(file.path() + ": the state of a training without its checksum: damaged, or rewritten by " +
                          "another program; resume from the file that atrous train wrote");
    auto state = nlohmann::json::parse(it->second, nullptr, false);
    if (!state.is_object()) throw FormatError(file.path() + ": the training state in its metadata is no JSON object");
    return state;
}

static const nlohmann::json& present(const SafetensorsFile& file, const nlohmann::json& state, const char* name) {
    const auto it = state.find(name);
    if (it == state.end() || !(it->is_number() || it->is_string()))
        throw FormatError(file.path() + ": the training state has no '" + name + "'");
    return *it;
}

template <class T>
static T field(const SafetensorsFile& file, const nlohmann::json& state, const char* name) {
    const nlohmann::json& value = present(file, state, name);
    try {
        return value.get<T>();
    } catch (const nlohmann::json::exception&) {
        throw FormatError(file.path() + ": the training state's '" + name + "' is " + in_quotes(value.dump()));
    }
}

// An integer from `low` on, which nothing is cut off to make.
static int64_t count(const SafetensorsFile& file, const nlohmann::json& state, const char* name, int64_t low = 0,
                     int64_t high = INT64_MAX) {
    const nlohmann::json& value = present(file, state, name);
    const bool fits = value.is_number_unsigned() ? value.get<uint64_t>() <= uint64_t(high) : value.is_number_integer();
    if (!fits || value.get<int64_t>() < low)
        throw FormatError(file.path() + ": the training state's '" + name + "' is " + in_quotes(value.dump()) +
                          "; expected an integer of at least " + std::to_string(low));
    return value.get<int64_t>();
}

static TrainProgress progress_of(const SafetensorsFile& file, const nlohmann::json& state) {
    TrainProgress p;
    p.epoch = count(file, state, "epoch");
    p.batch = count(file, state, "batch");
    p.step = count(file, state, "step");
    p.loss_sum = field<double>(file, state, "loss_sum");
    p.loss_images = count(file, state, "loss_images");
    p.best_epoch = count(file, state, "best_epoch", -1);
    if (state.contains("best_dice")) {  // from before other scores could be monitored
        p.best_score = field<double>(file, state, "best_dice");
        return p;
    }
    p.best_score = field<double>(file, state, "best_score");
    if (state.contains("best_loss")) p.best_loss = field<double>(file, state, "best_loss");
    p.monitor = field<std::string>(file, state, "monitor");
    check_monitor(p.monitor);
    p.schedule.factor = field<double>(file, state, "plateau_factor");
    p.schedule.best = field<double>(file, state, "plateau_best");
    p.schedule.seen = count(file, state, "plateau_seen") != 0;
    p.schedule.waited = count(file, state, "plateau_waited");
    if (state.contains("averaged_until")) p.averaged_until = count(file, state, "averaged_until");
    return p;
}

TrainProgress training_progress(const SafetensorsFile& file) { return progress_of(file, parse_state(file)); }

// Where the file's weights are averages, the training goes on from those that they are averages of.
static void load_trained(const SafetensorsFile& file, Module& net) {
    std::vector<Slot> slots;
    for (Slot& slot : slots_of(net))
        if (slot.tensor->dtype() != DType::i64) slots.push_back(std::move(slot));
    if (slots.empty() || !file.find(trained_prefix + slots[0].name)) return;
    for (const Slot& slot : slots) {
        const TensorInfo& info = file.at(trained_prefix + slot.name);
        if (info.shape != slot.shape() || info.dtype != slot.tensor->dtype())
            throw FormatError(file.path() + ": tensor '" + info.name + "' does not fit the net");
        fill(slot, file, info);
    }
    refresh_halves(net.arena());
}

// The net holds the file's averages, or, where it has none, its weights. A mean is of those epochs only that it was made
// of, and a moving average that takes over from it begins as what trains.
static void load_average(const SafetensorsFile& file, const nlohmann::json& state, Module& net,
                         const Optimizer& optimizer) {
    const bool of_epochs = state.contains("averaged_epochs");
    if (!optimizer.mean()) {
        if (of_epochs) load_trained(file, net);
        if (optimizer.average()) optimizer.average()->restart();
    } else {
        optimizer.mean()->restart(of_epochs ? count(file, state, "averaged_epochs") : 0);
        optimizer.mean()->set_lacks_statistics(state.contains("lacks_statistics"));
    }
    load_trained(file, net);
}

void load_training(const SafetensorsFile& file, Module& net, Optimizer& optimizer, TrainProgress& progress) {
    const nlohmann::json state = parse_state(file);
    const auto rule = field<std::string>(file, state, "optimizer");
    if (rule != optimizer.options().rule)
        throw FormatError(file.path() + ": was trained with optimizer " + rule + ", not " + optimizer.options().rule +
                          "; resume with `optimizer` " + rule);
    StepState s;
    s.step = count(file, state, "applied_steps");
    s.attempts = count(file, state, "attempts");
    s.first_bad_attempt = count(file, state, "first_bad_attempt", -1);
    s.loss_scale = field<float>(file, state, "loss_scale");
    s.good_steps = int32_t(count(file, state, "good_steps", 0, INT32_MAX));
    progress = progress_of(file, state);
    load_weights(file, net);
    load_average(file, state, net, optimizer);
    const ParameterArena& arena = net.arena();
    for (const OptimizerTensor& tensor : tensors_of(optimizer))
        for (size_t i = 0; i < arena.parameters.size(); ++i) {
            const Parameter& parameter = *arena.parameters[i].parameter;
            Tensor part = tensor.arena->part(arena.offsets[i], parameter.shape);
            const TensorInfo& info = file.at(tensor.prefix + arena.parameters[i].path);
            if (info.bytes() != part.bytes())
                throw FormatError(file.path() + ": tensor '" + info.name + "' does not fit the net");
            from_file_layout(part, parameter.layout, file.bytes(info));
        }
    file.verify_unchanged();
    optimizer.set_state(s);
}

}  // namespace atrous::io
