// Every kernel of every op: no bank conflicts, and at least 90 % of the sectors that it reads or writes are useful, or
// a reason stands here. What a reason says of nvcc is an expectation, which PTX was not read
// for kernel by kernel.
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "benchmarks/harness/counters.h"
#include "benchmarks/harness/measure.h"
#include "engine/context.h"

namespace atrous::bench {
namespace {

constexpr double enough = 0.9;  // share of useful sectors

struct Reason {
    const char* kernel;  // a pattern of its name, with the arguments of its template: types, tile, width of a vector
    const char* counter;
    double bound;  // global memory: useful share at least; shared memory: turns over the fewest possible at most
    const char* why;
};

// Bounds are what g++ 12 gives, with some room.
const char* const joined_by_nvcc = "neighbouring floats of a thread, one by one; nvcc may move four at a time";
const char* const narrow_rows = "rows of three channels, or one element an access: not a vector path";
const char* const padded_rows = "a width of three channels, padded to eight: half a sector a pixel";
const char* const running_sums =
    "a thread walks neighbours for its running sum, so that all of a sector serves one lane";
const char* const pixel_a_lane = "a lane has a pixel and reads its classes one by one: the sector serves them all";
const char* const few_numbers = "a few numbers for each class or image, in rows that do not begin at a sector";
const char* const by_order = "elements in sorted order go where their pixels are";
const char* const few_cells = "pixels of one outcome count in one cell, one after the other";
const char* const skipped = "lanes skip ignored pixels, and their later reads pair with others' earlier ones";
const char* const half_sector = "a thread's eight floats of scale and shift are two requests, of half a sector each";
const char* const bias = "the bias, read for each row anew, a float of every eighth column a lane";
const char* const pairs = "pairs of 8-byte numbers, 16 bytes a thread: two turns";
const char* const few_classes = "rows of classes; lanes of one phase meet where a row has few";
const char* const own_digits = "a thread's counters lie in one bank each, but the rows of digits are 257 apart";
const char* const own_elements = "a thread's own elements and counters are neighbours, 8 and 16 to a thread";

const Reason reasons[] = {
    {"apply_norm<bf16, 8, false>", "load", 0.8, half_sector},
    {"batch_statistics<bf16, 8>", "shared_store", 7.2, joined_by_nvcc},
    {"batch_statistics<float, 4>", "shared_store", 3.4, joined_by_nvcc},
    {"bit_counts_kernel<*>", "load", 0.14, pixel_a_lane},
    {"bit_counts_kernel<*>", "shared_atomic", 25, few_cells},
    {"boundary_slopes<*>", "load", 0.53, pixel_a_lane},
    {"boundary_slopes<*>", "store", 0.82, pixel_a_lane},
    {"channel_sums<bf16, 8>", "shared_store", 8, joined_by_nvcc},
    {"channel_sums<float, 4>", "shared_store", 4, joined_by_nvcc},
    {"class_slopes_gradient<*>", "load", 0.54, pixel_a_lane},
    {"class_slopes_gradient<*>", "store", 0.5, pixel_a_lane},
    {"confusion_kernel<bf16, 1>", "load", 0.14, pixel_a_lane},
    {"confusion_kernel<float, 1>", "load", 0.45, skipped},
    {"confusion_kernel<float, 4>", "load", 0.65, skipped},
    {"confusion_kernel<*, 1>", "shared_atomic", 9, few_cells},
    {"confusion_kernel<float, 4>", "shared_atomic", 4.5, few_cells},
    {"count_digits", "shared_load", 2.3, own_digits},
    {"count_digits", "shared_store", 1.5, own_digits},
    {"depthwise_weight_sums<bf16, 8>", "shared_store", 7.5, joined_by_nvcc},
    {"depthwise_weight_sums<float, 4>", "shared_store", 3.6, joined_by_nvcc},
    {"finish_loss", "load", 0.82, few_numbers},
    {"finish_softmax_loss", "load", 0.6, few_numbers},
    {"finish_softmax_sums", "load", 0.53, few_numbers},
    {"finish_softmax_sums", "store", 0.83, few_numbers},
    {"finish_sums", "load", 0.64, few_numbers},
    {"finish_sums", "store", 0.64, few_numbers},
    {"gradient_sums<bf16, 8, *>", "shared_store", 7.8, joined_by_nvcc},
    {"gradient_sums<float, 4, *>", "shared_store", 3.9, joined_by_nvcc},
    {"hard_pixels_mark", "load", 0.32, by_order},
    {"hard_pixels_mark", "store", 0.05, by_order},
    {"hard_pixels_odds<*>", "load", 0.25, pixel_a_lane},
    {"image_sums<bf16, 8>", "shared_store", 7.5, joined_by_nvcc},
    {"image_sums<float, 4>", "shared_store", 3.6, joined_by_nvcc},
    {"implicit_gemm<*, MmaTile<*>, true>", "async_copy", 0.78, padded_rows},
    {"implicit_gemm<*, MmaTile<*>, true>", "load", 0.25, bias},
    {"implicit_gemm<*, SimtTile<*>, 1, true>", "load", 0.45, narrow_rows},
    {"implicit_gemm<bf16, SimtTile<*>, 4, true>", "load", 0.5, bias},
    {"implicit_gemm<float, SimtTile<*>, 4, true>", "load", 0.62, bias},
    {"implicit_gemm<*, SimtTile<256, 8, *>, 1, false>", "store", 0.08, narrow_rows},
    {"implicit_gemm<*, SimtTile<256, 8, *>, 4, true>", "store", 0.25, "one output channel: rows of an element"},
    {"implicit_gemm<*, SimtTile<128, 32, *>, 1, true>", "shared_load", 1.05, joined_by_nvcc},
    {"implicit_gemm<*, SimtTile<256, 8, *>, *>", "shared_load", 1.5, joined_by_nvcc},
    {"implicit_gemm<*, SimtTile<*>, 4, false>", "shared_store", 2.5, joined_by_nvcc},
    {"implicit_gemm<*, SimtTile<*>, *>", "shared_store", 2.1, joined_by_nvcc},
    {"implicit_gemm_moments<*, MmaTile<*> >", "shared_store", 3.2,
     "a lane's eight sums are neighbours, 32 bytes from lane to lane: eight turns one by one"},
    {"input_gradient<bf16, 8, true>", "load", 0.84, half_sector},
    {"keep_channels", "load", 0.34, narrow_rows},
    {"loss_sums<*>", "store", 0.64, few_numbers},
    {"lovasz_count", "load", 0.12, running_sums},
    {"lovasz_slopes", "load", 0.13, running_sums},
    {"lovasz_slopes", "store", 0.13, by_order},
    {"make_factors", "store", 0.64, few_numbers},
    {"merge_chunks", "shared_load", 1.85, pairs},
    {"merge_chunks", "shared_store", 1.5, pairs},
    {"move_elements", "shared_load", 9.8, own_elements},
    {"move_elements", "shared_store", 6, own_elements},
    {"narrow_weight_gradient<bf16, *>", "shared_store", 7.5, joined_by_nvcc},
    {"narrow_weight_gradient<float, *>", "shared_store", 3.6, joined_by_nvcc},
    {"pad_channels<*>", "load", 0.32, narrow_rows},
    {"search_labels<16>", "shared_load", 1.85, pairs},
    {"search_labels<16>", "shared_store", 1.5, pairs},
    {"softmax_loss_coefficients", "load", 0.7, few_numbers},
    {"softmax_loss_gradient<*>", "shared_load", 1.27, few_classes},
    {"softmax_loss_gradient<bf16, 8, *>", "shared_store", 1.28, few_classes},
    {"softmax_loss_sums_kernel<*>", "shared_load", 1.38, few_classes},
    {"softmax_loss_sums_kernel<bf16, 8, *>", "shared_store", 1.27, few_classes},
    {"softmax_loss_sums_kernel<*>", "store", 0.86, few_numbers},
    {"sum_partials_kernel<4>", "shared_load", 4, joined_by_nvcc},
    {"wgrad_gemm<*, MmaTile<*> >", "async_copy", 0.71, padded_rows},
    {"wgrad_gemm<float, MmaTile<*> >", "store", 0.62, "27 columns of three channels: rows begin within a sector"},
    {"wgrad_gemm<*, SimtTile<*>, 1>", "load", 0.62, narrow_rows},
    {"wgrad_gemm<*, SimtTile<*>, 1>", "store", 0.22, narrow_rows},
    {"wgrad_gemm<*, SimtTile<*>, *>", "shared_load", 1.4, joined_by_nvcc},
    {"wgrad_gemm<*, SimtTile<64, *>, 4>", "shared_store", 4, joined_by_nvcc},
    {"wgrad_gemm<*, SimtTile<8, *>, 1>", "shared_store", 1.2, joined_by_nvcc},
};

struct Worst {
    double value;
    std::string where;
};

using Figures = std::vector<std::pair<std::string, double>>;

// Share of useful sectors.
Figures global_figures(const gpu::KernelCounters& c) {
    return {{"load", c.load.useful()}, {"async_copy", c.async_copy.useful()}, {"store", c.store.useful()}};
}

// Turns over the fewest possible.
Figures shared_figures(const gpu::KernelCounters& c) {
    const auto turns = [](const gpu::SharedCounters& s) {
        return s.fewest_wavefronts ? double(s.wavefronts) / double(s.fewest_wavefronts) : 1;
    };
    return {{"shared_load", turns(c.shared_load)},
            {"shared_store", turns(c.shared_store)},
            {"shared_async_copy", turns(c.shared_async_copy)},
            {"ldmatrix", turns(c.ldmatrix)},
            {"shared_atomic", turns(c.shared_atomic)}};
}

// Every kernel that was seen, and the worst of each kernel and counter that is not in order.
struct Seen {
    std::set<std::string> kernels;
    std::map<std::pair<std::string, std::string>, Worst> found;

    void add(const CountedKernel& k) {
        kernels.insert(k.kernel.substr(0, k.kernel.find('<')));
        const std::string where = counters_title(k);
        const auto note = [&](const std::string& counter, double value, bool more_is_worse) {
            Worst& w = found.try_emplace({k.kernel, counter}, Worst{value, where}).first->second;
            if (more_is_worse ? value > w.value : value < w.value) w = {value, where};
        };
        for (const auto& [counter, value] : global_figures(k.counters))
            if (value < enough) note(counter, value, false);
        for (const auto& [counter, value] : shared_figures(k.counters))
            if (value > 1) note(counter, value, true);
    }
};

const Seen& seen() {
    static const Seen all = [] {
        Seen s;
        count_usual({DeviceKind::gpu}, [&](const std::vector<CountedKernel>& kernels) {
            for (const CountedKernel& k : kernels) s.add(k);
        });
        return s;
    }();
    return all;
}

TEST(Counters, EveryKernelUsesItsMemoryWellOrHasAReason) {
    std::string why;
    ASSERT_TRUE(gpu::can_trace(&why)) << why;
    std::vector<bool> holds(std::size(reasons));
    for (const auto& [key, w] : seen().found) {
        const auto& [kernel, counter] = key;
        const auto* const r = std::find_if(std::begin(reasons), std::end(reasons), [&](const Reason& r) {
            return fnmatch(r.kernel, kernel.c_str(), 0) == 0 && counter == r.counter;
        });
        const std::string text = counter + " of " + kernel + " is " + std::to_string(w.value) + " in " + w.where;
        if (r == std::end(reasons)) {
            ADD_FAILURE() << text << ", and no reason is given for it";
            continue;
        }
        holds[size_t(r - reasons)] = true;
        const bool in_bounds = r->bound > 1 ? w.value <= r->bound : w.value >= r->bound;
        EXPECT_TRUE(in_bounds) << text << "; expected " << r->bound << ": " << r->why;
    }
    for (size_t i = 0; i < holds.size(); ++i)
        EXPECT_TRUE(holds[i]) << reasons[i].counter << " of " << reasons[i].kernel
                              << " is in order now; its reason may go: " << reasons[i].why;
}

// Those that no workload of the table launches, and why.
const std::map<std::string, std::string> not_counted{
    {"begin_sums", "of augmentation: its samples and filters are made by a loader"},
    {"resample", "of augmentation"},
    {"levels_of_images", "of augmentation"},
    {"normalize_augmented", "of augmentation"},
    {"merge_runs", "of moments of more tiles than a reduction has blocks, which is an image of megapixels"},
};

TEST(Counters, EveryKernelIsCounted) {
    std::set<std::string> written;
    const std::regex kernel(R"(__global__ void (?:__launch_bounds__\([^)]*\) )?(\w+)\()");
    for (const auto& file : std::filesystem::directory_iterator(ATROUS_SOURCE_DIR "/kernels/cuda")) {
        std::ifstream in(file.path());
        const std::string text((std::istreambuf_iterator<char>(in)), {});
        for (std::sregex_iterator at(text.begin(), text.end(), kernel), end; at != end; ++at) written.insert((*at)[1]);
    }
    EXPECT_GT(written.size(), 70u);
    for (const std::string& name : written) {
        const bool counted = seen().kernels.count(name) > 0;
        EXPECT_NE(counted, not_counted.count(name) > 0)
            << name << (counted ? " is counted, and need not be in not_counted" : " is launched by no workload");
    }
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
            for (const auto& [counter, value] : shared_figures(k.counters)) EXPECT_EQ(value, 1) << counter << k.kernel;
            EXPECT_GE(k.counters.store.useful(), enough) << k.kernel;
            all.add(k.counters);
        }
    });
    EXPECT_GT(all.wgmma, 0u);
    EXPECT_GT(all.box_loads, 0u);
    EXPECT_GT(all.mbarrier_operations, 0u);
}

// The warp of the block's first wgmma.
unsigned consumer(const gpu::TraceBlock& b) {
    return std::find_if(b.rows.begin(), b.rows.end(), [](const auto& r) { return r.kind == gpu::TraceKind::wgmma; })
        ->warp;
}

// A wgmma reads what boxes brought: consumers wait for the producer's loads by an mbarrier.
TEST(Counters, RowsOfHoppersConsumersStandBehindTheProducersLoads) {
    if (gpu::capability() < 90) GTEST_SKIP() << "ATROUS_EMULATED_CAPABILITY is not 90";
    Workload w{"conv2d", {}, 1, {}};
    w.request.shapes = {{1, 16, 16, 64}};
    const auto choices = other_choices(w, {DeviceKind::gpu}, DType::bf16);
    const auto wgmma = std::find_if(choices.begin(), choices.end(), [](const auto& c) { return c.name == "wgmma"; });
    ASSERT_NE(wgmma, choices.end());
    const ScopedKernelChoice scope(*wgmma);
    const KernelTrace t = trace_pass(w, DType::bf16, {DeviceKind::gpu}, false, {.blocks = 1});
    size_t products = 0;
    for (const auto& l : t.trace.launches)
        for (const auto& b : l.blocks) {
            size_t loads = 0, waits = 0, of_warp = 0;
            for (const auto& r : b.rows) {
                loads += r.kind == gpu::TraceKind::box_load;
                waits += r.kind == gpu::TraceKind::mbarrier_wait;
                if (r.kind != gpu::TraceKind::wgmma) continue;
                ++products;
                EXPECT_GT(waits, 0u);
                static constexpr size_t products_of_a_load = 4;  // a box holds 64 of k, a product takes 16
                if (r.warp != consumer(b)) continue;
                EXPECT_LE(++of_warp, products_of_a_load * loads);
            }
        }
    EXPECT_GT(products, 0u);
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
