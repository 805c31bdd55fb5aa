// Augmentations are random changes of the training images. Each is a class of its own in data/augment/, and
// augmentation.cpp lists them in the order in which they are applied. A program adds its own with add_augmentation:
//
//     class Invert : public Augmentation {
//      public:
//         Invert() : Augmentation("invert", name_hash("invert"), Stage::after_crop) {}
//         std::unique_ptr<Augmentation> clone() const override { return std::make_unique<Invert>(*this); }
//         void describe(Settings& s) override { s.bind("invert", probability_, "probability of a negative").min(0); }
//         bool active() const override { return probability_ > 0; }
//         void apply(Example& sample, Random& random) const override { if (random.chance(probability_)) … }
//
//      private:
//         double probability_ = 0;
//     };
//     add_augmentation(std::make_unique<Invert>());
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "base/settings.h"
#include "data/example.h"

namespace atrous::data {

// Every random decision about an epoch or a sample of it draws from Random(seed, epoch, sample, stream) with a stream
// of its own, so that switching one on leaves the others as they were. These streams belong to no augmentation:
inline constexpr uint64_t order_stream = 0;  // the order of the samples (sample 0)
inline constexpr uint64_t crop_stream = 2;   // where the crop lies

class Augmentation {
 public:
    // Augmentations before the crop resample the image or change its size; those after it keep the crop's size.
    enum class Stage { before_crop, after_crop };

    virtual ~Augmentation() = default;
    virtual std::unique_ptr<Augmentation> clone() const = 0;
    // Binds the fields, whose first values change nothing.
    virtual void describe(Settings& settings) = 0;
    virtual void check() const {}  // UsageError for values that their ranges allow and that make no sense together
    virtual bool active() const = 0;
    // Several threads may call this at once.
    virtual void apply(Example& sample, Random& random) const = 0;

    const std::string name;  // for messages
    const uint64_t stream;
    const Stage stage;

 protected:
    Augmentation(std::string name, uint64_t stream, Stage stage)
        : name(std::move(name)), stream(stream), stage(stage) {}
};

// One of each augmentation with its settings, in the order of application. A copy has settings of its own.
class Augmentations {
 public:
    // Values by the keys of the settings, as one would type them: {{"hflip", "0.5"}, {"scale", "0.5 2"}}. The others
    // change nothing.
    Augmentations(std::initializer_list<std::pair<std::string, std::string>> values = {});
    Augmentations(const Augmentations& other);
    Augmentations(Augmentations&&) noexcept = default;
    Augmentations& operator=(Augmentations other) noexcept;

    void set(const std::string& key, const std::string& value);  // UsageError where the setting refuses it
    const std::vector<std::unique_ptr<Augmentation>>& all() const { return all_; }

 private:
    std::vector<std::unique_ptr<Augmentation>> all_;
};

void describe(Settings& settings, Augmentations& augmentations);
void check(const Augmentations& augmentations);  // UsageError

// Adds it to every Augmentations made from now on, behind the others of its stage. Must be called before there are
// threads. Throws Error where its stream is taken.
void add_augmentation(std::unique_ptr<Augmentation> augmentation);

}  // namespace atrous::data
