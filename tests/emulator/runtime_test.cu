// Memory, streams, events and graphs of the emulated platform.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "kernels/gpu/device_guard.h"
#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

struct Axpy {
    const float* x;
    float* y;
    const float* scale;  // device memory: a graph reads its value at replay
    float offset;        // an argument: a graph keeps its value
    int count;
};
__global__ void axpy(Axpy a) {
    const int i = int(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < a.count) a.y[i] += *a.scale * a.x[i] + a.offset;
}

TEST(Runtime, OneDevice) {
    std::string why = "?";
    EXPECT_EQ(platform(), Platform::emulated);
    EXPECT_EQ(device_count(&why), 1);
    EXPECT_EQ(why, "");
    EXPECT_EQ(current_device(), 0);
    EXPECT_GE(device_info(0).major, 8);
    EXPECT_GT(device_info(0).memory_bytes, 0u);
    EXPECT_GT(free_memory_bytes(), 0u);
    EXPECT_EQ(versions(), "emulated");
    EXPECT_THROW(set_device(1), GpuError);
    synchronize_device();
}

// ---- memory ---------------------------------------------------------------------------------------------------------
TEST(Memory, BlocksAreAlignedAndFullOfNaNs) {
    const size_t before = emu::live_allocations();
    for (size_t bytes : {0, 1, 7, 256, 1000}) {
        auto* p = static_cast<unsigned char*>(allocate(bytes));
        EXPECT_EQ(uintptr_t(p) % 256, 0u);
        for (size_t i = 0; i < bytes; ++i) EXPECT_EQ(p[i], 0xff);
        EXPECT_EQ(emu::live_allocations(), before + 1);
        release(p);
    }
    EXPECT_EQ(emu::live_allocations(), before);
    release(nullptr);
    void* pinned = allocate_pinned(100);
    std::memset(pinned, 1, 100);
    release_pinned(pinned);
}

TEST(Memory, ReleaseReportsWhatIsNotABlock) {
    float foreign = 0;
    release(&foreign);  // cannot throw: the next synchronization does
    EXPECT_NE(error_of([] {}).find("did not return"), std::string::npos);
    EXPECT_EQ(error_of([] {}), "");
    Buffer<float> x(8, 1.0f);
    release(&foreign);
    EXPECT_THROW(launch(axpy, 1, 8, 0, stream().view(), {}), GpuError);  // or the next launch
}

TEST(Memory, AnOverrunFromTheHostIsReported) {
    if (addresses) GTEST_SKIP() << "address sanitizer ends the process at once";
    emu::statistics() = {};
    auto* p = static_cast<unsigned char*>(allocate(100));
    emu::verify_guards();
    p[100] = 7;
    EXPECT_THROW(emu::verify_guards(), GpuError);
    release(p);
    const auto error = error_of([] {});
    EXPECT_NE(error.find("past the end of a device block of 100 bytes"), std::string::npos) << error;
    EXPECT_EQ(emu::statistics().guard_violations, 2u);

    p = static_cast<unsigned char*>(allocate(100));
    p[-1] = 7;
    release(p);
    EXPECT_NE(error_of([] {}).find("before a device block"), std::string::npos);
}

TEST(Memory, CopiesStayInsideABlock) {
    Buffer<float> x(8, 1.0f);
    std::vector<float> host(16);
    EXPECT_NE(error_of([&] { copy_async(x.data(), host.data(), 64, stream().view()); }).find("a copy"),
              std::string::npos);
    EXPECT_NE(error_of([&] { copy_async(host.data(), x.data() + 4, 20, stream().view()); }).find("a copy"),
              std::string::npos);
    EXPECT_NE(error_of([&] { fill_bytes_async(x.data(), 0, 33, stream().view()); }).find("a fill"), std::string::npos);
    EXPECT_NE(error_of([&] { fill_bytes_async(host.data(), 0, 4, stream().view()); }).find("not device memory"),
              std::string::npos);
}

TEST(Memory, CopiesAndFillsInEveryDirection) {
    const auto values = small_integers(33, 1);
    Buffer<float> a(values), b(33);
    copy_async(b.data(), a.data(), 33 * sizeof(float), stream().view());
    EXPECT_EQ(b.get(), values);
    fill_bytes_async(b.data(), 0, 4 * sizeof(float), stream().view());
    EXPECT_EQ(b.get()[3], 0);
    EXPECT_EQ(b.get()[4], values[4]);
    copy_async(nullptr, nullptr, 0, stream().view());
}

TEST(Memory, UnwrittenBytesFollowTheirCopies) {
    if (!races) GTEST_SKIP() << "the races build remembers what was written";
    Buffer<unsigned char> a(16), b(16);
    fill_bytes_async(a.data() + 1, 5, 10, stream().view());
    EXPECT_EQ(error_of([&] { copy_async(b.data() + 3, a.data(), 12, stream().view()); }), "");
    unsigned char host[16];
    EXPECT_EQ(error_of([&] { copy_async(host, b.data() + 4, 10, stream().view()); }), "");
    const auto error = error_of([&] { copy_async(host, b.data() + 3, 12, stream().view()); });
    EXPECT_NE(error.find("2 of 12 bytes that no kernel wrote"), std::string::npos) << error;
}

// ---- streams and events ---------------------------------------------------------------------------------------------
TEST(Streams, AnEmptyViewIsNoStream) {
    Buffer<float> x(8, 1.0f);
    EXPECT_THROW(launch(axpy, 1, 8, 0, StreamView(), {}), GpuError);
    EXPECT_THROW(fill_bytes_async(x.data(), 0, 4, StreamView()), GpuError);
    StreamView().synchronize();
}

TEST(Streams, EventsOrderAndTime) {
    Stream other;
    Buffer<float> x(8, 1.0f), y(8, 0.0f), scale(1, 2.0f);
    Event start, end;
    EXPECT_THROW(end.ms_since(start), GpuError);
    start.record(stream().view());
    launch(axpy, 1, 32, 0, stream().view(), {x.data(), y.data(), scale.data(), 1, 8});
    end.record(stream().view());
    end.block(other.view());
    launch(axpy, 1, 32, 0, other.view(), {x.data(), y.data(), scale.data(), 1, 8});
    other.view().synchronize();
    end.synchronize();
    EXPECT_TRUE(end.done());
    EXPECT_GE(end.ms_since(start), 0);
    EXPECT_EQ(y.get()[7], 6);
    Stream moved = std::move(other);
    Event taken = std::move(end);
    EXPECT_TRUE(taken.done());
    fill_bytes_async(y.data(), 0, 4, moved.view());
}

// ---- devices --------------------------------------------------------------------------------------------------------
struct TwoDevices : testing::Test {
    TwoDevices() { options->devices = 2; }
    ~TwoDevices() override { set_device(0); }
    emu::ScopedOptions options;
};

TEST_F(TwoDevices, StreamsAndEventsWantTheirOwnCurrent) {
    EXPECT_EQ(device_count(), 2);
    EXPECT_THROW(set_device(2), GpuError);
    Event event;
    Buffer<float> x(8, 1.0f);
    set_device(1);
    Stream other;
    const Graph graph = Graph::capture(other.view(), [] {});
    const auto refused = [](const std::function<void()>& call) {
        return error_of(call).find("on a stream of device 1 while device 0 is current") != std::string::npos;
    };
    EXPECT_NE(error_of([&] { event.record(other.view()); }).find("an event made on device 0"), std::string::npos);
    Event theirs;
    set_device(0);
    EXPECT_TRUE(refused([&] { fill_bytes_async(x.data(), 0, 4, other.view()); }));
    EXPECT_TRUE(refused([&] { copy_async(x.data(), x.data() + 4, 4, other.view()); }));
    EXPECT_TRUE(refused([&] { launch(axpy, 1, 8, 0, other.view(), {}); }));
    EXPECT_TRUE(refused([&] { theirs.record(other.view()); }));
    EXPECT_TRUE(refused([&] { Graph::capture(other.view(), [] {}); }));
    EXPECT_TRUE(refused([&] { const_cast<Graph&>(graph).launch(other.view()); }));
    event.record(stream().view());
    event.block(other.view());  // streams may wait for events of any device
    other.view().synchronize();
}

TEST_F(TwoDevices, AGuardMakesOneCurrentAndGoesBack) {
    {
        const DeviceGuard guard(1);
        EXPECT_EQ(current_device(), 1);
        const DeviceGuard inner(0), none(DeviceGuard::none);
        EXPECT_EQ(current_device(), 0);
    }
    EXPECT_EQ(current_device(), 0);
    EXPECT_THROW(DeviceGuard(2), GpuError);
    EXPECT_EQ(current_device(), 0);
}

TEST_F(TwoDevices, AKernelReadsItsOwnMemory) {
    if (!races) GTEST_SKIP() << "the races build looks at every address";
    Buffer<float> x(8, 1.0f);
    set_device(1);
    Stream other;
    const auto error = error_of([&] { launch(axpy, 1, 1, 0, other.view(), {x.data(), x.data(), x.data(), 0, 1}); });
    EXPECT_NE(error.find("of device 0 by a kernel on device 1"), std::string::npos) << error;
    set_device(0);
}

// ---- deferred streams -----------------------------------------------------------------------------------------------
struct Deferred : testing::Test {
    Deferred() { options->deferred = true; }
    ~Deferred() override { synchronize_device(); }
    emu::ScopedOptions options;
};

// What one stream fills and another one copies, with and without an event between them.
int copied_after(uint64_t seed, bool waits) {
    emu::options().seed = seed;
    Stream other;
    Event filled;
    Buffer<int> x(1, 0), y(1, 0);
    stream().view().synchronize();
    fill_bytes_async(x.data(), 1, 1, other.view());
    filled.record(other.view());
    if (waits) filled.block(stream().view());
    copy_async(y.data(), x.data(), sizeof(int), stream().view());
    return y.get()[0];
}

TEST_F(Deferred, AMissingWaitShows) {
    int early = 0;
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        EXPECT_EQ(copied_after(seed, true), 1) << "seed " << seed;
        early += copied_after(seed, false) == 0;
    }
    EXPECT_GT(early, 3);
    EXPECT_LT(early, 17);
}

TEST_F(Deferred, WorkIsDoneWhenTheHostWaits) {
    auto* const host = static_cast<int*>(allocate_pinned(sizeof(int)));
    Buffer<int> x(1, 7), y(1, 0);
    Event copied;
    *host = 1;
    copy_async(x.data(), host, sizeof(int), stream().view());
    copied.record(stream().view());
    EXPECT_THROW(copied.ms_since(copied), GpuError);
    *host = 2;  // too early: the copy reads it when it is done
    copied.synchronize();
    EXPECT_EQ(x.get()[0], 2);
    int pageable = 3;
    copy_async(x.data(), &pageable, sizeof(int), stream().view());
    pageable = 4;  // CUDA has read it by now
    EXPECT_EQ(x.get()[0], 3);
    copied.record(stream().view());
    int asked = 0;
    while (!copied.done()) ++asked;
    EXPECT_LT(asked, 10);
    fill_bytes_async(x.data(), 0, sizeof(int), stream().view());
    release_pinned(host);  // waits, as cudaFreeHost does
    options->deferred = false;
    EXPECT_EQ(x.get()[0], 0);
}

TEST_F(Deferred, PageableMemoryIsWrittenWhenTheCallReturns) {
    const int from = 3;
    int to = 0;
    copy_async(&to, &from, sizeof(int), stream().view());
    EXPECT_EQ(to, 3);
}

// An event that two streams record: its second record may come first, and whoever waits for that still goes on.
TEST_F(Deferred, AnEventOfTwoStreamsDoesNotGoBackwards) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        emu::options().seed = seed;
        Stream first, second;
        Event event;
        Buffer<int> x(1, 0);
        stream().view().synchronize();
        event.record(first.view());
        event.record(second.view());
        event.block(stream().view());
        fill_bytes_async(x.data(), 1, sizeof(int), stream().view());
        EXPECT_EQ(x.get()[0], 0x01010101) << "seed " << seed;
    }
}

TEST_F(Deferred, AnErrorOfAKernelAppearsAtTheWait) {
    launch(axpy, 0, 4, 0, stream().view(), {});
    EXPECT_NE(error_of([] {}).find("the grid is empty"), std::string::npos);
}

TEST_F(Deferred, GraphsAreReplayedInOrder) {
    Buffer<int> x(1, 7), y(1, 0);
    Graph graph = Graph::capture(stream().view(), [&] {
        fill_bytes_async(x.data(), 0, sizeof(int), stream().view());
        copy_async(y.data(), x.data(), sizeof(int), stream().view());
        fill_bytes_async(x.data(), 1, sizeof(int), stream().view());
    });
    graph.launch(stream().view());
    EXPECT_EQ(y.get()[0], 0);
    EXPECT_EQ(x.get()[0], 0x01010101);
}

// ---- graphs ---------------------------------------------------------------------------------------------------------
// One step of some work: y = (y zeroed first half) + scale x + 0.25, then x = y.
struct Step {
    static constexpr int count = 1000;
    Buffer<float> x, y{count}, scale{1, 0.0f};
    std::unique_ptr<float, void (*)(void*)> next_scale{static_cast<float*>(allocate_pinned(sizeof(float))),
                                                       [](void* p) { release_pinned(p); }};
    explicit Step(unsigned seed) : x(small_integers(count, seed)) {
        fill_bytes_async(y.data(), 0, 4 * count, stream().view());
    }
    void submit(StreamView s) {
        copy_async(scale.data(), next_scale.get(), sizeof(float), s);
        fill_bytes_async(y.data(), 0, count / 2 * sizeof(float), s);
        Axpy args{x.data(), y.data(), scale.data(), 0.25f, count};
        launch(axpy, 8, 128, 0, s, args);
        args.offset = -1e9f;  // the launch has its own copy
        copy_async(x.data(), y.data(), count * sizeof(float), s);
    }
};

TEST(Graphs, ReplayWithChangedDataIsBitEqualToEager) {
    Step eager(11), replayed(11);
    const auto before = replayed.y.get();
    Graph graph = Graph::capture(stream().view(), [&] { replayed.submit(stream().view()); });
    EXPECT_EQ(graph.nodes(), 4u);
    EXPECT_EQ(replayed.y.get(), before) << "capture must not execute";
    for (float scale : {0.1f, 0.7f, -1.3f, INFINITY, 2.0f}) {
        *eager.next_scale = *replayed.next_scale = scale;
        eager.submit(stream().view());
        graph.launch(stream().view());
        const auto a = eager.x.get(), b = replayed.x.get();
        EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0) << "scale " << scale;
    }
    EXPECT_FALSE(std::isfinite(eager.x.get()[999]));  // the infinity arrived
}

TEST(Graphs, OtherStreamsRunWhileOneIsCaptured) {
    Stream other;
    Buffer<float> y(4, 1.0f), z(4, 1.0f);
    Graph graph = Graph::capture(stream().view(), [&] {
        fill_bytes_async(y.data(), 0, 16, stream().view());
        fill_bytes_async(z.data(), 0, 16, other.view());
    });
    EXPECT_EQ(graph.nodes(), 1u);
    EXPECT_EQ(z.get()[0], 0);
    EXPECT_EQ(y.get()[0], 1);
    Graph outer = Graph::capture(stream().view(), [&] { graph.launch(stream().view()); });
    graph = std::move(outer);
    graph.launch(stream().view());
    EXPECT_EQ(y.get()[0], 0);
}

TEST(Graphs, WhatCaptureForbids) {
    Event event;
    auto error_inside = [&](const std::function<void()>& f) {
        return error_of([&] { Graph::capture(stream().view(), f); });
    };
    EXPECT_NE(error_inside([] { allocate(8); }).find("while a graph is captured"), std::string::npos);
    EXPECT_NE(error_inside([] { stream().view().synchronize(); }).find("captured"), std::string::npos);
    EXPECT_NE(error_inside([] { synchronize_device(); }).find("captured"), std::string::npos);
    // A replay would read the host's memory anew, whatever lies there then.
    Buffer<float> to(1, 0.0f);
    float value = 1;
    EXPECT_NE(error_inside([&] { copy_async(to.data(), &value, sizeof value, stream().view()); }).find("pageable"),
              std::string::npos);
    auto* const pinned = static_cast<float*>(allocate_pinned(2 * sizeof(float)));
    pinned[1] = 2;
    EXPECT_EQ(error_inside([&] { copy_async(to.data(), pinned + 1, sizeof value, stream().view()); }), "");
    release_pinned(pinned);
    EXPECT_NE(error_inside([&] {
                  event.record(stream().view());
                  event.synchronize();
              }).find("a graph recorded"),
              std::string::npos);
    EXPECT_NE(error_inside([] { Graph::capture(stream().view(), [] {}); }).find("already"), std::string::npos);
    Stream other;
    EXPECT_NE(error_inside([&] {
                  event.record(stream().view());
                  event.block(other.view());
              }).find("does not wait for the work of another one"),
              std::string::npos);
    // A failed capture leaves the stream usable.
    EXPECT_THROW(Graph::capture(stream().view(), [] { throw std::runtime_error("stop"); }), std::runtime_error);
    Buffer<float> y(4, 3.0f);
    EXPECT_EQ(y.get()[0], 3);
}

TEST(Graphs, AnErrorOfAKernelAppearsAtReplay) {
    Buffer<float> y(4, 0.0f);
    Graph graph = Graph::capture(stream().view(), [&] { launch(axpy, 0, 4, 0, stream().view(), {}); });
    EXPECT_NE(error_of([&] { graph.launch(stream().view()); }).find("the grid is empty"), std::string::npos);
}

}  // namespace
}  // namespace atrous::gpu::test
