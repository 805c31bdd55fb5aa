#include "kernels/gpu/cudnn/conv_plan.h"

#include <algorithm>

namespace atrous::cudnn {

// ---- devices --------------------------------------------------------------------------------------------------------
Object described_device(const Api& api, const std::string& json) {
    Object device(api, Kind::device_properties);
    device.set(Attribute::device_json, Type::character, int64_t(json.size()), json.data());
    device.finalize();
    return device;
}

std::string device_json(const Api& api, int device) {
    Object properties(api, Kind::device_properties);
    properties.set(Attribute::device_id, int32_t(device));
    properties.finalize();
    std::string json(size_t(properties.get(Attribute::device_json, Type::character, 0, nullptr)), '\0');
    json.resize(size_t(properties.get(Attribute::device_json, Type::character, int64_t(json.size()), json.data())));
    while (!json.empty() && json.back() == '\0') json.pop_back();
    return json;
}

// ---- the plans of one problem ---------------------------------------------------------------------------------------
namespace {

// How many configurations were passed over, and why.
struct Refused {
    int nondeterministic = 0, compiled = 0, precision = 0, workspace = 0, unsupported = 0;
    std::string text() const {
        std::string all;
        const auto add = [&](int count, const char* why) {
            if (count) all += (all.empty() ? "" : ", ") + std::to_string(count) + " " + why;
        };
        add(nondeterministic, "may give other bits the next time");
        add(compiled, "would be compiled first");
        add(precision, "round more than is allowed");
        add(workspace, "take too much workspace");
        add(unsupported, "are not supported after all");
        return all.empty() ? "none is offered" : all;
    }
};

bool contains(const std::vector<NumericalNote>& notes, NumericalNote note) {
    return std::find(notes.begin(), notes.end(), note) != notes.end();
}

// The counter of what forbids this engine, or null.
int* forbids(const Object& engine, const ConvPlan& plan, const ConvProblem& p, const PlanRules& rules, Refused& r) {
    const auto behavior = engine.get_all<BehaviorNote>(Attribute::engine_behavior_notes, 16);
    const bool compiled =
        std::find(behavior.begin(), behavior.end(), BehaviorNote::runtime_compilation) != behavior.end();
    if (plan.has(NumericalNote::nondeterministic) && !rules.nondeterministic) return &r.nondeterministic;
    if (compiled && !rules.runtime_compiled) return &r.compiled;
    const bool rounds_inputs =
        plan.has(NumericalNote::down_converts_inputs) || (!p.tf32 && plan.has(NumericalNote::tensor_core));
    if (plan.has(NumericalNote::reduced_precision_reduction) || (p.dtype == DType::f32 && rounds_inputs))
        return &r.precision;
    return nullptr;
}

std::vector<std::pair<KnobType, int64_t>> knobs_of(const Api& api, const Object& configuration) {
    std::vector<Object> choices;
    for (int i = 0; i < 32; ++i) choices.emplace_back(api, Kind::knob_choice);
    std::vector<Descriptor> into;
    for (const Object& c : choices) into.push_back(c.descriptor());
    const int64_t count =
        configuration.get(Attribute::configuration_knobs, Type::descriptor, int64_t(into.size()), into.data());
    std::vector<std::pair<KnobType, int64_t>> knobs;
    for (int64_t i = 0; i < count; ++i)
        knobs.emplace_back(choices[size_t(i)].get<KnobType>(Attribute::knob_type),
                           choices[size_t(i)].get<int64_t>(Attribute::knob_value));
    return knobs;
}

class Planner {
 public:
    Planner(const Api& api, const Target& target, const ConvProblem& problem, const PlanRules& rules, size_t most)
        : api_(api),
          target_(target),
          problem_(problem),
          rules_(rules),
          most_(most),
          graph_(std::make_shared<const ConvGraph>(api, target, problem)) {}

    ConvPlans go() {
        ConvPlans found;
        for (HeuristicsMode mode : {HeuristicsMode::a, HeuristicsMode::b, HeuristicsMode::fallback}) {
            for (Object& configuration : configurations(mode)) {
                if (found.list.size() == most_) break;
                add(std::move(configuration), mode, found);
            }
            if (!found.list.empty()) return found;
        }
        found.why_not = "cuDNN " + api_.version + ": no plan; of its configurations: " + refused_.text();
        return found;
    }

 private:
    std::vector<Object> configurations(HeuristicsMode mode) {
        Object heuristics(api_, Kind::heuristics);
        heuristics.set(Attribute::heuristics_graph, graph_->graph());
        heuristics.set(Attribute::heuristics_mode, mode);
        if (target_.properties) heuristics.set(Attribute::heuristics_device, *target_.properties);
        if (heuristics.try_finalize() != 0) return {};  // a mode that knows nothing of such a graph
        const int64_t most = heuristics.get(Attribute::heuristics_results, Type::descriptor, 0, nullptr);
        std::vector<Object> found;
        for (int64_t i = 0; i < most; ++i) found.emplace_back(api_, Kind::engine_configuration);
        std::vector<Descriptor> into;
        for (const Object& f : found) into.push_back(f.descriptor());
        // It returns fewer than there may be: those that it has checked.
        const int64_t count =
            most ? heuristics.get(Attribute::heuristics_results, Type::descriptor, most, into.data()) : 0;
        while (int64_t(found.size()) > count) found.pop_back();
        return found;
    }

    void add(Object configuration, HeuristicsMode mode, ConvPlans& found) {
        Object engine(api_, Kind::engine);
        Descriptor into = engine.descriptor();
        configuration.get(Attribute::configuration_engine, Type::descriptor, 1, &into);
        ConvPlan plan{graph_, std::move(configuration), Object(api_, Kind::execution_plan), {}, {}, {}, {}, mode};
        plan.engine = engine.get<int64_t>(Attribute::engine_index);
        plan.notes = engine.get_all<NumericalNote>(Attribute::engine_numerical_notes, 16);
        if (int* const counter = forbids(engine, plan, problem_, rules_, refused_)) {
            ++*counter;
            return;
        }
        if (target_.handle) plan.plan.set(Attribute::plan_handle, Type::handle, 1, &target_.handle);
        if (target_.properties) plan.plan.set(Attribute::plan_device, *target_.properties);
        plan.plan.set(Attribute::plan_configuration, plan.configuration);
        if (plan.plan.try_finalize() != 0) {
            ++refused_.unsupported;
            return;
        }
        plan.workspace_bytes = plan.plan.get<int64_t>(Attribute::plan_workspace);
        if (plan.workspace_bytes > rules_.workspace_bytes) {
            ++refused_.workspace;
            return;
        }
        plan.knobs = knobs_of(api_, plan.configuration);
        found.list.push_back(std::move(plan));
    }

    const Api& api_;
    const Target target_;
    const ConvProblem problem_;
    const PlanRules rules_;
    const size_t most_;
    const std::shared_ptr<const ConvGraph> graph_;
    Refused refused_;
};

const char* name_of(NumericalNote note) {
    static constexpr const char* names[] = {"tensor_core", "down_converts_inputs", "reduced_precision_reduction",
                                            "fft",         "nondeterministic",     "winograd",
                                            "winograd_4",  "winograd_6",           "winograd_13",
                                            "strict_nan"};
    return size_t(note) < std::size(names) ? names[size_t(note)] : "?";
}

}  // namespace

bool ConvPlan::has(NumericalNote note) const { return contains(notes, note); }

bool ConvPlan::uses_clusters() const {
    return std::any_of(knobs.begin(), knobs.end(), [](const auto& k) {
        return k.first == KnobType::cluster_rows || k.first == KnobType::cluster_columns;
    });
}

std::string ConvPlan::name() const {
    std::string t = std::to_string(engine) + ":";
    for (size_t i = 0; i < knobs.size(); ++i)
        t += (i ? "," : "") + std::to_string(int(knobs[i].first)) + "=" + std::to_string(knobs[i].second);
    return t;
}

std::string ConvPlan::text() const {
    std::string t = "engine " + std::to_string(engine) + ", workspace " + std::to_string(workspace_bytes) + ", knobs";
    for (const auto& [knob, value] : knobs) t += " " + std::to_string(int(knob)) + "=" + std::to_string(value);
    t += ", notes";
    for (NumericalNote note : notes) t += std::string(" ") + name_of(note);
    return t;
}

ConvPlans plan_convolution(const Api& api, const Target& target, const ConvProblem& problem, const PlanRules& rules,
                           size_t most) {
    try {
        return Planner(api, target, problem, rules, most).go();
    } catch (const Failure& e) {
        return {{}, e.what()};
    }
}

}  // namespace atrous::cudnn
