#include "data/loader.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.h"
#include "base/philox.h"
#include "data/prepare.h"

namespace atrous::data {

namespace {

class Loader : public BatchSource {
 public:
    Loader(std::vector<Sample> samples, MaskRule rule, const LoaderOptions& options);
    ~Loader() override;

    int64_t samples() const override { return int64_t(samples_.size()); }
    int64_t batches_per_epoch() const override { return batches_; }
    void start_epoch(int64_t epoch, int64_t first_batch) override;
    bool next(HostBatch& batch) override;
    std::optional<LabelPlace> find_label(int64_t index, uint8_t label) const override;

 private:
    // A sample that is ready, or whose changes are left to the device.
    struct Part {
        Example example;
        std::optional<PlannedSample> planned;
    };
    // A batch being made. Its samples are tasks of their own; whoever finishes the last one assembles the batch.
    struct InFlight {
        int64_t number = 0, first = 0, left = 0;
        std::vector<Part> parts;
        std::vector<std::exception_ptr> errors;
        HostBatch batch;
        bool ready = false;
    };
    struct Task {
        InFlight* target;
        int64_t slot;
    };

    std::pair<int64_t, int64_t> range_of(int64_t number) const;
    void schedule(InFlight& slot, int64_t number);  // with the mutex held
    void work();
    void run(Task task, std::unique_lock<std::mutex>& lock);
    std::shared_ptr<const Example> cached(int64_t index);
    template <class Make>
    void keep(int64_t index, const Example& sample, Make shared);
    Part finished(Example sample, int64_t index);
    std::shared_ptr<const Example> source_of(int64_t index);
    void augment(Example& sample, int64_t index);
    Part prepare(int64_t index);
    void assemble(InFlight& target);
    void finish(InFlight& target);
    void shuffle();

    const std::vector<Sample> samples_;
    const MaskRule rule_;
    const LoaderOptions options_;
    int64_t batches_ = 0, epoch_ = 0, next_batch_ = 0, scheduled_ = 0;
    std::vector<int64_t> order_;

    std::mutex mutex_;
    std::condition_variable has_task_, has_batch_;
    std::deque<Task> tasks_;
    std::vector<std::unique_ptr<InFlight>> ring_;  // batch b of the epoch is made in ring_[b % size]
    int64_t running_ = 0;
    bool stop_ = false;

    std::mutex cache_mutex_;
    std::vector<std::shared_ptr<const Example>> cache_;
    int64_t cached_bytes_ = 0;
    std::vector<std::thread> workers_;  // last: they use everything above
};

void check_options(const LoaderOptions& o, size_t samples) {
    const auto refuse = [](const std::string& text) { throw UsageError(text); };
    if (samples == 0) throw DataError("the loader has no samples");
    if (o.batch_size < 1) refuse(fmt::format("`batch-size` {} is not positive", o.batch_size));
    if ((o.resize_h > 0) != (o.resize_w > 0) || (o.crop_h > 0) != (o.crop_w > 0))
        refuse("a size needs both its height and its width");
    if (o.size_multiple < 1) refuse("the size multiple must be at least 1");
    if (o.channels < 1 || o.channels > max_channels)
        refuse(fmt::format("`channels` {}: images have 1 to {}", o.channels, max_channels));
    check(o.augmentations);
    if (o.last == LastBatch::drop && int64_t(samples) < o.batch_size)
        refuse(fmt::format("{} samples make no full batch of {}, and partial ones are dropped; lower `batch-size`",
                           samples, o.batch_size));
}

Loader::Loader(std::vector<Sample> samples, MaskRule rule, const LoaderOptions& options)
    : samples_(std::move(samples)), rule_(std::move(rule)), options_(options) {
    check_options(options_, samples_.size());
    const int64_t full = this->samples() / options_.batch_size;
    const bool partial = this->samples() % options_.batch_size != 0;
    batches_ = options_.last == LastBatch::keep ? full + partial : std::max<int64_t>(full, 1);
    order_.resize(samples_.size());
    cache_.resize(samples_.size());
    const int64_t depth = options_.workers > 0 ? std::max(1, options_.prefetch) : 1;
    for (int64_t i = 0; i < depth; ++i) ring_.push_back(std::make_unique<InFlight>());
    start_epoch(0, 0);
    for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { work(); });
}

Loader::~Loader() {
    {
        const std::lock_guard lock(mutex_);
        stop_ = true;
    }
    has_task_.notify_all();
    for (auto& worker : workers_) worker.join();
}

std::pair<int64_t, int64_t> Loader::range_of(int64_t number) const {
    const int64_t first = number * options_.batch_size;
    const bool to_the_end = number + 1 == batches_ && options_.last != LastBatch::drop;
    return {first, to_the_end ? samples() : first + options_.batch_size};
}

void Loader::shuffle() {
    for (size_t i = 0; i < order_.size(); ++i) order_[i] = int64_t(i);
    if (!options_.shuffle) return;
    Random random(options_.seed, uint64_t(epoch_), 0, order_stream);
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
}

void Loader::start_epoch(int64_t epoch, int64_t first_batch) {
    require(epoch >= 0 && first_batch >= 0 && first_batch <= batches_, "start_epoch: a batch of the epoch");
    std::unique_lock lock(mutex_);
    tasks_.clear();
    has_batch_.wait(lock, [&] { return running_ == 0; });
    epoch_ = epoch;
    next_batch_ = scheduled_ = first_batch;
    shuffle();
    for (size_t i = 0; i < ring_.size() && scheduled_ < batches_; ++i) {
        schedule(*ring_[size_t(scheduled_) % ring_.size()], scheduled_);
        ++scheduled_;
    }
}

void Loader::schedule(InFlight& slot, int64_t number) {
    const auto [first, last] = range_of(number);
    slot.number = number;
    slot.first = first;
    slot.left = last - first;
    slot.parts.clear();
    slot.parts.resize(size_t(slot.left));
    slot.errors.assign(size_t(slot.left) + 1, nullptr);
    slot.ready = false;
    for (int64_t i = 0; i < slot.left; ++i) tasks_.push_back({&slot, i});
    has_task_.notify_all();
}

void Loader::work() {
    std::unique_lock lock(mutex_);
    for (;;) {
        has_task_.wait(lock, [&] { return stop_ || !tasks_.empty(); });
        if (stop_) return;
        const Task task = tasks_.front();
        tasks_.pop_front();
        run(task, lock);
    }
}

// Entered and left with the lock held.
void Loader::run(Task task, std::unique_lock<std::mutex>& lock) {
    InFlight& target = *task.target;
    const int64_t index = order_[size_t(target.first + task.slot)];
    ++running_;
    lock.unlock();
    try {
        target.parts[size_t(task.slot)] = prepare(index);
    } catch (...) {
        target.errors[size_t(task.slot)] = std::current_exception();
    }
    lock.lock();
    if (--target.left == 0) {
        lock.unlock();
        finish(target);
        lock.lock();
        target.ready = true;
    }
    --running_;
    has_batch_.notify_all();
}

std::shared_ptr<const Example> Loader::cached(int64_t index) {
    if (options_.cache_bytes == 0) return nullptr;
    const std::lock_guard lock(cache_mutex_);
    return cache_[size_t(index)];
}

// As long as there is room.
template <class Make>
void Loader::keep(int64_t index, const Example& sample, Make shared) {
    if (options_.cache_bytes == 0) return;
    const int64_t bytes = sample.image.bytes() + sample.labels.bytes();
    const std::lock_guard lock(cache_mutex_);
    if (cache_[size_t(index)] || cached_bytes_ + bytes > options_.cache_bytes) return;
    cache_[size_t(index)] = shared();
    cached_bytes_ += bytes;
}

// Decoded and resized.
std::shared_ptr<const Example> Loader::source_of(int64_t index) {
    std::shared_ptr<const Example> source = cached(index);
    if (source) return source;
    source = std::make_shared<const Example>(decode_sample(samples_[size_t(index)], rule_, options_));
    keep(index, *source, [&] { return source; });
    return source;
}

void Loader::augment(Example& sample, int64_t index) {
    const MixedSamples all{samples(), [this](int64_t other) { return *source_of(other); }};
    finish_augmented(sample, options_, epoch_, index, all);
}

Loader::Part Loader::finished(Example sample, int64_t index) {
    if (options_.augment)
        augment(sample, index);
    else
        finish_plain(sample, options_);
    return {std::move(sample), {}};
}

Loader::Part Loader::prepare(int64_t index) {
    std::shared_ptr<const Example> source = cached(index);
    if (!source) {
        Example decoded = decode_sample(samples_[size_t(index)], rule_, options_);
        if (!can_be_planned(decoded, options_)) {
            keep(index, decoded, [&] { return std::make_shared<const Example>(decoded); });
            return finished(std::move(decoded), index);
        }
        source = std::make_shared<const Example>(std::move(decoded));
        keep(index, *source, [&] { return source; });
    }
    if (!can_be_planned(*source, options_)) return finished(*source, index);
    return {{}, PlannedSample{source, plan_augmented(*source, options_, epoch_, index)}};
}

// A batch is of plans or of images: one image that cannot be planned lets the host augment its batch.
void Loader::assemble(InFlight& target) {
    const bool planned =
        std::all_of(target.parts.begin(), target.parts.end(), [](const Part& p) { return p.planned.has_value(); });
    if (planned) {
        std::vector<PlannedSample> samples;
        for (Part& part : target.parts) samples.push_back(std::move(*part.planned));
        return collate(samples, options_, target.batch);
    }
    std::vector<Example> samples;
    for (size_t i = 0; i < target.parts.size(); ++i) {
        Part& part = target.parts[i];
        if (part.planned) {
            part.example = *part.planned->source;
            augment(part.example, order_[size_t(target.first) + i]);
        }
        samples.push_back(std::move(part.example));
    }
    collate(samples, options_, target.batch);
}

void Loader::finish(InFlight& target) {
    const bool failed = std::any_of(target.errors.begin(), target.errors.end(), [](const auto& e) { return bool(e); });
    if (failed) return;
    try {
        assemble(target);
        target.batch.names.clear();
        target.batch.indices.clear();
        for (size_t i = 0; i < target.parts.size(); ++i) {
            const int64_t index = order_[size_t(target.first) + i];
            target.batch.names.push_back(samples_[size_t(index)].name);
            target.batch.indices.push_back(index);
        }
    } catch (...) {
        target.errors.back() = std::current_exception();
    }
}

bool Loader::next(HostBatch& batch) {
    std::unique_lock lock(mutex_);
    if (next_batch_ == batches_) return false;
    InFlight& slot = *ring_[size_t(next_batch_) % ring_.size()];
    while (workers_.empty() && !tasks_.empty()) {
        const Task task = tasks_.front();
        tasks_.pop_front();
        run(task, lock);
    }
    has_batch_.wait(lock, [&] { return slot.ready; });
    ++next_batch_;
    const auto failed = std::find_if(slot.errors.begin(), slot.errors.end(), [](const auto& e) { return bool(e); });
    const std::exception_ptr error = failed == slot.errors.end() ? nullptr : *failed;
    if (!error) std::swap(batch, slot.batch);
    if (scheduled_ < batches_) {
        schedule(slot, scheduled_);
        ++scheduled_;
    }
    if (error) std::rethrow_exception(error);
    return true;
}

static bool mixes_samples(const Augmentations& augmentations) {
    for (const Augmentation* a : augmentations.all())
        if (a->stage == Augmentation::Stage::mixing && a->active()) return true;
    return false;
}

std::optional<LabelPlace> Loader::find_label(int64_t index, uint8_t label) const {
    const Sample& sample = samples_.at(size_t(index));
    if (sample.mask_path.empty()) return std::nullopt;
    try {
        const Example example = decode_image(sample, options_);
        const RawMask mask = load_mask(sample, example.source_h, example.source_w);
        for (const RawValue& v : raw_values(mask, rule_))
            if (rule_.class_of(v.value) == label) return LabelPlace{sample.mask_path, v.x, v.y, text_of_value(v.value)};
    } catch (const Error&) {  // the file is another one by now
    }
    return LabelPlace{.file = sample.mask_path, .mixed = options_.augment && mixes_samples(options_.augmentations)};
}

}  // namespace

std::unique_ptr<BatchSource> make_loader(std::vector<Sample> samples, MaskRule rule, const LoaderOptions& options) {
    return std::make_unique<Loader>(std::move(samples), std::move(rule), options);
}

}  // namespace atrous::data
