// Augmentations are random changes of the training images. Each is a class of its own in data/augment/, and
// augmentation.cpp lists them in the order in which they are applied. A program adds its own with add_augmentation:
//
//     class Invert : public Copied<Invert, Augmentation> {
//      public:
//         Invert() : Copied("invert", name_hash("invert"), Stage::after_crop) {}
//         void describe(Settings& s) override { s.bind("invert", probability_, "probability of a negative").min(0); }
//         bool active() const override { return probability_ > 0; }
//         void apply(Example& sample, Random& random) const override { if (random.chance(probability_)) … }
//
//      private:
//         double probability_ = 0;
//     };
//     add_augmentation(Invert());
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/catalogue.h"
#include "base/philox.h"
#include "base/settings.h"
#include "data/example.h"
#include "data/sample_plan.h"

namespace atrous::data {

// Every random decision about an epoch or a sample of it draws from Random(seed, epoch, sample, stream) with a stream
// of its own, so that switching one on leaves the others as they were. These streams belong to no augmentation:
inline constexpr uint64_t order_stream = 0;  // the order of the samples (sample 0)
inline constexpr uint64_t crop_stream = 2;   // where the crop lies

// The other samples of a training, never of its validation, for augmentations that mix some into one.
class OtherSamples {
 public:
    virtual ~OtherSamples() = default;
    virtual int64_t count() const = 0;  // of which draw() gives one
    // One of them as large as the sample that it is drawn for, resized and cropped by draws of its own. Its labels may be
    // all ignored.
    virtual Example draw(Random& random) = 0;
};

class Augmentation {
 public:
    // Augmentations before the crop resample the image or change its size; those after it keep the crop's size. Between
    // them the crop and parts of other samples are mixed.
    enum class Stage { before_crop, mixing, after_crop };

    virtual ~Augmentation() = default;
    // Binds the fields, whose first values change nothing.
    virtual void describe(Settings& settings) = 0;
    virtual void check() const {}  // UsageError for values that their ranges allow and that make no sense together
    // UsageError for values that do not go with so many classes.
    virtual void check_classes(int64_t classes) const { (void)classes; }
    virtual bool active() const = 0;
    // Several threads may call this at once.
    virtual void apply(Example& sample, Random& random) const = 0;
    // In place of apply, in the stage of mixing.
    virtual void mix(Example& sample, OtherSamples& others, Random& random) const {
        (void)sample, (void)others, (void)random;
    }
    // How a device does the same to images of 8 bits, with the same draws. Without a plan the host augments.
    virtual bool has_plan() const { return false; }
    virtual void plan(SamplePlan& sample, Random& random) const { (void)sample, (void)random; }
    // The setting for which there is no plan, where it is active without one.
    virtual std::string host_setting() const { return name(); }

    virtual std::unique_ptr<Augmentation> copy() const = 0;
    static Catalogue<Augmentation>& catalogue();

    const std::string& name() const { return name_; }
    const uint64_t stream;
    const Stage stage;

 protected:
    Augmentation(std::string name, uint64_t stream, Stage stage)
        : stream(stream), stage(stage), name_(std::move(name)) {}

 private:
    std::string name_;
};

// One of each augmentation with its settings. A copy has settings of its own.
class Augmentations {
 public:
    // Values by the keys of the settings, as one would type them: {{"hflip", "0.5"}, {"scale", "0.5 2"}}. The others
    // change nothing.
    Augmentations(std::initializer_list<std::pair<std::string, std::string>> values = {});

    void set(const std::string& key, const std::string& value);  // UsageError where the setting refuses it
    std::vector<const Augmentation*> all() const;                // in the order of application

    // A random crop is drawn again, up to 10 times, while one class has more than this share of its counted pixels, or none
    // is counted (cat_max_ratio of mmsegmentation).
    double crop_class_share = 1;

 private:
    friend void describe(Settings& settings, Augmentations& augmentations);
    OneOfEach<Augmentation> each_;
};

void describe(Settings& settings, Augmentations& augmentations);
void check(const Augmentations& augmentations);                           // UsageError
void check_classes(const Augmentations& augmentations, int64_t classes);  // UsageError, of those that are active
// Returns the setting of the first active one that only the host can apply; empty: a device can apply all.
std::string without_plan(const Augmentations& augmentations);

void check_stream(const Augmentation& added);  // Error where another decision has its random stream

// Applies it behind the others of its stage. Must be called before there are threads. Throws Error where its name or its
// stream is taken.
template <class A>
void add_augmentation(const A& augmentation) {
    check_stream(augmentation);
    Augmentation::catalogue().add(augmentation);
}

}  // namespace atrous::data
