// The readers are fuzzed without nets and ops, whose headers some of them include: one model stands for all, with a
// setting of each kind, and no op is added.
#include "engine/nn/segmentation_net.h"
#include "engine/ops/descriptor.h"
#include "engine/train/losses/boundary.h"
#include "engine/train/losses/lovasz.h"
#include "engine/train/losses/ohem.h"
#include "models/net_config.h"

namespace atrous {

namespace {

class AnyModel : public Copied<AnyModel, Model> {
 public:
    std::string name() const override { return "unet"; }
    void describe(Settings& s) override {
        s.bind("base-channels", base_channels_, "channels").min(1).max(1024);
        s.bind("depth", depth_, "levels").min(1).max(8);
        s.bind("bilinear", bilinear_, "upsampling");
    }
    std::unique_ptr<SegmentationNet> make(const NetConfig&) const override { return nullptr; }

 private:
    int64_t base_channels_ = 64;
    int depth_ = 4;
    bool bilinear_ = false;
};

}  // namespace

Catalogue<Model>& Model::catalogue() {
    static Catalogue<Model> models("model", AnyModel());
    return models;
}

void add_op(OpDescriptor) {}
OpDescriptor describe_bce_dice() { return {}; }
OpDescriptor describe_softmax_loss() { return {}; }
LossFactory lovasz_loss(const kernels::LovaszOptions&) { return {}; }
LossFactory ohem_loss(const kernels::HardPixelOptions&, const std::vector<double>&) { return {}; }
LossFactory boundary_loss(const kernels::BoundaryOptions&) { return {}; }

}  // namespace atrous
