#include "models/aspp.h"

#include <fmt/core.h>

#include "engine/ops/elementwise.h"
#include "engine/ops/global_pool.h"
#include "engine/ops/resize.h"

namespace atrous {

std::vector<int64_t> default_rates(int output_stride) {
    const int64_t unit = 96 / output_stride;
    return {unit, 2 * unit, 3 * unit};
}

Aspp::Aspp(Module& parent, const std::string& name, const AsppOptions& o) : Module(parent, name) {
    const auto branch = [&](int64_t in, int64_t rate) {  // rate 0: 1x1
        return ConvOptions{.in_channels = in,
                           .out_channels = channels,
                           .kernel = rate ? 3 : 1,
                           .padding = int(rate),
                           .dilation = std::max(1, int(rate)),
                           .bias = o.bias,
                           .init = o.init};
    };
    branches_.push_back(std::make_unique<ConvNormRelu>(convs_, "0", branch(o.in_channels, 0)));
    for (int64_t rate : o.rates) {
        if (rate < 1 || rate > 4096) throw UsageError(fmt::format("atrous rate {}: expected 1 to 4096", rate));
        const std::string index = std::to_string(branches_.size());
        branches_.push_back(std::make_unique<ConvNormRelu>(convs_, index, branch(o.in_channels, rate),
                                                           ConvNormRelu::Form{.separable = o.separable}));
    }
    const std::string last = std::to_string(branches_.size());
    if (o.pooled)
        pooled_ =
            std::make_unique<ConvNormRelu>(convs_, last, branch(o.in_channels, 0), ConvNormRelu::Form{.first = 1});
    const int64_t joined = channels * int64_t(branches_.size() + (o.pooled ? 1 : 0));
    project_ = std::make_unique<ConvNormRelu>(*this, "project", branch(joined, 0));
    drop_ = std::make_unique<Dropout>(*this, "project.3", o.dropout);
}

Tensor Aspp::forward(const Tensor& x) {
    const ModuleScope scope(name());
    const std::vector<int64_t> widths(branches_.size() + (pooled_ ? 1 : 0), channels);
    std::vector<Tensor> parts = reserve_concat(x.dim(0), x.dim(1), x.dim(2), widths, x.dtype(), x.device());
    {
        const ModuleScope inner(convs_.name());
        for (size_t i = 0; i < branches_.size(); ++i) parts[i] = branches_[i]->forward(x, parts[i]);
        if (pooled_)
            parts.back() = bilinear(pooled_->forward(global_average_pool(x)), x.dim(1), x.dim(2), false, parts.back());
    }
    return drop_->forward(project_->forward(concat(parts)));
}

}  // namespace atrous
