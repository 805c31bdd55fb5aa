// What cuDNN would do with every convolution of every net, on five GPUs, none of which is needed: devices are described
// by tests/gpu/devices/*.json, and tests/gpu/plans/*.csv keep the answer. Skipped where there is no cuDNN.
//   ATROUS_WRITE_PLANS=1 test_models --gtest_filter='*CudnnPlans*'     writes the tables anew and prints their sums
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>

#include "engine/ops/dropout.h"
#include "kernels/gpu/cudnn/conv_plan.h"
#include "models/catalogue.h"
#include "tests/paths.h"

namespace atrous {
namespace {

using cudnn::ConvPlan;
using cudnn::ConvPlans;
using cudnn::ConvProblem;
using cudnn::Pass;

// ---- the nets' convolutions -----------------------------------------------------------------------------------------
struct NetAt {
    std::string name;
    NetConfig config;
    Shape images;
};
NetAt net_at(const std::string& name, Shape images, int64_t classes = 1, const std::string& encoder = "") {
    NetConfig c;
    c.model = name, c.encoder = encoder, c.out_channels = classes;
    return {encoder.empty() ? name : name + " " + encoder, c, images};
}
const std::vector<NetAt>& nets() {
    static const std::vector<NetAt> nets = {
        net_at("unet", {16, 512, 512, 3}),
        net_at("unet", {8, 320, 320, 3}, 1, "resnet34"),
        net_at("unet11", {8, 512, 512, 3}),
        net_at("unet16", {8, 512, 512, 3}),
        net_at("albunet34", {8, 512, 512, 3}),
        net_at("fcn", {16, 513, 513, 3}, 21),
        net_at("deeplabv3", {16, 513, 513, 3}, 21),
        net_at("deeplabv3plus", {16, 513, 513, 3}, 21),
        net_at("deeplabv3-comma10k", {8, 437, 582, 3}, 5),
    };
    return nets;
}

int64_t number(const Entry& e, const std::string& name) {
    for (const auto& [key, value] : e.attributes)
        if (key == name)
            if (const auto* v = std::get_if<int64_t>(&value)) return *v;
    throw Error(e.op + " has no attribute " + name);
}

// The forward problems of a training step and how often each occurs.
std::map<ConvProblem, int> convolutions_of(const NetAt& at, DType dtype) {
    constexpr Device meta{DeviceKind::meta};
    const auto net = make_net(at.config);
    net->materialize({.device = meta, .compute = dtype});
    net->set_training(true);
    const Tape tape(Tape::Mode::tracing);
    const StepRandomness random(0, 0);
    net->forward_training(Tensor::empty(at.images, dtype, meta));
    std::map<ConvProblem, int> found;
    for (const Entry& e : tape.entries()) {
        if (e.op != "conv2d") continue;
        const Shape &x = e.inputs[0].shape, &w = e.inputs[1].shape;
        ConvProblem p;
        p.dtype = dtype, p.bias = e.inputs.size() > 2;
        p.n = x[0], p.h = x[1], p.w = x[2], p.c = x[3], p.o = w[0], p.r = w[1], p.s = w[2];
        p.stride = number(e, "stride"), p.padding = number(e, "padding"), p.dilation = number(e, "dilation");
        ++found[p];
    }
    return found;
}

ConvProblem in_pass(ConvProblem p, Pass pass) {
    p.pass = pass;
    if (pass != Pass::forward) p.bias = false;
    return p;
}
double flops(const ConvProblem& p) {
    return 2.0 * double(p.n * p.output_height() * p.output_width() * p.o) * double(p.c * p.r * p.s);
}

// ---- the tables -----------------------------------------------------------------------------------------------------
constexpr Pass passes[] = {Pass::forward, Pass::input_gradient, Pass::weight_gradient};
constexpr const char* pass_names[] = {"y", "dx", "dw"};

std::string key(const ConvProblem& p) {
    std::ostringstream s;
    s << pass_names[int(p.pass)] << ',' << (p.tf32 ? "tf32" : name_of(p.dtype));
    for (int64_t v : {p.n, p.h, p.w, p.c, p.o, p.r, p.s, p.stride, p.padding, p.dilation}) s << ',' << v;
    s << ',' << (p.bias ? "bias" : "");
    return s.str();
}
// Engine, workspace, knobs, notes by number, heuristics where they are not mode A.
std::string answer(const ConvPlans& plans) {
    if (plans.list.empty()) return "none,,,,";
    const ConvPlan& plan = plans.list.front();
    std::ostringstream s;
    s << plan.engine << ',' << plan.workspace_bytes << ',';
    for (size_t i = 0; i < plan.knobs.size(); ++i)
        s << (i ? " " : "") << int(plan.knobs[i].first) << '=' << plan.knobs[i].second;
    s << ',';
    for (size_t i = 0; i < plan.notes.size(); ++i) s << (i ? " " : "") << int(plan.notes[i]);
    s << ','
      << (plan.found_by == cudnn::HeuristicsMode::a   ? ""
          : plan.found_by == cudnn::HeuristicsMode::b ? "b"
                                                      : "fallback");
    return s.str();
}

struct Table {
    std::string version;
    std::map<std::string, std::string> answers;
};
constexpr const char* columns =
    "of,type,n,h,w,in,out,kh,kw,stride,padding,dilation,bias,engine,workspace,knobs,notes,heuristics";

Table read_table(const std::string& path) {
    Table t;
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    t.version = line.substr(line.find_last_of(' ') + 1);
    std::getline(in, line);
    while (std::getline(in, line)) {
        size_t comma = std::string::npos;
        for (int i = 0; i < 5; ++i) comma = line.rfind(',', comma - 1);
        t.answers[line.substr(0, comma)] = line.substr(comma + 1);
    }
    return t;
}
void write_table(const std::string& path, const Table& t) {
    std::ofstream out(path);
    out << "# the first plan for each convolution (docs/cudnn.md), by cuDNN " << t.version << '\n' << columns << '\n';
    for (const auto& [k, a] : t.answers) out << k << ',' << a << '\n';
}

struct Card {
    std::string name;
    std::vector<std::pair<DType, bool>> types;    // of every net; with TF32 or without
    std::vector<std::pair<DType, bool>> further;  // of the U-Net and DeepLabV3
};
void PrintTo(const Card& c, std::ostream* out) { *out << c.name; }
const Card cards[] = {
    {"h100", {{DType::bf16, false}}, {{DType::f16, false}, {DType::f32, true}, {DType::f32, false}}},
    {"a100", {{DType::bf16, false}}, {}},
    {"rtx4090", {{DType::bf16, false}}, {}},
    {"rtx5090", {{DType::bf16, false}}, {}},
    {"t4", {{DType::f16, false}}, {{DType::bf16, false}}},
};

class CudnnPlans : public testing::TestWithParam<Card> {
 protected:
    void SetUp() override {
        static const cudnn::OpenedApi opened = cudnn::open_api();
        if (!opened.api) GTEST_SKIP() << "no cuDNN: " << opened.why_not;
        api_ = opened.api.get();
    }
    static std::string folder() { return test::test_root() + "/tests/gpu/"; }
    cudnn::Object device(const std::string& card) const {
        std::ifstream in(folder() + "devices/" + card + ".json");
        std::ostringstream json;
        json << in.rdbuf();
        return cudnn::described_device(*api_, json.str());
    }
    ConvPlans plan(const cudnn::Object& device, const ConvProblem& p, size_t most = 1) const {
        return cudnn::plan_convolution(*api_, {nullptr, &device}, p, {}, most);
    }
    const cudnn::Api* api_ = nullptr;
};

// What the convolutions of a training step come to, for the documents.
struct Sum {
    int all = 0, planned = 0, clusters = 0, tensor_cores = 0;
    double flops = 0, cluster_flops = 0;
    int64_t workspace = 0;
    void add(const ConvProblem& p, int times, const ConvPlans& plans) {
        all += times, flops += times * atrous::flops(p);
        if (plans.list.empty()) return;
        const ConvPlan& plan = plans.list[0];
        planned += times;
        workspace = std::max(workspace, plan.workspace_bytes);
        if (plan.has(cudnn::NumericalNote::tensor_core)) tensor_cores += times;
        if (plan.uses_clusters()) clusters += times, cluster_flops += times * atrous::flops(p);
    }
};

class CudnnTables : public CudnnPlans {
 protected:
    void add_net(const cudnn::Object& device, const NetAt& net, std::pair<DType, bool> type, Table& found,
                 std::map<std::string, Sum>& sums) {
        for (const auto& [forward, times] : convolutions_of(net, type.first))
            for (Pass pass : passes) {
                if (pass == Pass::input_gradient && forward.c == 3) continue;  // images want no gradient
                ConvProblem p = in_pass(forward, pass);
                p.tf32 = type.second;
                const ConvPlans plans = plan(device, p);
                found.answers[key(p)] = answer(plans);
                sums[net.name + " | " + (p.tf32 ? "tf32" : name_of(p.dtype))].add(p, times, plans);
                EXPECT_TRUE(plans.list.empty() || plans.list[0].workspace_bytes <= cudnn::PlanRules{}.workspace_bytes);
            }
    }
    static void compare(const Table& found, const Table& wanted) {
        for (const auto& [k, a] : wanted.answers)
            EXPECT_TRUE(found.answers.contains(k)) << k << " is in the table and in no net";
        for (const auto& [k, a] : found.answers) {
            const auto kept = wanted.answers.find(k);
            if (kept == wanted.answers.end()) {
                ADD_FAILURE() << k << " is in no table";
                continue;
            }
            if (found.version == wanted.version)
                EXPECT_EQ(a, kept->second) << k;
            else
                EXPECT_EQ(a.rfind("none", 0) == 0, kept->second.rfind("none", 0) == 0)
                    << k << ": another version of cuDNN, " << found.version << ", answers " << a;
        }
    }
};

TEST_P(CudnnTables, AreWhatCudnnAnswers) {
    const Card& card = GetParam();
    const cudnn::Object device = this->device(card.name);
    Table found{api_->version, {}};
    std::map<std::string, Sum> sums;
    for (const NetAt& net : nets()) {
        for (const auto& type : card.types) add_net(device, net, type, found, sums);
        if (net.name != "unet" && net.name != "deeplabv3") continue;
        for (const auto& type : card.further) add_net(device, net, type, found, sums);
    }
    const std::string path = folder() + "plans/" + card.name + ".csv";
    if (!std::getenv("ATROUS_WRITE_PLANS")) return compare(found, read_table(path));
    write_table(path, found);
    for (const auto& [name, s] : sums)
        std::cout << card.name << " | " << name << " | planned " << s.planned << " of " << s.all << " | tensor cores "
                  << s.tensor_cores << " | clusters " << s.clusters << ", " << int(100 * s.cluster_flops / s.flops + .5)
                  << " % of FLOPs | " << (s.workspace >> 20) << " MiB\n";
}
INSTANTIATE_TEST_SUITE_P(All, CudnnTables, testing::ValuesIn(cards), [](const auto& i) { return i.param.name; });

ConvProblem problem(Pass pass, int64_t n, int64_t side, int64_t c, int64_t o, int64_t kernel, int64_t dilation = 1) {
    ConvProblem p;
    p.pass = pass, p.n = n, p.h = p.w = side, p.c = c, p.o = o, p.r = p.s = kernel;
    p.padding = kernel / 2 * dilation, p.dilation = dilation;
    return p;
}

// The figures of an H100 on which the plan for kernels of our own rests.
class CudnnFacts : public CudnnPlans {};

TEST_F(CudnnFacts, HoppersEnginesEndNearDilationTen) {
    const cudnn::Object h100 = device("h100");
    const std::map<Pass, int64_t> last{{Pass::forward, 9}, {Pass::input_gradient, 10}, {Pass::weight_gradient, 8}};
    for (Pass pass : passes)
        for (int64_t dilation : {int64_t(1), last.at(pass), last.at(pass) + 1, int64_t(12), int64_t(36)}) {
            const ConvPlans plans = plan(h100, problem(pass, 16, 65, 2048, 256, 3, dilation), 40);
            ASSERT_FALSE(plans.list.empty()) << plans.why_not;
            const bool any =
                std::any_of(plans.list.begin(), plans.list.end(), [](const ConvPlan& p) { return p.uses_clusters(); });
            EXPECT_EQ(any, dilation <= last.at(pass)) << dilation << ": " << plans.list[0].text();
            EXPECT_TRUE(plans.list[0].has(cudnn::NumericalNote::tensor_core));
        }
}

TEST_F(CudnnFacts, ThreeChannelsAndOneOutputArePaddedInWorkspace) {
    const cudnn::Object h100 = device("h100");
    const std::vector<ConvProblem> problems{problem(Pass::forward, 16, 512, 3, 64, 3),
                                            problem(Pass::weight_gradient, 16, 512, 3, 64, 3),
                                            problem(Pass::forward, 16, 512, 64, 1, 1)};
    for (const ConvProblem& p : problems) {
        const ConvPlans plans = plan(h100, p);
        ASSERT_EQ(plans.list.size(), 1u) << plans.why_not;
        EXPECT_GE(plans.list[0].workspace_bytes, int64_t(60) << 20) << plans.list[0].text();
        EXPECT_LE(plans.list[0].workspace_bytes, int64_t(70) << 20) << plans.list[0].text();
    }
    const ConvPlans eight = plan(h100, problem(Pass::forward, 16, 512, 8, 64, 3));
    ASSERT_EQ(eight.list.size(), 1u) << eight.why_not;
    EXPECT_LE(eight.list[0].workspace_bytes, 4096) << "eight channels want no copy";
}

TEST_F(CudnnFacts, AccumulatingTakesTheSamePlan) {
    const cudnn::Object h100 = device("h100");
    for (DType dtype : {DType::bf16, DType::f16, DType::f32})
        for (Pass pass : {Pass::input_gradient, Pass::weight_gradient}) {
            ConvProblem p = problem(pass, 16, 128, 128, 128, 3);
            p.dtype = dtype, p.tf32 = true;
            const std::string fresh = answer(plan(h100, p));
            p.accumulate = true;
            EXPECT_EQ(answer(plan(h100, p)), fresh);
            EXPECT_NE(fresh, "none,,,,");
        }
}

TEST_F(CudnnFacts, ThereAreTenPlansToTime) {
    const cudnn::Object h100 = device("h100");
    for (Pass pass : passes) {
        const ConvPlans plans = plan(h100, problem(pass, 16, 128, 256, 256, 3), 10);
        EXPECT_EQ(plans.list.size(), 10u) << plans.why_not;
        std::set<std::string> texts;
        for (const ConvPlan& p : plans.list) texts.insert(p.text());
        EXPECT_EQ(texts.size(), plans.list.size()) << "each is another";
    }
}

TEST_F(CudnnFacts, ADescriptionThatIsNoneIsRefusedInOneLine) {
    try {
        cudnn::described_device(*api_, "{\"no\": 1}");
        FAIL();
    } catch (const GpuError& e) {
        EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos) << e.what();
        EXPECT_NE(std::string(e.what()).find("device properties"), std::string::npos) << e.what();
    }
}

}  // namespace
}  // namespace atrous
