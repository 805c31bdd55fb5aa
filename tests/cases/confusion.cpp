#include "tests/cases/tested.h"

namespace atrous::cases {

static Tested confusion_case(const std::string& label, const Shape& logits, double threshold = 0,
                             int ignore_index = 255, int classes = 0, LabelForm form = LabelForm::ids,
                             double threshold_step = 0) {
    Tested c("confusion", label,
             {.shapes = {logits},
              .numbers = {{"threshold", threshold},
                          {"ignore_index", double(ignore_index)},
                          {"label_form", double(form)},
                          {"threshold_step", threshold_step}}});
    if (classes) c.inputs[1].classes = classes;
    c.exact = true;  // small integers tie: the first maximum is predicted
    return c;
}

static const Family family("confusion", [] {
    return std::vector<Tested>{confusion_case("one_pixel", {1, 1, 1, 1}),
                               confusion_case("binary", {2, 5, 7, 1}),
                               confusion_case("binary_threshold", {2, 9, 7, 1}, 0.5),
                               confusion_case("binary_nothing_ignored", {1, 9, 7, 1}, 0, -1),
                               confusion_case("binary_labels_above_one", {1, 9, 7, 1}, 0, 255, 4),
                               confusion_case("two_logits", {2, 11, 3, 2}),
                               confusion_case("classes", {2, 13, 11, 5}),
                               confusion_case("classes_ignore_one", {1, 13, 11, 5}, 0, 3),
                               confusion_case("labels_out_of_range", {1, 13, 11, 5}, 0, 255, 9),
                               confusion_case("many_classes", {1, 17, 23, 21}),
                               confusion_case("bits_one", {1, 9, 7, 1}, 0, 255, 0, LabelForm::bits),
                               confusion_case("bits", {2, 13, 11, 5}, 0.5, 255, 0, LabelForm::bits),
                               confusion_case("bits_by_class", {2, 13, 11, 7}, -0.9, 255, 0, LabelForm::bits, 0.3),
                               confusion_case("bits_all_count", {2, 13, 11, 3}, 0, -1, 0, LabelForm::bits),
                               confusion_case("bits_most", {2, 67, 41, 7}, 0, 255, 0, LabelForm::bits),
                               confusion_case("many_pixels", {2, 67, 41, 3})};
});

}  // namespace atrous::cases
