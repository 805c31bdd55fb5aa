// Every kernel of every op: no bank conflicts, and at least 90 % of the sectors that it reads or writes are useful, or a
// reason stands here. What nvcc does was looked up in its PTX for sm_80.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "benchmarks/harness/counters.h"
#include "engine/context.h"

namespace atrous::bench {
namespace {

constexpr double enough = 0.9;  // share of useful sectors

struct Reason {
    const char* kernel;   // without the arguments of its template
    const char* counter;  // loads, stores: useful share at least; shared: turns over the fewest possible at most
    double bound;
    const char* why;
};

const char* const joined_by_nvcc =
    "neighbouring floats of a thread, which nvcc reads or writes four at a time (ld, st.shared.v4)";
const char* const narrow_rows = "rows of three channels, or one element an access: not a vector path";
const char* const running_sums =
    "a thread walks neighbours for its running sum, so that all of a sector serves one lane";
const char* const pixel_a_lane = "a lane has a pixel and reads its classes one by one: the sector serves them all";
const char* const few_numbers = "a few numbers for each class or image, in rows that do not begin at a sector";
const char* const by_order = "elements in sorted order go where their pixels are";

const Reason reasons[] = {
    {"apply_norm", "loads", 0.83, "a thread's eight floats of scale and shift are two requests, of half a sector each"},
    {"batch_statistics", "shared", 4.0, joined_by_nvcc},
    {"boundary_slopes", "loads", 0.55, pixel_a_lane},
    {"boundary_slopes", "stores", 0.85, pixel_a_lane},
    {"channel_sums", "shared", 5.7, joined_by_nvcc},
    {"class_slopes_gradient", "loads", 0.56, pixel_a_lane},
    {"class_slopes_gradient", "stores", 0.5, pixel_a_lane},
    {"confusion_kernel", "loads", 0.14, pixel_a_lane},
    {"count_digits", "shared", 1.8, "a thread's counters lie in one bank each, but the rows of digits are 257 apart"},
    {"depthwise_weight_sums", "shared", 4.2, joined_by_nvcc},
    {"finish_loss", "loads", 0.84, few_numbers},
    {"finish_softmax_loss", "loads", 0.61, few_numbers},
    {"finish_softmax_sums", "loads", 0.55, few_numbers},
    {"finish_softmax_sums", "stores", 0.85, few_numbers},
    {"finish_sums", "loads", 0.66, few_numbers},
    {"finish_sums", "stores", 0.66, few_numbers},
    {"gradient_sums", "shared", 4.3, joined_by_nvcc},
    {"hard_pixels_mark", "loads", 0.33, by_order},
    {"hard_pixels_mark", "stores", 0.05, by_order},
    {"hard_pixels_odds", "loads", 0.25, pixel_a_lane},
    {"image_sums", "shared", 4.2, joined_by_nvcc},
    {"implicit_gemm", "loads", 0.45,
     "the bias, read for each row anew, a float of every eighth column a lane; and narrow rows"},
    {"implicit_gemm", "stores", 0.08, narrow_rows},
    {"implicit_gemm", "shared", 1.61, joined_by_nvcc},
    {"input_gradient", "loads", 0.86,
     "a thread's eight floats of scale and shift are two requests, of half a sector each"},
    {"keep_channels", "loads", 0.35, narrow_rows},
    {"loss_sums", "stores", 0.66, few_numbers},
    {"lovasz_count", "loads", 0.12, running_sums},
    {"lovasz_slopes", "loads", 0.13, running_sums},
    {"lovasz_slopes", "stores", 0.13, by_order},
    {"merge_chunks", "shared", 1.62, "pairs of 8-byte numbers, 16 bytes a thread: two turns"},
    {"move_elements", "shared", 7.7, "a thread's own elements and counters are neighbours, 8 and 16 to a thread"},
    {"narrow_weight_gradient", "shared", 4.2, joined_by_nvcc},
    {"pad_channels", "loads", 0.33, narrow_rows},
    {"search_labels", "shared", 1.62, "pairs of 8-byte numbers, 16 bytes a thread: two turns"},
    {"softmax_loss_coefficients", "loads", 0.72, few_numbers},
    {"softmax_loss_gradient", "shared", 1.23, "rows of classes; lanes of one phase meet where a row has few"},
    {"softmax_loss_sums_kernel", "shared", 1.31, "rows of classes; lanes of one phase meet where a row has few"},
    {"softmax_loss_sums_kernel", "stores", 0.88, few_numbers},
    {"sum_partials_kernel", "shared", 1.88, joined_by_nvcc},
    {"wgrad_gemm", "loads", 0.64, narrow_rows},
    {"wgrad_gemm", "stores", 0.23, narrow_rows},
    {"wgrad_gemm", "shared", 1.54, joined_by_nvcc},
};

struct Worst {
    double value;
    std::string where;
};

double turns(const gpu::KernelCounters& c) {
    gpu::SharedCounters all;
    for (const auto& s : {c.shared_load, c.shared_store, c.shared_async_copy, c.ldmatrix, c.shared_atomic}) all.add(s);
    return all.fewest_wavefronts ? double(all.wavefronts) / double(all.fewest_wavefronts) : 1;
}

// The worst of each kernel and counter that is not in order.
std::map<std::string, Worst> what_stands_out() {
    std::map<std::string, Worst> found;
    count_usual({DeviceKind::gpu}, [&](const std::vector<CountedKernel>& kernels) {
        for (const CountedKernel& k : kernels) {
            const std::string name = k.kernel.substr(0, k.kernel.find('<'));
            gpu::GlobalCounters loads = k.counters.load;
            loads.add(k.counters.async_copy);
            const std::pair<const char*, double> figures[]{
                {"loads", loads.useful()}, {"stores", k.counters.store.useful()}, {"shared", turns(k.counters)}};
            for (const auto& [counter, value] : figures) {
                const bool more_is_worse = std::string(counter) == "shared";
                if (more_is_worse ? value == 1 : value >= enough) continue;
                Worst& w = found.try_emplace(name + " " + counter, Worst{value, counters_title(k)}).first->second;
                if (more_is_worse ? value > w.value : value < w.value) w = {value, counters_title(k) + ", " + k.kernel};
            }
        }
    });
    return found;
}

TEST(Counters, EveryKernelUsesItsMemoryWellOrHasAReason) {
    std::string why;
    ASSERT_TRUE(gpu::can_trace(&why)) << why;
    std::map<std::string, Worst> found = what_stands_out();
    for (const Reason& r : reasons) {
        const std::string key = std::string(r.kernel) + " " + r.counter;
        const auto at = found.find(key);
        if (at == found.end()) {
            ADD_FAILURE() << key << " is in order now; its reason may go: " << r.why;
            continue;
        }
        if (std::string(r.counter) == "shared")
            EXPECT_LE(at->second.value, r.bound) << key << " in " << at->second.where << ": " << r.why;
        else
            EXPECT_GE(at->second.value, r.bound) << key << " in " << at->second.where << ": " << r.why;
        found.erase(at);
    }
    for (const auto& [key, w] : found)
        ADD_FAILURE() << key << " is " << w.value << " in " << w.where << ", and no reason is given for it";
}

// In a process of its own, where the emulated device is of capability 9.0.
TEST(Counters, HoppersKernelsCopyBoxesAndMultiplyInWarpgroups) {
    if (gpu::capability() < 90) GTEST_SKIP() << "ATROUS_EMULATED_CAPABILITY is not 90";
    Workload w{"conv2d", {}, 1, {}};
    w.request.shapes = {{1, 16, 16, 64}};
    gpu::KernelCounters all;
    count_op(w, DType::bf16, {DeviceKind::gpu}, [&](const std::vector<CountedKernel>& kernels) {
        for (const CountedKernel& k : kernels) {
            if (k.implementation != "wgmma" || k.counters.wgmma == 0) continue;
            EXPECT_EQ(turns(k.counters), 1) << k.kernel;
            EXPECT_GE(k.counters.store.useful(), enough) << k.kernel;
            all.add(k.counters);
        }
    });
    EXPECT_GT(all.wgmma, 0u);
    EXPECT_GT(all.box_loads, 0u);
    EXPECT_GT(all.mbarrier_operations, 0u);
}

TEST(Counters, ATraceIsOneJsonObjectWithItsSources) {
    Workload w{"conv2d", {}, 1, {}};
    w.request.shapes = {{1, 8, 8, 8}};
    const KernelTrace t = trace_pass(w, DType::f32, {DeviceKind::gpu}, false, {.blocks = 1}, 1000);
    const auto named = [&](const char* name) {
        return std::find_if(t.trace.buffers.begin(), t.trace.buffers.end(),
                            [&](const gpu::TraceBuffer& b) { return b.name == name; });
    };
    ASSERT_NE(named("x"), t.trace.buffers.end());
    ASSERT_NE(named("output"), t.trace.buffers.end());
    EXPECT_EQ(named("x")->touched_sectors, 8u * 8 * 8 * 4 / 32);  // each of them at least once
    EXPECT_EQ(named("output")->touched_sectors, 8u * 8 * 8 * 4 / 32);
    EXPECT_EQ(t.values.at(0).size(), 8u * 8 * 8);
    const std::string json = trace_json(t);
    EXPECT_EQ(json.front(), '{');
    EXPECT_NE(json.find("\"kernels/cuda/implicit_gemm_simt.cu\""), std::string::npos);
    EXPECT_LT(json.size(), 5u << 20);
}

}  // namespace
}  // namespace atrous::bench
