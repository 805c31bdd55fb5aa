#include "engine/io/pretrained.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "base/text.h"
#include "engine/io/state_dict.h"
#include "engine/nn/init.h"

namespace atrous::io {
namespace {

struct Prefixes {
    std::string file, net;
    friend bool operator==(const Prefixes&, const Prefixes&) = default;
    int64_t parts() const {
        return std::count(file.begin(), file.end(), '.') + std::count(net.begin(), net.end(), '.');
    }
};

// Calls f(prefix, rest) for every way to split a name before one of its dotted parts, the last part aside: a layer's
// "weight" alone says nothing about where it belongs.
template <class F>
void each_split(const std::string& name, const F& f) {
    f(std::string(), name);
    const size_t last = name.rfind('.');
    if (last == std::string::npos) return;
    for (size_t dot = name.find('.'); dot < last; dot = name.find('.', dot + 1))
        f(name.substr(0, dot + 1), name.substr(dot + 1));
}

std::string spoken(const Prefixes& p) {
    return fmt::format("{} as the net's {}", in_quotes(p.file + "*"), in_quotes(p.net + "*"));
}

// The prefixes under which most names are equal.
Prefixes align(const std::vector<Slot>& slots, const TensorFile& file) {
    std::unordered_map<std::string, std::vector<std::string>> net_prefixes;  // by the rest of the name
    for (const Slot& slot : slots)
        each_split(slot.name, [&](std::string prefix, std::string rest) { net_prefixes[rest].push_back(prefix); });
    std::map<std::pair<std::string, std::string>, int64_t> equal;
    for (const TensorInfo& info : file.tensors())
        each_split(info.name, [&](const std::string& prefix, const std::string& rest) {
            const auto at = net_prefixes.find(rest);
            if (at == net_prefixes.end()) return;
            for (const std::string& net : at->second) ++equal[{prefix, net}];
        });
    Prefixes best, rival;
    int64_t most = 0;
    for (const auto& [pair, count] : equal) {
        const Prefixes p{pair.first, pair.second};
        const bool better = count > most || (count == most && p.parts() < best.parts());
        if (!better && (count < most || p.parts() > best.parts())) continue;
        rival = better ? p : rival;
        (better ? best : rival) = p;
        most = count;
    }
    if (most == 0)
        throw FormatError(fmt::format(
            "{}: none of its {} names is one of the net's, with any prefix: it has {}, the net {}", file.path(),
            file.tensors().size(), in_quotes(file.tensors().front().name), in_quotes(slots.front().name)));
    if (rival != best)
        throw FormatError(
            fmt::format("{}: it is ambiguous what to load: {} fits as well as {}, {} names each; keep one with: "
                        "atrous convert IN OUT `only` PREFIX",
                        file.path(), spoken(best), spoken(rival), most));
    return best;
}

// Names under a common first part are told together.
void add_rows(PretrainedReport& report, const std::string& what, const std::vector<std::string>& names,
              const std::string& prefix, const std::string& detail) {
    std::map<std::string, std::vector<std::string>> groups;
    for (const std::string& name : names) {
        const size_t begin = name.starts_with(prefix) ? prefix.size() : 0, dot = name.find('.', begin);
        groups[dot == std::string::npos ? name : name.substr(0, dot + 1) + "*"].push_back(name);
    }
    for (const auto& [group, members] : groups) {
        if (members.size() > 4)
            report.rows.push_back({what, group, fmt::format("{} tensors, {}", members.size(), detail)});
        else
            for (const std::string& name : members) report.rows.push_back({what, name, detail});
    }
}

enum class Fit { same, first_layer, head, no };

size_t output_dimension(const Slot& slot) { return slot.layout == FileLayout::conv_transpose ? 1 : 0; }

bool differ_only_at(size_t dimension, const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
    if (a.size() != b.size() || dimension >= a.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
        if (i != dimension && a[i] != b[i]) return false;
    return true;
}

// Which convolution the images go into: the first one declared.
std::string first_convolution(const std::vector<Slot>& slots) {
    for (const Slot& slot : slots)
        if (slot.layout == FileLayout::conv) return slot.name;
    return "";
}

class Loader {
 public:
    Loader(Module& net, const TensorFile& file, const PretrainedOptions& options)
        : net_(net), file_(file), options_(options), slots_(slots_of(net)), first_(first_convolution(slots_)) {}

    PretrainedReport load() {
        const Prefixes p = align(slots_, file_);
        report_.file_prefix = p.file;
        report_.net_prefix = p.net;
        report_.of = int64_t(slots_.size());
        if (options_.new_head) find_new_heads();
        for (const Slot& slot : slots_) {
            if (const TensorInfo* info = in_file(slot))
                match(slot, *info);
            else
                missing_.push_back(slot.name);
        }
        if (!options_.check_only) fill_matches();
        add_rows(report_, "new head", new_, report_.net_prefix, "keeps its initial value");
        report_missing();
        report_extra();
        return std::move(report_);
    }

 private:
    struct Match {
        const Slot* slot;
        const TensorInfo* info;
        Fit fit;
    };

    const TensorInfo* in_file(const Slot& slot) const {
        if (!slot.name.starts_with(report_.net_prefix)) return nullptr;
        return file_.find(report_.file_prefix + slot.name.substr(report_.net_prefix.size()));
    }

    // The part of the net that a tensor belongs to: "classifier" of "classifier.0.project.1.weight".
    std::string part_of(const std::string& name) const {
        const std::string& prefix = report_.net_prefix;
        return name.starts_with(prefix) ? name.substr(0, name.find('.', prefix.size())) : std::string();
    }

    // Heads of another shape: parts that end in a layer with as many outputs as the net and do not fit otherwise.
    void find_new_heads() {
        std::map<std::string, bool> ends_in_outputs, fits;
        for (const Slot& slot : slots_) {
            if (!slot.parameter) continue;
            const std::string part = part_of(slot.name);
            const auto shape = slot.shape();
            ends_in_outputs[part] = shape[output_dimension(slot)] == options_.out_channels;
            const TensorInfo* info = in_file(slot);
            if (info && fit_of(slot, *info) == Fit::no) fits[part] = false;
        }
        for (const auto& [part, fit] : fits)
            if (ends_in_outputs[part]) new_heads_.insert(part);
    }

    Fit fit_of(const Slot& slot, const TensorInfo& info) const {
        const auto wanted = slot.shape();
        if (new_heads_.count(part_of(slot.name))) return Fit::head;
        if (info.shape == wanted) return Fit::same;
        if (slot.name == first_ && differ_only_at(1, info.shape, wanted) && wanted[1] == options_.in_channels &&
            info.shape[1] > 0)
            return Fit::first_layer;
        const size_t d = output_dimension(slot);
        if (slot.parameter && differ_only_at(d, info.shape, wanted) && wanted[d] == options_.out_channels)
            return Fit::head;
        return Fit::no;
    }

    void match(const Slot& slot, const TensorInfo& info) {
        const Fit fit = fit_of(slot, info);
        const bool convertible = converts(info.dtype, slot.tensor->dtype());
        if (fit == Fit::no || (!convertible && fit != Fit::head) || (fit == Fit::head && !options_.new_head))
            throw FormatError(fmt::format("{}: tensor {} is {} {}, the net's {} is {} {}{}", file_.path(),
                                          in_quotes(info.name), name_of(info.dtype), shape_text(info.shape),
                                          in_quotes(slot.name), name_of(slot.tensor->dtype()), shape_text(slot.shape()),
                                          fit == Fit::head ? "; train `new-head` lets the head start anew"
                                                           : "; choose the net that these weights were made for"));
        used_.insert(info.name);
        matches_.push_back({&slot, &info, fit});
        const std::string shapes = fmt::format("{} -> {}", shape_text(info.shape), shape_text(slot.shape()));
        if (new_heads_.count(part_of(slot.name))) {
            new_.push_back(slot.name);
            return;
        }
        if (fit == Fit::head) {
            report_.rows.push_back({"new head", slot.name, shapes + ", keeps its initial value"});
            return;
        }
        ++report_.loaded;
        if (fit == Fit::first_layer)
            report_.rows.push_back({"adapted", slot.name,
                                    shapes + (slot.shape()[1] == 1 ? ", summed over the input channels"
                                                                   : fmt::format(", repeated, times {}/{}",
                                                                                 info.shape[1], slot.shape()[1]))});
    }

    void fill_matches() {
        for (const auto& [slot, info, fit] : matches_) {
            if (fit == Fit::same) fill(*slot, file_, *info);
            if (fit == Fit::first_layer) fill_adapted(*slot, *info);
        }
        file_.verify_unchanged();
        refresh_halves(net_.arena());
    }

    // Weights [O][I][R][S] in the file's order become [O][N][R][S]; see pretrained.h.
    void fill_adapted(const Slot& slot, const TensorInfo& info) {
        const auto from = as_doubles(file_.bytes(info), info.dtype);
        const auto shape = slot.shape();
        const size_t inputs = size_t(info.shape[1]), wanted = size_t(shape[1]), taps = size_t(shape[2] * shape[3]);
        const double scale = double(inputs) / double(wanted);
        std::vector<double> to(size_t(shape[0]) * wanted * taps, 0.0);
        for (size_t o = 0; o < size_t(shape[0]); ++o)
            for (size_t t = 0; t < taps; ++t)
                for (size_t c = 0; c < std::max(inputs, wanted); ++c) {
                    const double w = from[(o * inputs + c % inputs) * taps + t];
                    if (wanted == 1)
                        to[o * taps + t] += w;
                    else if (c < wanted)
                        to[(o * wanted + c) * taps + t] = w * scale;
                }
        from_file_layout(*slot.tensor, slot.layout, from_doubles(to, slot.tensor->dtype()));
    }

    void report_missing() {
        add_rows(report_, "missing", missing_, report_.net_prefix, "keeps its initial value");
        std::set<std::string> loaded;
        for (const Match& m : matches_)
            if (m.fit != Fit::head) loaded.insert(part_of(m.slot->name));
        for (const std::string& name : missing_)
            if (!part_of(name).empty() && loaded.count(part_of(name)) && !name.ends_with(".num_batches_tracked")) {
                report_.warnings.push_back(
                    fmt::format("{} is only partly in the file ({} is missing); are the weights another variant's?",
                                in_quotes(part_of(name)), in_quotes(name)));
                return;
            }
    }
    // What a training's checkpoint holds besides its net is no surprise.
    void report_extra() {
        const bool of_training = file_.metadata().count("atrous.training") > 0;
        std::vector<std::string> extra;
        for (const TensorInfo& info : file_.tensors())
            if (!used_.count(info.name) && !(of_training && info.name.starts_with("train.")))
                extra.push_back(info.name);
        add_rows(report_, "extra", extra, report_.file_prefix, "not used by the net");
    }

    Module& net_;
    const TensorFile& file_;
    PretrainedOptions options_;
    std::vector<Slot> slots_;
    std::string first_;
    std::vector<Match> matches_;
    std::vector<std::string> missing_, new_;  // new_: of heads that start anew as a whole
    std::set<std::string> new_heads_;
    std::set<std::string> used_;
    PretrainedReport report_;
};

}  // namespace

PretrainedReport load_pretrained(Module& net, const TensorFile& file, const PretrainedOptions& options) {
    if (file.tensors().empty()) throw FormatError(file.path() + ": holds no tensors");
    return Loader(net, file, options).load();
}

}  // namespace atrous::io
