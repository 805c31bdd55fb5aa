// Times training steps of a U-Net (forward, backward, Adam) on a fixed batch, without a loader: what
// benchmarks/peers/torch_step.py does in PyTorch, with the same weights, data and loss. One JSON line.
//   train_step [base_channels size batch threads steps device precision]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/context.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/loss.h"
#include "engine/optim/optimizer.h"
#include "models/unet.h"
#include "tests/models/hashed.h"

using namespace atrous;

int main(int argc, char** argv) {
    auto argument = [&](int i, const char* otherwise) { return std::string(argc > i ? argv[i] : otherwise); };
    const int64_t base = std::stoll(argument(1, "32")), size = std::stoll(argument(2, "256")),
                  n = std::stoll(argument(3, "4"));
    const int threads = std::stoi(argument(4, "2")), steps = std::stoi(argument(5, "6"));
    const Device device = parse_device(argument(6, "cpu"));
    const DType compute = argument(7, "fp32") == "bf16" ? DType::bf16 : DType::f32;
    context_of(device).set_threads(threads);

    UNet net({.in_channels = 3, .out_channels = 1, .base_channels = base});
    net.materialize({.device = device, .compute = compute});
    set_hashed_weights<float>(net);
    Optimizer optimizer(net, {});
    const auto nchw = hashed("input.step", n * 3 * size * size);
    const auto nhwc = nhwc_of(std::vector<float>(nchw.begin(), nchw.end()), n, 3, size * size);
    Tensor images = Tensor::empty({n, size, size, 3}, DType::f32, device);
    images.copy_from_host(nhwc.data(), images.bytes());
    std::vector<uint8_t> ids;
    for (double u : hashed("labels.step", n * size * size)) ids.push_back(u > 0.95 ? 255 : uint8_t(u >= 0));
    Tensor labels = Tensor::empty({n, size, size, 1}, DType::u8, device);
    labels.copy_from_host(ids.data(), ids.size());
    images = cast(images, compute);

    std::vector<double> seconds, losses;
    for (int step = 0; step <= steps; ++step) {
        const auto began = std::chrono::steady_clock::now();
        net.zero_gradients();
        Tape tape;
        const LossValue loss = bce_dice(net.forward(images), labels);
        tape.backward(loss.loss);
        optimizer.step(1e-4);
        losses.push_back(loss.loss.item());
        context_of(device).synchronize();
        seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
    }
    seconds.erase(seconds.begin());  // the first step makes primitives and takes memory
    std::sort(seconds.begin(), seconds.end());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    std::printf(
        "{\"engine\": \"atrous\", \"device\": \"%s\", \"precision\": \"%s\", \"threads\": %d, \"parameters\": %lld, "
        "\"median_s\": %.4f, \"min_s\": %.4f, \"losses\": [",
        name_of(device).c_str(), name_of(compute), threads, static_cast<long long>(net.parameter_count()),
        seconds[seconds.size() / 2], seconds[0]);
    for (size_t i = 0; i < losses.size(); ++i) std::printf("%s%.6f", i ? ", " : "", losses[i]);
    std::printf("], \"max_rss_mib\": %.1f}\n", double(usage.ru_maxrss) / 1024);
}
