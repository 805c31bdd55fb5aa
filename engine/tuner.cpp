#include "engine/tuner.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/half.h"
#include "base/philox.h"
#include "engine/context.h"
#include "engine/kernel_choice.h"
#include "engine/math_mode.h"

namespace atrous {

using kernels::KernelWay;
using kernels::TunableProblem;
using kernels::TunedKernel;

namespace {

constexpr double worth = 0.98;  // of the time of what runs untuned: less is noise
constexpr int repetitions = 5;

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

struct Block {
    explicit Block(size_t bytes) : data(gpu::allocate(std::max<size_t>(bytes, 1))) {}
    ~Block() { gpu::release(data); }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    void* data;
};

// A run's scratch memory: the blocks that the first run took, again in the same order.
class KeptScratch : public Scratch {
 public:
    void* take(size_t bytes) override {
        if (next_ == blocks_.size()) blocks_.push_back(std::make_unique<Block>(bytes));
        return blocks_[next_++]->data;
    }
    void begin_run() { next_ = 0; }
    void drop() { blocks_.clear(), next_ = 0; }

 private:
    std::vector<std::unique_ptr<Block>> blocks_;
    size_t next_ = 0;
};

// What asks implementations takes no memory.
struct NoScratch : Scratch {
    void* take(size_t) override { throw Error("choosing among kernels takes no scratch memory"); }
};

// Random numbers of each type on the device, which operands are filled from.
class RandomNumbers {
 public:
    explicit RandomNumbers(gpu::StreamView stream) : stream_(stream) {}
    void fill(void* to, size_t bytes, DType dtype) {
        const size_t block = count * size_of(dtype);
        auto& from = blocks_[dtype];
        if (!from) from = make(dtype);
        for (size_t at = 0; at < bytes; at += block)
            gpu::copy_async(static_cast<char*>(to) + at, from->data, std::min(block, bytes - at), stream_);
    }

 private:
    static constexpr size_t count = 1048573;  // a prime: no two rows or channels are alike
    template <class T>
    std::unique_ptr<Block> upload(const std::vector<T>& values) {
        auto block = std::make_unique<Block>(values.size() * sizeof(T));
        gpu::copy_async(block->data, values.data(), values.size() * sizeof(T), stream_);
        stream_.synchronize();
        return block;
    }
    std::unique_ptr<Block> make(DType dtype) {
        Random random(1);
        std::vector<float> values(count);
        for (float& v : values) v = float(random.uniform()) * 2 - 1;
        if (dtype == DType::f32) return upload(values);
        std::vector<uint16_t> halves(count);
        for (size_t i = 0; i < count; ++i)
            halves[i] = dtype == DType::bf16 ? round_to<bf16>(values[i]).bits : round_to<f16>(values[i]).bits;
        return upload(halves);
    }
    gpu::StreamView stream_;
    std::map<DType, std::unique_ptr<Block>> blocks_;
};

// Memory of twice the size of the L2 cache, which is filled before each run: what a run reads it then fetches from memory.
// Lines of it that wait to be written back are a part of the time.
class CacheSweep {
 public:
    explicit CacheSweep(Device device) : bytes_(2 * gpu::device_info(device.index).l2_bytes), block_(bytes_) {}
    void run(gpu::StreamView stream) const { gpu::fill_bytes_async(block_.data, 0, bytes_, stream); }

 private:
    size_t bytes_;
    Block block_;
};

// Times on the device. Its memory is its own: the training's allocator and its statistics see nothing of it.
class DeviceTimer {
 public:
    explicit DeviceTimer(Device device) : device_(device), stream_(context_of(device).stream()), random_(stream_) {}

    void place(TunableProblem& problem) {
        operands_.clear();
        if (!sweep_) sweep_.emplace(device_);
        problem.place([this](size_t bytes, DType dtype) {
            operands_.push_back(std::make_unique<Block>(bytes));
            random_.fill(operands_.back()->data, bytes, dtype);
            return operands_.back()->data;
        });
    }
    double ms_of(const TunableProblem& problem, const KernelWay& way, double best_ms) {
        struct Drop {
            KeptScratch& scratch;
            ~Drop() { scratch.drop(); }
        } drop{scratch_};
        run(problem, way);  // makes what is made once
        double least = run(problem, way);
        for (int i = 1; i < repetitions && least < 1.5 * best_ms; ++i) least = std::min(least, run(problem, way));
        return least;
    }
    void drop() { operands_.clear(); }

 private:
    double run(const TunableProblem& problem, const KernelWay& way) {
        Queue queue(stream_, scratch_, 1, kernel_choice(), math_mode());
        scratch_.begin_run();
        gpu::Event before, after;
        sweep_->run(stream_);
        before.record(stream_);
        problem.run(queue, way);
        after.record(stream_);
        after.synchronize();
        return double(after.ms_since(before));
    }
    Device device_;
    gpu::StreamView stream_;
    RandomNumbers random_;
    std::optional<CacheSweep> sweep_;
    KeptScratch scratch_;
    std::vector<std::unique_ptr<Block>> operands_;
};

ProblemTimes times_of(const TunableProblem& problem, const std::vector<KernelWay>& ways, const WayTimer& timer) {
    ProblemTimes times{problem.text(), {}};
    double best = std::numeric_limits<double>::infinity();
    for (const KernelWay& way : ways) {
        WayTime t{way};
        try {
            t.ms = timer(problem, way, best);
            best = std::min(best, t.ms);
        } catch (const MemoryError& e) {
            t.failure = e.what();
        } catch (const GpuError& e) {
            t.failure = e.what();
        }
        times.ways.push_back(std::move(t));
    }
    return times;
}

// Null where nothing could be run.
const WayTime* fastest(const ProblemTimes& times) {
    const WayTime* best = nullptr;
    for (const WayTime& t : times.ways)
        if (t.failure.empty() && (!best || t.ms < worth * best->ms)) best = &t;
    return best;
}

class Tuner {
 public:
    Tuner(Device device, const kernels::TunedKernels& known, const TuneOptions& options)
        : known_(known), o_(options), queue_(context_of(device).stream(), none_, 1, kernel_choice(), math_mode()) {
        if (!o_.time) device_timer_.emplace(device);
    }

    TuneResult run(const kernels::ProblemLog& log) {
        const double began = now_s();
        int64_t done = 0;
        for (const auto& problem : log.problems()) {
            ++result_.problems;
            one(*problem, now_s() - began);
            if (o_.progress) o_.progress(++done, int64_t(log.problems().size()));
        }
        result_.seconds = now_s() - began;
        return std::move(result_);
    }

 private:
    void one(TunableProblem& problem, double spent_s) {
        const std::vector<KernelWay> ways = problem.ways(queue_);
        if (ways.size() < 2) return;
        ++result_.with_choice;
        if (const TunedKernel* found = known_.find(problem.text())) {
            ++result_.known;
            return result_.kernels.set(problem.text(), *found);
        }
        if (spent_s > o_.budget_s) return void(++result_.without_time);
        try {
            if (device_timer_) device_timer_->place(problem);
        } catch (const MemoryError&) {
            device_timer_->drop();
            return void(++result_.without_memory);
        }
        ProblemTimes times = times_of(problem, ways, o_.time ? o_.time : on_device());
        if (device_timer_) device_timer_->drop();
        if (const WayTime* best = fastest(times))
            result_.kernels.set(problem.text(), {best->way.implementation, best->way.way, best->ms});
        result_.times.push_back(std::move(times));
    }
    WayTimer on_device() {
        return [this](const TunableProblem& problem, const KernelWay& way, double best_ms) {
            return device_timer_->ms_of(problem, way, best_ms);
        };
    }

    const kernels::TunedKernels& known_;
    const TuneOptions& o_;
    NoScratch none_;
    Queue queue_;
    std::optional<DeviceTimer> device_timer_;
    TuneResult result_;
};

}  // namespace

TuneResult tune(const kernels::ProblemLog& problems, Device device, const kernels::TunedKernels& known,
                const TuneOptions& options) {
    require(device.kind == DeviceKind::gpu, "kernels are tuned on GPUs alone");
    const gpu::DeviceGuard current = context_of(device).guard();
    return Tuner(device, known, options).run(problems);
}

}  // namespace atrous
