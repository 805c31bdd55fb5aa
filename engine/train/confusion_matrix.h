// Pixels by true and predicted class, of an image or of many.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace atrous {

struct ClassCounts {
    int64_t truth = 0, predicted = 0, intersection = 0;  // pixels
    int64_t all = 0;                                     // pixels of every class
    int64_t both() const { return truth + predicted; }   // 0: the class occurs in neither
};

class ConfusionMatrix {
 public:
    explicit ConfusionMatrix(int64_t classes) : classes_(classes), counts_(size_t(classes * classes)) {}
    ConfusionMatrix(int64_t classes, const int64_t* counts) : ConfusionMatrix(classes) { add(counts); }

    void add(const int64_t* counts);  // [truth][predicted]
    int64_t classes() const { return classes_; }
    int64_t at(int64_t truth, int64_t predicted) const { return counts_[size_t(truth * classes_ + predicted)]; }
    ClassCounts of_class(int64_t c) const;
    int64_t pixels() const { return pixels_; }

 private:
    int64_t classes_, pixels_ = 0;
    std::vector<int64_t> counts_;
};

// Averages over the classes that occur in truth or prediction; NaN where none does. Classes for which `of_class` gives
// NaN are left out.
double mean_over_classes(const ConfusionMatrix& matrix, double (*of_class)(const ClassCounts&));

}  // namespace atrous
