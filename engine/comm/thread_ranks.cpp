#include "engine/comm/thread_ranks.h"

#include <fmt/core.h>

#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"

namespace atrous {

namespace {

// What a rank brings to a call.
struct Offer {
    std::string call;  // with its sizes: equal where the ranks agree
    std::vector<std::byte> data = {};
};

// Where all ranks meet.
class Meeting {
 public:
    explicit Meeting(int size) : offers(size_t(size)), size_(size) {}

    // Returns when every rank is here.
    void wait(int rank) {
        std::unique_lock lock(mutex_);
        refuse_if_broken(rank);
        const uint64_t turn = turn_;
        if (++here_ == size_) {
            here_ = 0;
            ++turn_;
            changed_.notify_all();
            return;
        }
        changed_.wait(lock, [&] { return turn_ != turn || !broken_.empty(); });
        if (turn_ == turn) refuse_if_broken(rank);
    }
    // No rank will wait for this one.
    void leave(int rank, const std::string& how, std::exception_ptr error) {
        std::lock_guard lock(mutex_);
        if (broken_.empty()) broken_ = fmt::format("rank {} of {} {}", rank, size_, how);
        if (!error_) error_ = error;
        changed_.notify_all();
    }
    std::exception_ptr first_error() const { return error_; }

    std::vector<Offer> offers;  // by rank; each writes its own before it waits and reads the others' after

 private:
    void refuse_if_broken(int rank) const {
        if (!broken_.empty()) throw Error(fmt::format("{}, and rank {} waits for it", broken_, rank));
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    int size_, here_ = 0;
    uint64_t turn_ = 0;
    std::string broken_;
    std::exception_ptr error_;
};

template <class T>
void add(std::vector<std::byte>& sum, const std::vector<std::byte>& other) {
    auto* const to = reinterpret_cast<T*>(sum.data());
    const auto* const from = reinterpret_cast<const T*>(other.data());
    for (size_t i = 0; i < sum.size() / sizeof(T); ++i) to[i] += from[i];
}

void add(std::vector<std::byte>& sum, const std::vector<std::byte>& other, DType dtype) {
    switch (dtype) {
        case DType::f32:
            return add<float>(sum, other);
        case DType::f64:
            return add<double>(sum, other);
        case DType::i64:
            return add<int64_t>(sum, other);
        default:
            throw Error(fmt::format("all_reduce of elements of type {}; expected f32, f64 or i64", name_of(dtype)));
    }
}

class ThreadRank : public Communicator {
 public:
    ThreadRank(Meeting& meeting, int rank, int size) : meeting_(meeting), rank_(rank), size_(size) {}
    int rank() const override { return rank_; }
    int size() const override { return size_; }

    void all_reduce(void* data, int64_t count, DType dtype, gpu::StreamView stream) override {
        const size_t bytes = size_t(count) * size_of(dtype);
        offer(fmt::format("all_reduce of {} {}", count, name_of(dtype)), data, bytes, stream);
        std::vector<std::byte> sum = meeting_.offers[0].data;
        for (int other = 1; other < size_; ++other) add(sum, meeting_.offers[size_t(other)].data, dtype);
        meeting_.wait(rank_);  // everybody has read the offers
        put(data, sum.data(), bytes, stream);
    }
    void broadcast(void* data, size_t bytes, int from, gpu::StreamView stream) override {
        offer(fmt::format("broadcast of {} bytes from rank {}", bytes, from), data, bytes, stream);
        const std::vector<std::byte> found = meeting_.offers.at(size_t(from)).data;
        meeting_.wait(rank_);
        if (rank_ != from) put(data, found.data(), bytes, stream);
    }
    void barrier() override {
        offer("barrier", nullptr, 0, {});
        meeting_.wait(rank_);
    }

 private:
    // Returns when every rank has brought the same call.
    void offer(const std::string& call, const void* data, size_t bytes, gpu::StreamView stream) {
        Offer& mine = meeting_.offers[size_t(rank_)];
        mine = {call, std::vector<std::byte>(bytes)};
        put(mine.data.data(), data, bytes, stream);
        stream.synchronize();
        meeting_.wait(rank_);
        for (int other = 0; other < size_; ++other)
            if (meeting_.offers[size_t(other)].call != meeting_.offers[0].call)
                throw Error(fmt::format("ranks disagree: rank 0 calls {} and rank {} calls {}", meeting_.offers[0].call,
                                        other, meeting_.offers[size_t(other)].call));
    }
    static void put(void* to, const void* from, size_t bytes, gpu::StreamView stream) {
        if (bytes == 0) return;
        if (stream.handle())
            gpu::copy_async(to, from, bytes, stream);
        else
            std::memcpy(to, from, bytes);
    }

    Meeting& meeting_;
    int rank_, size_;
};

}  // namespace

void run_ranks(int size, const std::function<void(Communicator&)>& work) {
    require(size >= 1, "run_ranks: at least one rank is needed");
    Meeting meeting(size);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < size; ++rank)
        threads.emplace_back([&, rank] {
            try {
                ThreadRank communicator(meeting, rank, size);
                work(communicator);
                meeting.leave(rank, "has ended", nullptr);
            } catch (const std::exception& error) {
                meeting.leave(rank, std::string("failed: ") + error.what(), std::current_exception());
            }
        });
    for (std::thread& t : threads) t.join();
    if (meeting.first_error()) std::rethrow_exception(meeting.first_error());
}

}  // namespace atrous
