#include "models/unet.h"

#include <fmt/core.h>

#include "engine/ops/activation.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"
#include "models/encoder_unet.h"

namespace atrous {

// (convolution, batch norm, ReLU) twice; without batch norm (convolution, ReLU) twice.
struct UNet::DoubleConv : Module {
    Group sequence{*this, "double_conv"};
    Conv2d conv1;
    std::unique_ptr<BatchNorm2d> norm1;
    Conv2d conv2;
    std::unique_ptr<BatchNorm2d> norm2;

    DoubleConv(Module& parent, const std::string& name, const UNetOptions& o, int64_t in, int64_t middle, int64_t out)
        : Module(parent, name),
          conv1(sequence, "0", convolution(o, in, middle)),
          norm1(norm_of(o, "1", middle)),
          conv2(sequence, o.batch_norm ? "3" : "2", convolution(o, middle, out)),
          norm2(norm_of(o, "4", out)) {}

    Tensor forward(const Tensor& x, const Tensor& destination = {}) {
        const ModuleScope scope(name() + ".double_conv");
        return activated(norm2.get(), conv2, activated(norm1.get(), conv1, x, {}), destination);
    }

 private:
    static ConvOptions convolution(const UNetOptions& o, int64_t in, int64_t out) {
        return {
            .in_channels = in, .out_channels = out, .kernel = o.kernel, .padding = o.kernel / 2, .bias = !o.batch_norm};
    }
    std::unique_ptr<BatchNorm2d> norm_of(const UNetOptions& o, const char* name, int64_t channels) {
        return o.batch_norm ? std::make_unique<BatchNorm2d>(sequence, name, channels) : nullptr;
    }
    static Tensor activated(BatchNorm2d* norm, Conv2d& conv, const Tensor& x, const Tensor& destination) {
        return norm ? normalized(*norm, conv, x, {.relu = true, .destination = destination})
                    : relu(conv.forward(x), destination);
    }
};

struct UNet::Down : Module {
    Group pooled{*this, "maxpool_conv"};
    DoubleConv conv;

    Down(Module& parent, const std::string& name, const UNetOptions& o, int64_t in, int64_t out)
        : Module(parent, name), conv(pooled, "1", o, in, out, out) {}

    Tensor forward(const Tensor& x, const Tensor& destination) {
        const ModuleScope scope(name() + ".maxpool_conv");
        return conv.forward(max_pool(x), destination);
    }
};

struct UNet::Up : Module {
    bool align_corners;
    std::unique_ptr<ConvTranspose2x2> up;  // absent: bilinear
    DoubleConv conv;

    // `lower` channels come from below, `skip` from the encoder.
    Up(Module& parent, const std::string& name, const UNetOptions& o, int64_t lower, int64_t skip, int64_t out)
        : Module(parent, name),
          align_corners(o.align_corners),
          up(o.bilinear ? nullptr : std::make_unique<ConvTranspose2x2>(*this, "up", lower, lower / 2)),
          conv(*this, "conv", o, skip + (o.bilinear ? lower : lower / 2), o.bilinear ? skip : out, out) {}

    // skip and `destination` lie side by side: the concatenation copies nothing.
    Tensor forward(const Tensor& x, const Tensor& skip, const Tensor& destination) {
        const ModuleScope scope(name());
        const Tensor raised =
            up ? up->forward(x, destination) : bilinear(x, skip.dim(1), skip.dim(2), align_corners, destination);
        return conv.forward(concat(skip, raised));
    }
};

struct UNet::OutConv : Module {
    Conv2d conv;
    OutConv(Module& parent, const std::string& name, int64_t in, int64_t out)
        : Module(parent, name), conv(*this, "conv", {.in_channels = in, .out_channels = out, .kernel = 1}) {}
    Tensor forward(const Tensor& x) {
        const ModuleScope scope(name());
        return conv.forward(x);
    }
};

static void check(const UNetOptions& o) {
    if (o.depth < 1 || o.depth > 8) throw UsageError(fmt::format("U-Net depth {}: expected 1 to 8", o.depth));
    if (o.base_channels < 1 || o.in_channels < 1 || o.out_channels < 1)
        throw UsageError("U-Net: channels must be at least 1");
    if (o.kernel < 1 || o.kernel % 2 == 0)
        throw UsageError(fmt::format("U-Net: a {0}x{0} kernel; expected an odd size, such as 3 or 5", o.kernel));
}

UNet::UNet(const UNetOptions& o) : options_(o) {
    check(o);
    const int64_t narrowing = o.bilinear && !o.full_width ? 2 : 1;
    auto width = [&](int level) { return o.base_channels << level; };
    inc_ = std::make_unique<DoubleConv>(*this, "inc", o, o.in_channels, width(0), width(0));
    for (int level = 1; level <= o.depth; ++level) {
        const int64_t out = level == o.depth ? width(level) / narrowing : width(level);
        downs_.push_back(std::make_unique<Down>(*this, fmt::format("down{}", level), o, width(level - 1), out));
    }
    int64_t lower = width(o.depth) / narrowing;
    for (int level = o.depth; level >= 1; --level) {
        const int64_t skip = width(level - 1), out = level == 1 ? skip : skip / narrowing;
        const std::string name = fmt::format("up{}", o.depth - level + 1);
        ups_.push_back(std::make_unique<Up>(*this, name, o, lower, skip, out));
        lower = out;
    }
    outc_ = std::make_unique<OutConv>(*this, "outc", width(0), o.out_channels);
}

UNet::~UNet() = default;

NetOutputs UNet::compute(const Tensor& x, bool) {
    // Each level's concatenation [encoder features | raised features] is one block, filled from both sides.
    std::vector<std::vector<Tensor>> levels;
    for (int level = 0; level < options_.depth; ++level) {
        const int64_t skip = options_.base_channels << level,
                      raised = options_.bilinear && options_.full_width ? 2 * skip : skip, widths[] = {skip, raised};
        levels.push_back(reserve_concat(x.dim(0), x.dim(1) >> level, x.dim(2) >> level, widths, x.dtype(), x.device()));
    }
    std::vector<Tensor> skips{inc_->forward(x, levels[0][0])};
    for (size_t level = 1; level < levels.size(); ++level)
        skips.push_back(downs_[level - 1]->forward(skips.back(), levels[level][0]));
    Tensor y = downs_.back()->forward(skips.back(), {});
    for (size_t i = 0; i < ups_.size(); ++i) {
        const size_t level = levels.size() - 1 - i;
        y = ups_[i]->forward(y, skips[level], levels[level][1]);
        skips[level] = Tensor();
        levels[level].clear();
    }
    return {outc_->forward(y), {}};
}

void UNetModel::describe(Settings& s) {
    const auto fixed = [](auto& setting) -> auto& { return setting.when_resumed(Resume::fixed); };
    fixed(s.bind("base-channels", options.base_channels, "unet: channels of the first level")).min(1).max(1024);
    fixed(s.bind("depth", options.depth, "unet: times the resolution is halved")).min(1).max(8);
    fixed(s.bind("kernel", options.kernel, "unet: size of the convolutions, odd")).min(1).max(15);
    fixed(s.bind("bilinear", options.bilinear, "unet: bilinear upsampling in place of transposed convolution"));
    fixed(s.bind("align-corners", options.align_corners,
                 "unet: corners aligned in bilinear upsampling (`no-align-corners`: pixel centres)"));
    fixed(s.bind("full-width", options.full_width, "unet, bilinear: all channels in deep levels, where half is usual"));
    fixed(s.bind("batch-norm", options.batch_norm, "unet: batch norm (`no-batch-norm`: biases instead)"));
}

void UNetModel::check(const Settings& settings) const {
    for (const char* key : {"align-corners", "full-width"})
        if (!options.bilinear && settings.at(key).origin == Origin::flag)
            throw UsageError(fmt::format("`{}` means nothing without `bilinear`", key));
}

std::unique_ptr<SegmentationNet> UNetModel::make(const NetConfig& c) const {
    if (!c.encoder.empty()) return std::make_unique<EncoderUNet>(c.encoder, c.in_channels, c.out_channels);
    UNetOptions o = options;
    o.in_channels = c.in_channels;
    o.out_channels = c.out_channels;
    return std::make_unique<UNet>(o);
}

NetConfig unet(const UNetOptions& options) {
    NetConfig c{.model = "unet", .in_channels = options.in_channels, .out_channels = options.out_channels};
    c.models.of<UNetModel>("unet").options = options;
    return c;
}

}  // namespace atrous
