#include "engine/optim/weight_average.h"

#include <algorithm>

#include "engine/context.h"
#include "engine/nn/init.h"
#include "engine/profile.h"

namespace atrous {

namespace k = kernels;

static constexpr int64_t alignment = 64;  // elements from one buffer's average to the next, as parameters lie

// Parameters are averaged as one arena, of the layout of the net's; buffers, which lie apart, in a block of their own.
WeightAverage::WeightAverage(Module& net, double decay) : WeightAverage(net, std::optional(decay)) {}

WeightAverage::WeightAverage(Module& net) : WeightAverage(net, std::nullopt) {}

WeightAverage::WeightAverage(Module& net, std::optional<double> decay) : net_(net), decay_(decay) {
    const ParameterArena& a = net.arena();
    const DType dtype = a.values.dtype();
    int64_t buffer_elements = 0;
    for (const auto& [path, buffer] : net.buffers())
        if (buffer->dtype != DType::i64) buffer_elements += ceil_div(buffer->shape.count(), alignment) * alignment;
    blocks_.push_back(Tensor::full(a.values.shape(), dtype, a.values.device(), 0));
    if (buffer_elements > 0) blocks_.push_back(Tensor::full({buffer_elements}, dtype, a.values.device(), 0));

    for (const auto& [path, parameter] : net.parameters()) {
        sources_.push_back(parameter->value);
        const auto named = std::find_if(a.parameters.begin(), a.parameters.end(),
                                        [p = parameter](const NamedParameter& n) { return n.parameter == p; });
        tensors_.push_back(blocks_[0].part(a.offsets[size_t(named - a.parameters.begin())], parameter->shape));
    }
    int64_t at = 0;
    for (const auto& [path, buffer] : net.buffers()) {
        sources_.push_back(buffer->value);
        tensors_.emplace_back();
        if (buffer->dtype == DType::i64) continue;
        tensors_.back() = blocks_[1].part(at, buffer->shape);
        at += ceil_div(buffer->shape.count(), alignment) * alignment;
    }
    make_chunks();
    restart(0);
}

void WeightAverage::make_chunks() {
    std::vector<k::AveragedChunk> chunks;
    const bool real = net_.arena().values.device().kind != DeviceKind::meta;
    for (size_t i = 0; i < tensors_.size(); ++i) {
        if (!tensors_[i].defined()) continue;
        const int64_t count = tensors_[i].count(), size = int64_t(size_of(tensors_[i].dtype()));
        for (int64_t begin = 0; begin < count; begin += k::optim_chunk_elements) {
            k::AveragedChunk chunk{nullptr, nullptr, std::min<int64_t>(k::optim_chunk_elements, count - begin)};
            if (real) {
                chunk.weights = sources_[i].as<std::byte>() + begin * size;
                chunk.average = tensors_[i].as<std::byte>() + begin * size;
            }
            chunks.push_back(chunk);
        }
        count_ += count;
    }
    chunk_count_ = int64_t(chunks.size());
    chunks_ = Tensor::empty({chunk_count_ * int64_t(sizeof(k::AveragedChunk))}, DType::u8, blocks_[0].device());
    if (real) chunks_.copy_from_host(chunks.data(), chunks_.bytes());
}

k::AveragedWeights WeightAverage::averaged() const {
    return {blocks_[0].dtype(), count_, chunks_.as<k::AveragedChunk>(), chunk_count_};
}

void WeightAverage::update(const k::StepState* state) {
    require(!is_mean() && !exchanged_, "weight average: no step while the net holds the averages");
    const ProfileScope span([&] {  // weights read, averages read and written
        return Span{.name = "weight average",
                    .category = "optimizer",
                    .bytes = 3 * double(count_) * double(size_of(blocks_[0].dtype()))};
    });
    run(blocks_[0].device(), {k::reference::average_weights, k::cpu::average_weights, k::cuda::average_weights},
        k::AverageWeightsArgs{averaged(), state, *decay_});
}

void WeightAverage::add() {
    require(is_mean() && !exchanged_, "weight average: nothing is added while the net holds the averages");
    lacks_statistics_ = true;
    if (added_ == 0) return restart();  // to the bit
    ++added_;
    run(blocks_[0].device(), {k::reference::average_weights, k::cpu::average_weights, k::cuda::average_weights},
        k::AverageWeightsArgs{averaged(), nullptr, 0, 1 / double(added_)});
}

void WeightAverage::restart(int64_t of) {
    require(!exchanged_, "weight average: no restart while the net holds the averages");
    added_ = of;
    for (size_t i = 0; i < tensors_.size(); ++i)
        if (tensors_[i].defined()) tensors_[i].copy_from(sources_[i]);
}

void WeightAverage::exchange() {
    run(blocks_[0].device(), {k::reference::exchange_weights, k::cpu::exchange_weights, k::cuda::exchange_weights},
        k::ExchangeWeightsArgs{averaged()});
    exchanged_ = !exchanged_;
    refresh_halves(net_.arena());
}

static void give_back(WeightAverage* average) {
    try {
        if (average && average->exchanged()) average->exchange();
    } catch (...) {  // the device failed, and whoever uses the net next is told
    }
}

WithAveragedWeights::WithAveragedWeights(WeightAverage* average) : average_(average) {
    if (!average_) return;
    require(!average_->exchanged(), "averaged weights: the net holds them already");
    try {
        average_->exchange();
    } catch (...) {  // perhaps between the exchange and what follows from it; no destructor will run
        give_back(average_);
        throw;
    }
}

WithAveragedWeights::~WithAveragedWeights() { give_back(average_); }

}  // namespace atrous
