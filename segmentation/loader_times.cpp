#include "segmentation/loader_times.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "data/prepare.h"
#include "engine/context.h"
#include "engine/train/batch_inputs.h"

namespace atrous {

using Clock = std::chrono::steady_clock;

static double since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

template <class F>
static double timed(F work) {
    const Clock::time_point start = Clock::now();
    work();
    return since(start);
}

std::vector<std::pair<std::string, double>> LoaderSteps::named() const {
    return {{"read", read},       {"decode image", decode}, {"decode mask", mask}, {"resize", resize},
            {"augment", augment}, {"convert", convert},     {"upload", upload}};
}

// Reading is timed by itself and taken off what reads and decodes: the files are in the system's cache by then.
static void add_decoding(const data::Sample& sample, const data::MaskRule& rule, const data::LoaderOptions& options,
                         data::Example& example, LoaderSteps& steps) {
    const double image = timed([&] { data::read_file(sample.image_path); });
    const double mask = sample.mask ? 0 : timed([&] { data::read_file(sample.mask_path); });
    steps.read += image + mask;
    steps.decode += timed([&] { example = data::decode_image(sample, options); }) - image;
    steps.mask += timed([&] { data::decode_labels(example, sample, rule); }) - mask;
}

// Of one image, by the host or as a plan.
static void add_augmentation(data::Example&& example, const data::LoaderOptions& options, int64_t index,
                             const data::MixedSamples& mixed, HostBatch& batch, LoaderSteps& steps) {
    if (!data::can_be_planned(example, options)) {
        steps.augment += timed([&] { data::finish_augmented(example, options, 0, index, mixed); });
        steps.convert += timed([&] { data::collate({example}, options, batch); });
        return;
    }
    const auto source = std::make_shared<const data::Example>(std::move(example));
    std::vector<data::PlannedSample> planned;
    steps.augment += timed([&] { planned.push_back({source, data::plan_augmented(*source, options, 0, index)}); });
    steps.convert += timed([&] { data::collate(planned, options, batch); });
}

LoaderSteps time_loader_steps(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                              const data::LoaderOptions& options, int64_t images, Device device) {
    LoaderSteps steps;
    HostBatch batch;
    const data::MixedSamples mixed{int64_t(samples.size()),
                                   [&](int64_t i) { return data::decode_sample(samples[size_t(i)], rule, options); }};
    const auto send = [&] {
        const DeviceBatch sent = upload(batch, device, DType::f32);
        context_of(device).synchronize();
    };
    const auto each = [&](auto f) {
        for (int64_t i = 0; i < images; ++i) f(samples[size_t(i) % samples.size()], i);
    };
    each([&](const data::Sample& sample, int64_t) { data::load_sample(sample, rule, options); });
    each([&](const data::Sample& sample, int64_t i) {
        data::Example example;
        add_decoding(sample, rule, options, example, steps);
        steps.resize += timed([&] { data::resize_for_net(example, options); });
        add_augmentation(std::move(example), options, i % int64_t(samples.size()), mixed, batch, steps);
        if (i == 0) send();  // takes memory
        steps.upload += timed(send);
    });
    steps.images = images;
    return steps;
}

double loader_throughput(const std::vector<data::Sample>& samples, const data::MaskRule& rule,
                         const data::LoaderOptions& options, int64_t images, int repetitions) {
    const auto loader = data::make_loader(samples, rule, options);
    HostBatch batch;
    int64_t epoch = 0;
    const auto next = [&] {
        while (!loader->next(batch)) loader->start_epoch(++epoch, 0);
        return batch.n;
    };
    next();
    std::vector<double> rates;
    for (int r = 0; r < repetitions; ++r) {
        int64_t done = 0;
        const double seconds = timed([&] {
            while (done < images) done += next();
        });
        rates.push_back(double(done) / seconds);
    }
    std::nth_element(rates.begin(), rates.begin() + long(rates.size() / 2), rates.end());
    return rates[rates.size() / 2];
}

}  // namespace atrous
