// Pixels by true and predicted class, of an image or of many. Where classes overlap (labels in bits), a pixel may be of
// several: each class has a matrix of its own, of pixels that are of it or not, and between classes there is none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "base/label_form.h"

namespace atrous {

struct ClassCounts {
    int64_t truth = 0, predicted = 0, intersection = 0;  // pixels
    int64_t all = 0;                                     // pixels of every class
    int64_t both() const { return truth + predicted; }   // 0: the class occurs in neither
};

class ConfusionMatrix {
 public:
    explicit ConfusionMatrix(int64_t classes, LabelForm form = LabelForm::ids)
        : form_(form), classes_(classes), counts_(size_t(cells(classes, form))) {}
    ConfusionMatrix(int64_t classes, const int64_t* counts, LabelForm form = LabelForm::ids)
        : ConfusionMatrix(classes, form) {
        add(counts);
    }
    static int64_t cells(int64_t classes, LabelForm form) {
        return form == LabelForm::bits ? 4 * classes : classes * classes;
    }

    // Adds a pixel to counts as add() takes them.
    static void count(int64_t* counts, int64_t classes, LabelForm form, int truth, int predicted);

    void add(const int64_t* counts);  // [truth][predicted], of overlapping classes [class][truth][predicted]
    int64_t classes() const { return classes_; }
    bool overlapping() const { return form_ == LabelForm::bits; }
    bool binary() const { return classes_ == 2 && !overlapping(); }  // class 1 is the object, class 0 the background
    int64_t at(int64_t truth, int64_t predicted) const {
        require(!overlapping(), "a confusion matrix: between classes that overlap there is none");
        return counts_[size_t(truth * classes_ + predicted)];
    }
    ClassCounts of_class(int64_t c) const;
    int64_t pixels() const { return pixels_; }

 private:
    LabelForm form_;
    int64_t classes_, pixels_ = 0;
    std::vector<int64_t> counts_;
};

// Averages over the classes that occur in truth or prediction; NaN where none does. Classes for which `of_class` gives
// NaN are left out.
double mean_over_classes(const ConfusionMatrix& matrix, double (*of_class)(const ClassCounts&));

}  // namespace atrous
