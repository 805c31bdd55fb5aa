// The layer table: totals against tests/goldens/count.py, receptive fields against what outputs depend on.
#include "engine/nn/summary.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/context.h"
#include "engine/nn/layers.h"
#include "engine/ops/descriptor.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"
#include "kernels/conv.h"
#include "models/catalogue.h"
#include "models/unet.h"
#include "tests/paths.h"

namespace atrous {
namespace {

constexpr Device cpu{DeviceKind::cpu};

TEST(Summary, TotalsAreThoseOfAnIndependentCount) {
    std::ifstream in(test::test_root() + "/tests/goldens/counts.json");
    const auto counts = nlohmann::json::parse(in);
    ASSERT_GE(counts.size(), 8u);
    for (const auto& [name, c] : counts.items()) {
        NetConfig config = unet({.in_channels = c.value("in_channels", 3),
                                 .out_channels = c["out_channels"],
                                 .base_channels = c.value("base_channels", 64),
                                 .depth = c.value("depth", 4),
                                 .bilinear = c.value("bilinear", false)});
        config.model = c.value("model", "unet");
        const auto net = make_net(config);
        const int64_t size = c["size"], batch = 3;
        const Summary s = summarize(*net, {batch, size, size, config.in_channels}, DType::f32, cpu);
        int64_t parameters = 0, products = 0, kept = 0;
        for (const LayerRow& r : s.rows) {
            parameters += r.parameters;
            products += r.multiply_adds;
            kept += r.kept_bytes;
        }
        EXPECT_EQ(parameters, c["parameters"].get<int64_t>()) << name;
        EXPECT_EQ(products, batch * c["multiply_adds"].get<int64_t>()) << name;
        EXPECT_EQ(s.parameters, parameters) << name;
        EXPECT_EQ(s.trainable_parameters, parameters) << name;
        EXPECT_EQ(s.unused_parameters, 0) << name;
        EXPECT_EQ(s.multiply_adds, products) << name;
        EXPECT_EQ(s.kept_bytes, kept) << name;
    }
}

TEST(Summary, RowsAreTheLayersThatOwnTheParameters) {
    for (const DType compute : {DType::f32, DType::bf16}) {
        if (compute == DType::bf16 && !kernels::cpu::has_bf16_convolutions()) continue;
        UNet net({3, 1, 4, 3, false});
        const Summary s = summarize(net, {2, 32, 32, 3}, compute, cpu);
        for (const LayerRow& r : s.rows) {
            int64_t owned = 0;
            for (auto& [path, p] : net.parameters())
                if (path.rfind(r.module + ".", 0) == 0 && path.find('.', r.module.size() + 1) == std::string::npos)
                    owned += p->shape.count();
            EXPECT_EQ(r.parameters, owned) << r.module << " " << r.op << " in " << name_of(compute);
        }
    }
}

TEST(Summary, CountsFrozenParameters) {
    UNet net({3, 1, 4, 1, false});
    int64_t frozen = 0;
    for (auto& [path, p] : net.parameters())
        if (path.rfind("inc.", 0) == 0) {
            p->trainable = false;
            frozen += p->shape.count();
        }
    const Summary s = summarize(net, {1, 16, 16, 3}, DType::f32, cpu);
    EXPECT_EQ(s.unused_parameters, 0);
    EXPECT_EQ(s.trainable_parameters, s.parameters - frozen);
    EXPECT_EQ(s.rows[0].module, "inc.double_conv.0");
    EXPECT_EQ(s.rows[0].kept_bytes, 0) << "layers before the first trained one keep nothing";
    EXPECT_GT(s.rows.back().kept_bytes, 0);
}

// Counted by the allocator on the cpu: the rows, the logits, and what blocks that scratch memory left are too large for
// tensors (at most a quarter of a tensor, which few have).
TEST(Summary, KeptBytesAreWhatLivesAfterTheForwardPass) {
    for (const bool bilinear : {false, true}) {
        UNet net({3, 1, 8, 3, bilinear});
        const Summary s = summarize(net, {4, 64, 64, 3}, DType::f32, cpu);
        net.materialize({.device = cpu});
        const Tensor x = Tensor::full({4, 64, 64, 3}, DType::f32, cpu, 0.5);
        const auto in_use = [] { return context_of(cpu).memory().statistics().in_use_bytes; };
        context_of(cpu).memory().release_cache();  // whose blocks may be larger than what is asked for
        const size_t before = in_use();
        const Tape tape;
        const Tensor logits = net.forward(x);
        const double expected = double(s.kept_bytes) + double(logits.bytes());
        EXPECT_NEAR(double(in_use() - before) / expected, 1, 0.05) << (bilinear ? "bilinear" : "transposed");
    }
}

// ---- receptive fields

// Each op that moves pixels: strides, dilation, an odd pool, a resize to an odd ratio, a sum and a concatenation.
struct Mixed : SegmentationNet {
    Conv2d dilated{*this, "dilated", {.in_channels = 1, .out_channels = 1, .padding = 3, .dilation = 3}};
    Conv2d strided{*this, "strided", {.in_channels = 1, .out_channels = 1, .kernel = 5, .stride = 2, .padding = 2}};
    Conv2d wide{*this, "wide", {.in_channels = 2, .out_channels = 1, .padding = 2, .dilation = 2}};
    bool corners;
    explicit Mixed(bool corners) : corners(corners) {}
    NetOutputs compute(const Tensor& x, bool) override {
        const Tensor skip = dilated.forward(x);
        const Tensor low = max_pool(strided.forward(skip), {.kernel = 3, .stride = 2, .padding = 1});
        const Tensor middle = bilinear(low, 3 * x.dim(1) / 8, 3 * x.dim(2) / 8, corners);
        const Tensor high = bilinear(middle, x.dim(1), x.dim(2), corners);
        return {wide.forward(concat(add(high, skip), skip)), {}};
    }
    int64_t in_channels() const override { return 1; }
    int64_t out_channels() const override { return 1; }
    int64_t input_multiple() const override { return 8; }
};

// Weights are positive averages, so that whatever reaches an output raises it.
void make_averaging(SegmentationNet& net) {
    net.materialize({.device = cpu, .dtype = DType::f64, .compute = DType::f64});
    net.set_training(false);
    for (auto& [path, p] : net.parameters()) {
        const bool vector = p->shape.rank() == 1;
        const bool scale = vector && path.size() > 6 && path.substr(path.size() - 6) == "weight";
        p->value.copy_from(Tensor::full({p->shape.count()}, DType::f64, cpu,
                                        scale    ? 1
                                        : vector ? 0
                                                 : double(p->shape[0]) / double(p->shape.count()))
                               .reshape(p->shape));
    }
}

// The widest span of image rows (or columns) that, raised, change an output around the middle. One image of the batch a
// row.
int64_t span_that_matters(SegmentationNet& net, int64_t size, int64_t phases, bool columns) {
    std::vector<double> values(size_t((size + 1) * size * size), 1);
    for (int64_t row = 0; row < size; ++row)
        for (int64_t i = 0; i < size; ++i)
            values[size_t(((row + 1) * size + (columns ? i : row)) * size + (columns ? row : i))] = 1e6;
    Tensor x = Tensor::empty({size + 1, size, size, 1}, DType::f64, cpu);
    x.copy_from_host(values.data(), x.bytes());
    const auto y = net.forward(x).to_host<double>();
    int64_t widest = 0;
    for (int64_t at = size / 2; at < size / 2 + phases; ++at) {
        const auto output = [&](int64_t image) { return y[size_t((image * size + at) * size + at)]; };
        int64_t first = size, last = -1;
        for (int64_t row = 0; row < size; ++row)
            if (output(row + 1) != output(0)) {
                first = std::min(first, row);
                last = row;
            }
        widest = std::max(widest, last - first + 1);
    }
    return widest;
}

void expect_field(SegmentationNet& net, int64_t size, int64_t phases, const std::string& what) {
    const Summary s = summarize(net, {1, size, size, 1}, DType::f32, cpu);
    const ReceptiveField field = s.rows.back().receptive_field;
    make_averaging(net);
    EXPECT_EQ(field.height, span_that_matters(net, size, phases, false)) << what;
    EXPECT_EQ(field.width, span_that_matters(net, size, phases, true)) << what;
    EXPECT_FALSE(field.whole) << what;
    EXPECT_EQ(s.rows.back().output_stride, 1) << what;
}

TEST(ReceptiveFields, AreThePixelsThatOutputsDependOn) {
    for (const bool bilinear : {false, true}) {
        UNet net({1, 1, 2, 2, bilinear});
        expect_field(net, 64, 4, bilinear ? "bilinear U-Net" : "U-Net");
    }
    for (const bool corners : {false, true}) {
        Mixed net(corners);
        expect_field(net, 64, 4, corners ? "mixed, aligned corners" : "mixed");
    }
}

TEST(ReceptiveFields, OfAGlobalMeanAreTheWholeImage) {
    const auto value = [](int64_t id, int64_t size) { return Value{id, {1, size, size, 4}, DType::f32, nullptr}; };
    std::vector<Entry> entries(4);
    entries[0] = {"max_pool", "a", {value(1, 32)}, value(2, 16), {{"kernel", int64_t(2)}, {"stride", int64_t(2)}},
                  {},         {}};
    entries[1] = {"global_average_pool", "b", {value(2, 16)}, value(3, 1), {}, {}, {}};
    entries[2] = {"bilinear", "c", {value(3, 1)}, value(4, 16), {{"align_corners", false}}, {}, {}};
    entries[3] = {"add", "d", {value(2, 16), value(4, 16)}, value(5, 16), {}, {}, {}};
    const auto fields = receptive_fields(entries, 1);
    EXPECT_EQ(fields[0].height, 2);
    EXPECT_FALSE(fields[0].whole);
    for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(fields[i].whole) << entries[i].op;
    EXPECT_EQ(output_strides(entries, value(1, 32)), (std::vector<double>{2, 32, 2, 2}));
}

// ---- ops from outside the engine

// Means of 5 pixels that lie `dilation` apart along the width, at every second column. Shapes alone.
Tensor comb(const Tensor& x, int64_t dilation) {
    const Tensor y = Tensor::empty({x.dim(0), x.dim(1), (x.dim(2) + 1) / 2, x.dim(3)}, x.dtype(), x.device());
    return record({.op = "comb", .inputs = {x}, .output = y, .attributes = {{"dilation", dilation}}});
}

OpDescriptor describe_comb() {
    return {.name = "comb",
            .inputs = {{"x"}},
            .attributes = {{"dilation", "1"}},
            .call = [](const OpArguments& a) { return result(comb(a.tensor("x"), a.integer("dilation", 1))); },
            .reach =
                [](const Entry& e, int axis) {
                    const auto dilation = attribute(e, "dilation", int64_t(1));
                    return axis == 0 ? Reach::same() : Reach::window(5, 2, 2 * dilation, dilation);
                },
            .multiply_adds = [](const Entry& e) { return 5 * e.output.shape.count(); },
            .fused = [](const Entry&) { return "+nothing"; }};
}

const AddedOps added{describe_comb};

struct Combed : SegmentationNet {
    Conv2d first{*this, "first", {.in_channels = 1, .out_channels = 1, .padding = 1}};
    NetOutputs compute(const Tensor& x, bool) override { return {comb(first.forward(x), 3), {}}; }
    int64_t in_channels() const override { return 1; }
    int64_t out_channels() const override { return 1; }
    int64_t input_multiple() const override { return 1; }
};

TEST(OpFromOutside, IsInTheTableLikeAnyOther) {
    Combed net;
    const LayerRow row = summarize(net, {2, 16, 20, 1}, DType::f32, cpu).rows.back();
    EXPECT_EQ(row.op, "comb+nothing");
    EXPECT_EQ(row.multiply_adds, 5 * 2 * 16 * 10);
    EXPECT_EQ(row.receptive_field.height, 3);
    EXPECT_EQ(row.receptive_field.width, 3 + 4 * 3);
    EXPECT_EQ(row.output_stride, 1) << "of the height, which it keeps";
}

// Columns 0, 2, 4 and 6 of 8 see taps at -6, -3, 0, 3 and 6 from them: 3, 2, 3 and 3 lie inside.
TEST(OpFromOutside, CountsItsDeadTaps) {
    Tape tape(Tape::Mode::tracing);
    comb(Tensor::empty({1, 4, 8, 1}, DType::f32, {DeviceKind::meta}), 3);
    const Reach columns = reach_of(tape.entries()[0], 1);
    EXPECT_EQ(columns.taps(), 5);
    EXPECT_EQ(columns.dilation(), 3);
    EXPECT_DOUBLE_EQ(columns.taps_inside(), 2.75);
    EXPECT_DOUBLE_EQ(reach_of(tape.entries()[0], 0).taps_inside(), 1);
}

TEST(OpFromOutside, WithoutADescriptorIsAnError) {
    std::vector<Entry> entries(1);
    entries[0].op = "unheard_of";
    entries[0].inputs = {Value{1, {1, 8, 8, 1}, DType::f32, nullptr}};
    entries[0].output = Value{2, {1, 8, 8, 1}, DType::f32, nullptr};
    EXPECT_THROW(receptive_fields(entries, 1), Error);
    EXPECT_THROW(output_strides(entries, entries[0].inputs[0]), Error);
}

TEST(Reach, OfAResizeToTheSameSizeIsTheSamePosition) {
    for (const Reach& r : {Reach::corners(), Reach::centres(), Reach::nearest(), Reach::all()}) {
        EXPECT_FALSE(r.between(7, 7).resizes() || r.between(7, 7).is_all());
        EXPECT_EQ(r.between(7, 7).inputs_of({2, 3}).last, 3);
        EXPECT_NE(r.between(7, 14).inputs_of({9, 9}).first, 9);
    }
}

}  // namespace
}  // namespace atrous
