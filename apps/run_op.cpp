#include <fmt/core.h>

#include <algorithm>
#include <cstdio>

#include "apps/console.h"
#include "apps/exit_codes.h"
#include "apps/op_call.h"
#include "apps/options.h"
#include "apps/tensor_io.h"
#include "apps/verbs.h"
#include "base/suggest.h"
#include "base/text.h"
#include "engine/io/elements.h"
#include "engine/ops/descriptor.h"
#include "segmentation/machine.h"
#include "segmentation/outputs.h"

namespace atrous::app {
namespace {

std::string list_of_ops() {
    std::string text = "Ops, their tensors (in brackets: may be absent) and attributes:\n";
    for (const OpDescriptor& op : op_catalogue()) {
        text += fmt::format("  {:<20}", op.name);
        for (const Operand& i : op.inputs) text += i.required ? " " + i.name : " [" + i.name + "]";
        for (const AttributeDefault& a : op.attributes) text += "  " + a.name + "=" + a.value;
        text += "\n";
    }
    return text + "Tensors are in PyTorch's order: activations [N][C][H][W], weights [out][in][height][width].\n";
}

const OpDescriptor& find_op(const std::string& name) {
    std::string names;
    for (const OpDescriptor& op : op_catalogue()) {
        if (op.name == name) return op;
        names += (names.empty() ? "" : ", ") + op.name;
    }
    throw UsageError("op '" + name + "' is unknown; expected one of " + names);
}

std::map<std::string, std::string> parse_attributes(const OpDescriptor& op, const std::vector<std::string>& words) {
    std::map<std::string, std::string> attributes;
    std::string names;
    for (const AttributeDefault& a : op.attributes) {
        attributes[a.name] = a.value;
        names += (names.empty() ? "" : ", ") + a.name;
    }
    for (const std::string& word : words) {
        const size_t equals = word.find('=');
        if (equals == std::string::npos || !attributes.count(word.substr(0, equals)))
            throw UsageError(fmt::format("--attributes {}: expected NAME=VALUE with NAME one of {}", word,
                                         names.empty() ? "(none: " + op.name + " takes no attributes)" : names));
        attributes[word.substr(0, equals)] = word.substr(equals + 1);
    }
    for (const auto& [name, value] : attributes)
        if (value.empty()) throw UsageError(op.name + " needs --attributes " + name + "=…");
    return attributes;
}

constexpr const char* labels_out_of_range_name = "labels_out_of_range";  // a result of losses

// A loss does not refuse labels that are no class; whoever runs it alone should know of them.
void say_labels_out_of_range(const io::TensorFile& results) {
    const io::TensorInfo& info = results.at(labels_out_of_range_name);
    const std::vector<double> found = io::as_doubles(results.bytes(info), info.dtype);
    if (found.at(0) > 0)
        fmt::print("{:.0f} {} neither a class nor ignored; the first is {:.0f}, at pixel {:.0f} of all\n", found.at(0),
                   found.at(0) == 1 ? "label is" : "labels are", found.at(2), found.at(1));
}

}  // namespace

int run_op(int argc, const char* const* argv) {
    Options o("run-op",
              "Runs one op on given tensors, to compare it with another framework. 'run-op list' lists the ops.");
    std::string name, input, output, dtype = "f32";
    std::vector<std::string> attributes;
    bool gradients = false, overwrite = false;
    Machine machine;
    o.bind("op", name, "the op, or 'list'").positional().required();
    describe_tensor_files(o, input, output);
    o.bind("attributes", attributes, "NAME=VALUE …");
    describe_gradients(o, gradients);
    describe_dtype(o, dtype);
    describe_device(o, machine);
    describe_overwrite(o, overwrite);
    o.parse(argc, argv);
    if (name == "list") throw TextRequested{list_of_ops()};
    const OpDescriptor& op = find_op(name);
    if (input.empty() || output.empty()) throw UsageError("run-op needs --input and --output");
    Outputs()
        .reads("--input", input)
        .reads("--config", o.config_file())
        .writes("--output", output, FileKind::tensors)
        .check(overwrite);
    Console console;
    const auto values = parse_attributes(op, attributes);
    const Device device = open_device(machine, console);
    const auto file = io::open_tensors(input);
    const auto results = call_op(op, *file, values, parse_dtype(dtype), device, gradients);
    io::write_safetensors(output, results, {{tensors_mark_key, tensors_mark}});
    for (const io::TensorToWrite& t : results)
        fmt::print("{:<24} {} {}\n", t.name, name_of(t.dtype), io::shape_text(t.shape));
    if (std::any_of(results.begin(), results.end(), [](const auto& t) { return t.name == labels_out_of_range_name; }))
        say_labels_out_of_range(*io::open_tensors(output));
    return exit_ok;
}

}  // namespace atrous::app
