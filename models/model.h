// A model says what a net is called, which settings it has, and what it builds. It is described beside its net, which
// catalogue.cpp lists; add_model() adds one from outside the tree:
//
//     class Tiny : public Copied<Tiny, Model> {
//         int64_t layers = 2;
//         std::string name() const override { return "tiny"; }
//         void describe(Settings& s) override { s.bind("tiny-layers", layers, "tiny: convolutions").min(1).max(8); }
//         std::unique_ptr<SegmentationNet> make(const NetConfig& c) const override { … }
//     };
//     add_model(Tiny());      // from now on `model` tiny
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/catalogue.h"
#include "base/settings.h"

namespace atrous {

class SegmentationNet;
struct NetConfig;

class Model {
 public:
    virtual ~Model() = default;
    virtual std::string name() const = 0;
    // The keys of the settings that it shares with other models, of those of models/net_config.cpp.
    virtual std::vector<std::string> takes() const { return {}; }
    // Describes its own settings. A checkpoint keeps them, and a value out of its range is refused there too.
    virtual void describe(Settings&) {}
    // Tells whether its own settings mean something where an encoder is chosen.
    virtual bool own_settings_with_encoder() const { return true; }
    // UsageError for what does not go together. It is called where the model is chosen; the settings hold its own.
    virtual void check(const Settings&) const {}
    // Makes the net from its own settings, and from what the configuration has for every model.
    virtual std::unique_ptr<SegmentationNet> make(const NetConfig&) const = 0;
    virtual std::unique_ptr<Model> copy() const = 0;

    static Catalogue<Model>& catalogue();
};

// Must be called before there are threads; throws Error where the name is taken.
template <class M>
void add_model(const M& model) {
    Model::catalogue().add(model);
}

}  // namespace atrous
