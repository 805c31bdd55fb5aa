#include "models/unet.h"

#include <fmt/core.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/pool.h"
#include "engine/ops/resize.h"

namespace atrous {

// (convolution, batch norm, ReLU) twice.
struct UNet::DoubleConv : Module {
    Group sequence{*this, "double_conv"};
    Conv2d conv1;
    BatchNorm2d norm1;
    Conv2d conv2;
    BatchNorm2d norm2;

    DoubleConv(Module& parent, const std::string& name, int64_t in, int64_t out, int64_t middle)
        : Module(parent, name),
          conv1(sequence, "0", {.in_channels = in, .out_channels = middle, .padding = 1, .bias = false}),
          norm1(sequence, "1", middle),
          conv2(sequence, "3", {.in_channels = middle, .out_channels = out, .padding = 1, .bias = false}),
          norm2(sequence, "4", out) {}

    Tensor forward(const Tensor& x, const Tensor& destination = {}) {
        const ModuleScope scope(name() + ".double_conv");
        const Tensor y = norm1.forward(conv1.forward(x), {.relu = true});
        return norm2.forward(conv2.forward(y), {.relu = true, .destination = destination});
    }
};

struct UNet::Down : Module {
    Group pooled{*this, "maxpool_conv"};
    DoubleConv conv;

    Down(Module& parent, const std::string& name, int64_t in, int64_t out)
        : Module(parent, name), conv(pooled, "1", in, out, out) {}

    Tensor forward(const Tensor& x, const Tensor& destination) {
        const ModuleScope scope(name() + ".maxpool_conv");
        return conv.forward(max_pool(x), destination);
    }
};

struct UNet::Up : Module {
    std::unique_ptr<ConvTranspose2x2> up;  // absent: bilinear
    DoubleConv conv;

    Up(Module& parent, const std::string& name, int64_t in, int64_t out, bool bilinear)
        : Module(parent, name),
          up(bilinear ? nullptr : std::make_unique<ConvTranspose2x2>(*this, "up", in, in / 2)),
          conv(*this, "conv", in, out, bilinear ? in / 2 : out) {}

    // skip and `lower`'s destination lie side by side: the concatenation copies nothing.
    Tensor forward(const Tensor& x, const Tensor& skip, const Tensor& destination) {
        const ModuleScope scope(name());
        const Tensor raised =
            up ? up->forward(x, destination) : bilinear(x, skip.dim(1), skip.dim(2), true, destination);
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

UNet::UNet(const UNetOptions& o) : options_(o) {
    if (o.depth < 1 || o.depth > 8) throw UsageError(fmt::format("U-Net depth {}: expected 1 to 8", o.depth));
    if (o.base_channels < 1 || o.in_channels < 1 || o.out_channels < 1)
        throw UsageError("U-Net: channels must be at least 1");
    const int64_t factor = o.bilinear ? 2 : 1;
    auto width = [&](int level) { return o.base_channels << level; };
    inc_ = std::make_unique<DoubleConv>(*this, "inc", o.in_channels, width(0), width(0));
    for (int level = 1; level <= o.depth; ++level) {
        const int64_t out = level == o.depth ? width(level) / factor : width(level);
        downs_.push_back(std::make_unique<Down>(*this, fmt::format("down{}", level), width(level - 1), out));
    }
    for (int level = o.depth; level >= 1; --level) {
        const int64_t out = level == 1 ? width(0) : width(level - 1) / factor;
        ups_.push_back(
            std::make_unique<Up>(*this, fmt::format("up{}", o.depth - level + 1), width(level), out, o.bilinear));
    }
    outc_ = std::make_unique<OutConv>(*this, "outc", width(0), o.out_channels);
}

UNet::~UNet() = default;

Tensor UNet::forward(const Tensor& x) {
    if (x.dim(1) % input_multiple() || x.dim(2) % input_multiple())
        throw ShapeError(fmt::format("U-Net of depth {}: the input is {}x{}, both must be multiples of {}",
                                     options_.depth, x.dim(1), x.dim(2), input_multiple()));
    // Each level's concatenation [encoder features | raised features] is one block, filled from both sides.
    std::vector<std::vector<Tensor>> levels;
    for (int level = 0; level < options_.depth; ++level) {
        const int64_t width = options_.base_channels << level, widths[] = {width, width};
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
    return outc_->forward(y);
}

}  // namespace atrous
