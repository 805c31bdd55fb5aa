#include "benchmarks/harness/counters.h"
#include "benchmarks/harness/step.h"
#include "engine/ops/normalize.h"
#include "engine/optim/weight_average.h"
#include "models/unet.h"

namespace atrous::bench {

static NetConfig small_net() { return unet({.base_channels = 8, .depth = 1}); }

static std::vector<CountedKernel> kernels_of_work(const std::string& what, const std::string& part, DType dtype,
                                                  const std::function<void()>& work) {
    Workload w{what, {}, 1, {}};
    w.request.shapes = {{1, 16, 16, 3}};
    KernelTrace t{std::move(w), part, dtype, "exact", {}, {}, {}};
    t.trace = gpu::record_kernels({}, {.blocks = 0}, work);
    return kernels_of(t);
}

void count_training(Device device, const std::function<void(const std::vector<CountedKernel>&)>& each) {
    StepOptions o;
    o.net = small_net();
    o.size = 16;
    o.batch_size = o.steps = 1;
    o.device = device;
    o.compute = DType::bf16;
    o.graphs = false;
    for (const char* rule : {"adam", "sgd", "rmsprop"}) {
        o.optimizer.rule = rule;
        each(kernels_of_work("training step", rule, o.compute, [&] { measure_step(o); }));
    }
    o.forward_only = true;
    each(kernels_of_work("evaluation", "forward", o.compute, [&] { measure_step(o); }));

    const auto net = make_net(o.net);
    net->materialize({.device = device});
    WeightAverage average(*net);
    each(kernels_of_work("weight average", "add, exchange", DType::f32, [&] {
        average.add();
        average.add();
        average.exchange();
        average.exchange();
    }));
    const Tensor bytes = Tensor::full({1, 16, 16, 3}, DType::u8, device, 7);
    const Tensor levels = Tensor::full({256}, DType::f32, device, 0.5);
    for (const DType dtype : {DType::f32, DType::bf16})
        each(kernels_of_work("normalize bytes", "forward", dtype, [&] { normalize_bytes(bytes, levels, dtype); }));
}

}  // namespace atrous::bench
