// Copy-paste (Ghiasi et al.: Simple copy-paste is a strong data augmentation method for instance segmentation, CVPR 2021):
// all pixels that another sample has of some classes lie over the sample, with their labels. Class masks tell no instances
// apart, so it is all of a class or none. Nothing lies over ignored pixels, as those beyond a letterboxed image are. Edges
// are not blended, which made no difference in the paper.
#pragma once

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.h"
#include "data/augment/parts_of_samples.h"
#include "data/augmentation.h"
#include "data/mask.h"

namespace atrous::data::augment {

class CopyPaste : public Copied<CopyPaste, Augmentation> {
 public:
    CopyPaste() : Copied("copy-paste", 16, Stage::mixing) {}

    void describe(Settings& s) override {
        s.bind("copy-paste", probability_,
               "probability that objects of another training image, all that it has of some classes, lie over an image")
            .min(0)
            .max(1);
        s.bind("copy-paste-classes", classes_,
               "classes of those objects, by id; empty: all but 0, with `multi-label` all")
            .min(0)
            .max(254)
            .only_with("`copy-paste`", [this] { return active(); });
    }
    bool active() const override { return probability_ > 0; }
    void check_classes(int64_t classes) const override {
        for (const int64_t id : classes_)
            if (id >= classes)
                throw UsageError(fmt::format("`copy-paste-classes` {}: expected ids of the {} classes, 0 to {}", id,
                                             classes, classes - 1));
    }
    void apply(Example&, Random&) const override {}

    // Where another sample shows none of the classes, the next one is drawn, up to five.
    void mix(Example& sample, OtherSamples& others, Random& random) const override {
        if (!random.chance(probability_) || others.count() == 0) return;
        const std::array<bool, 256> pasted = pasted_labels(sample.form);
        constexpr int draws = 5;
        for (int i = 0; i < draws; ++i)
            if (paste(others.draw(random), pasted, sample)) return;
    }

 private:
    // Of labels in bits those of which one of the classes is; any but 0 where none is named.
    std::array<bool, 256> pasted_labels(LabelForm form) const {
        std::array<bool, 256> pasted{};
        if (classes_.empty()) std::fill(pasted.begin() + 1, pasted.end(), true);
        for (const int64_t id : classes_)
            for (size_t label = 0; label < pasted.size(); ++label)
                if (form == LabelForm::bits ? label >> id & 1 : label == size_t(id)) pasted[label] = true;
        pasted[ignored_class] = false;
        return pasted;
    }

    static bool paste(const Example& from, const std::array<bool, 256>& pasted, Example& to) {
        if (!are_alike(from, to)) return false;
        bool any = false;
        for (int64_t y = 0; y < to.labels.h; ++y) {
            const uint8_t *row = from.labels.u8.data() + y * from.labels.w,
                          *below = to.labels.u8.data() + y * to.labels.w;
            for (int64_t x = 0, end = 0; x < to.labels.w; x = end + 1) {
                for (end = x; end < to.labels.w && pasted[row[end]] && below[end] != ignored_class;) ++end;
                if (end == x) continue;
                copy_part(from, y, x, to, {y, x, 1, end - x});
                any = true;
            }
        }
        return any;
    }

    double probability_ = 0;
    std::vector<int64_t> classes_ = {};
};

}  // namespace atrous::data::augment
