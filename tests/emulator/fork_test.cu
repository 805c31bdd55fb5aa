// Graphs whose capture took in more than one stream: every replay does each stream's work in order, and waits where an
// event was waited for and nowhere else.
#include "tests/emulator/support.h"

namespace atrous::gpu::test {
namespace {

struct AddArgs {
    const int *a, *b;
    int* sum;
};
__global__ void add(AddArgs x) { *x.sum = *x.a + *x.b; }
void submit_add(Buffer<int>& a, Buffer<int>& b, Buffer<int>& sum, StreamView s) {
    launch(add, 1, 1, 0, s, AddArgs{a.data(), b.data(), sum.data()});
}

class Forks : public testing::Test {
 protected:
    void SetUp() override { options_->deferred = true; }
    // x = 2 one; fork: y = x + one beside z = x + x; join: sum = y + z, which is 7 for one = 1.
    void diamond(bool forks_after_x, bool joins_after_y) {
        Event forked, joined;
        if (!forks_after_x) forked.record(stream().view());
        submit_add(one_, one_, x_, stream().view());
        if (forks_after_x) forked.record(stream().view());
        forked.block(side_.view());
        if (!joins_after_y) joined.record(side_.view());
        submit_add(x_, one_, y_, side_.view());
        if (joins_after_y) joined.record(side_.view());
        submit_add(x_, x_, z_, stream().view());
        joined.block(stream().view());
        submit_add(y_, z_, sum_, stream().view());
    }
    int replayed(Graph& graph, uint64_t seed) {
        options_->seed = seed;
        for (Buffer<int>* b : {&x_, &y_, &z_, &sum_}) b->set({0});
        graph.launch(stream().view());
        return sum_.get()[0];
    }
    emu::ScopedOptions options_;
    Stream side_;
    Buffer<int> one_{1, 1}, x_{1, 0}, y_{1, 0}, z_{1, 0}, sum_{1, 0};
};

TEST_F(Forks, EveryOrderOfAReplayGivesTheSame) {
    Graph graph = Graph::capture(stream().view(), [&] { diamond(true, true); });
    EXPECT_EQ(graph.nodes(), 4u);
    for (uint64_t seed = 1; seed <= 40; ++seed) EXPECT_EQ(replayed(graph, seed), 7) << "seed " << seed;
    options_->deferred = false;
    EXPECT_EQ(replayed(graph, 1), 7);
}

TEST_F(Forks, AForkThatComesTooEarlyShows) {
    Graph graph = Graph::capture(stream().view(), [&] { diamond(false, true); });
    int wrong = 0;
    for (uint64_t seed = 1; seed <= 400; ++seed) wrong += replayed(graph, seed) != 7;
    EXPECT_GT(wrong, 0);
}

TEST_F(Forks, WorkThatNobodyWaitsForIsAnError) {
    for (const bool waits : {false, true}) {
        const std::string error = error_of([&] {
            Graph::capture(stream().view(), [&] {
                if (waits) return diamond(true, false);  // for the event, behind which work follows
                Event forked;
                forked.record(stream().view());
                forked.block(side_.view());
                submit_add(one_, one_, y_, side_.view());
            });
        });
        EXPECT_NE(error.find("does not wait for the work of another one"), std::string::npos) << error;
    }
    submit_add(one_, one_, x_, side_.view());  // both streams are as before
    side_.view().synchronize();
    EXPECT_EQ(x_.get()[0], 2);
}

TEST_F(Forks, AnEventOfACaptureMeansNothingBehindIt) {
    Event event;
    Graph::capture(stream().view(), [&] { event.record(stream().view()); });
    EXPECT_NE(error_of([&] { event.block(side_.view()); }).find("Event::block between"), std::string::npos);
}

TEST_F(Forks, ACaptureThatFailsIsOver) {
    Event event;
    const auto failing = [&] {
        event.record(stream().view());
        throw GpuError("refused");
    };
    EXPECT_EQ(error_of([&] { Graph::capture(stream().view(), failing); }), "refused");
    EXPECT_NE(error_of([&] { event.block(side_.view()); }).find("Event::block between"), std::string::npos);
    submit_add(one_, one_, x_, side_.view());  // which takes part in no capture
    side_.view().synchronize();
    EXPECT_EQ(x_.get()[0], 2);
}

TEST_F(Forks, ACaptureLeavesAloneWhatWaitsForItsEventAlready) {
    for (uint64_t seed = 1; seed <= 40; ++seed) {
        options_->seed = seed;
        for (Buffer<int>* b : {&x_, &y_}) b->set({0});
        stream().view().synchronize();
        Event event;
        submit_add(one_, one_, x_, side_.view());
        event.record(side_.view());
        event.block(stream().view());
        submit_add(x_, one_, y_, stream().view());
        Graph::capture(stream().view(), [&] { event.record(stream().view()); });
        EXPECT_EQ(y_.get()[0], 3) << "seed " << seed;
        side_.view().synchronize();
    }
}

TEST_F(Forks, AGraphWithinAGraphKeepsItsStreams) {
    Graph inner = Graph::capture(stream().view(), [&] { diamond(true, true); });
    Graph outer = Graph::capture(stream().view(), [&] {
        inner.launch(stream().view());
        submit_add(sum_, one_, sum_, stream().view());
    });
    for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_EQ(replayed(outer, seed), 8) << "seed " << seed;
}

}  // namespace
}  // namespace atrous::gpu::test
