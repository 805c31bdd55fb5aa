// Masks: what a file holds, and the explicit rule that turns it into class ids.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/label_form.h"
#include "data/image.h"

namespace atrous::data {

inline constexpr int ignored_class = 255;  // pixels of this class count neither in the loss nor in the metrics
inline constexpr int max_classes = 255;

// A value of a mask: palette index or gray value, or colour_flag | 0xrrggbb for a mask in colour.
inline constexpr uint32_t colour_flag = 1u << 24;

struct RawMask {
    Image image;                // one channel, or three where at least one pixel is not gray; alpha is dropped
    Palette palette;            // where the file has one: image holds indices into it
    bool alpha_varies = false;  // of the alpha that was dropped
    uint32_t value(int64_t pixel) const;
    uint32_t colour(int64_t pixel) const;  // as colour_flag | 0xrrggbb: through the palette, or gray repeated
};

// Of rows of a mask from `first_row` and `first_column` on, as its codec gives them raw (data/codecs.h); `path` and the place
// are for messages. DataError for what is no mask.
RawMask mask_of_rows(Image rows, Palette palette, const std::string& path, int64_t first_row, int64_t first_column = 0);

// Palette PNG and GIF give the index, gray files the value (unscaled for fewer than 8 bits), others the colour.
RawMask load_mask(const std::string& path);

enum class MaskKind { automatic, ids, binary, values, colours, bits };

// Raw values to class ids. Text form (parse_mask_rule), as a user gives it to `mask-values`:
//   auto                   decided from all masks of the data set, and reported
//   ids                    the value is the class, 255 is ignored; "ids,11=ignore" adds exceptions
//   ids-from-1             the value less 1 is the class, 0 and 255 are ignored (ADE20K)
//   bits                   bit c of the value is set where the pixel is of class c, 255 is ignored (multi-label)
//   binary, binary:128     1 where the value is not 0, or at least 128 (anti-aliased and JPEG masks)
//   0  or  3,7             the listed values are classes 1, 2, …; everything else is background
//   0=1,255=0,128=ignore   exactly these, anything else is an error; "*=0" stands for the rest
//   #402020,#ff0000        colours are classes 0, 1, … in this order; also "#402020=0,#000000=ignore"
//   #402020,#ff0000,within=48   colours no further from one of these, in any channel, are taken for the nearest
struct MaskRule {
    MaskKind kind = MaskKind::automatic;
    int threshold = 1;                // binary
    int first_id = 0;                 // ids: the value that is class 0; those below are ignored
    int within = 0;                   // colours: how far one may be from a listed one
    std::map<uint32_t, int> classes;  // value or colour to class
    int otherwise = -1;               // class of a value that is not in `classes`; -1: refused
    int class_count = 0;              // 0: not known

    int class_of(uint32_t value) const;  // its label: the class, of bits all of them; -1: the value is not allowed
    bool allows(int label) const;        // whether a net of class_count classes has it, or it is ignored
    std::vector<int> classes_of(int label) const;  // that a pixel of this label is of; none where it is ignored
    std::string describe() const;                  // one line for people: what maps to what
    std::string allowed() const;                   // for messages: which values are
    LabelForm form() const { return kind == MaskKind::bits ? LabelForm::bits : LabelForm::ids; }
    bool by_colour() const { return kind == MaskKind::colours; }
};

MaskRule parse_mask_rule(const std::string& text);
std::string text_of(const MaskRule& rule);  // which parse_mask_rule takes; the class count is not in it

// One distinct value of a mask, how often it comes and where first.
struct RawValue {
    uint32_t value = 0;
    int64_t count = 0;
    int32_t x = 0, y = 0;
    uint32_t colour = 0;  // RawMask::colour
    uint16_t width = 0;   // the side of the largest square that it fills; 0: not known
};
// Returns values in ascending order. With `auto` these are the first `limit` values, and others are not counted; more
// mean no classes. With a definite rule there is one value for each class that occurs, and for what is not allowed the
// first, with the count of all pixels alike. Widths are not known.
std::vector<RawValue> raw_values(const RawMask& mask, const MaskRule& rule, size_t limit = 4096);

// The same for a definite rule from all values of a mask, as `auto` gives them. A class is as wide as the widest of its
// values.
std::vector<RawValue> raw_values(const std::vector<RawValue>& all, const MaskRule& rule);

// Finds the widths of all values of a mask.
void measure_widths(const RawMask& mask, std::vector<RawValue>& values);

// Turns `auto` into a definite rule from the values of all masks of a set; `example` is a mask's path for messages and
// `class_count` is 0 where the number of classes is not known. Other rules only get their class_count.
// `named_classes` is how many classes the set has names for, 0 where it has none: they count where the ids leave room.
MaskRule resolve_mask_rule(const MaskRule& rule, const std::vector<RawValue>& values, const std::string& example,
                           int class_count = 0, int named_classes = 0);

// The largest number of a mask of instance ids: its values are 0 and at least two thirds of 1 to n (what others cover is
// absent), and the pixels of each are connected (to eight neighbours). Returns -1 where it does not look so.
int64_t count_instances(const RawMask& mask, const std::vector<RawValue>& values);

// Class ids, one a pixel. Throws DataError with file, position, value and what is allowed. `first_row` and `first_column`: the
// file's that the mask begins with.
Image apply_mask_rule(const MaskRule& rule, const RawMask& mask, const std::string& path, int64_t first_row = 0,
                      int64_t first_column = 0);
[[noreturn]] void refuse_mask_value(const MaskRule& rule, const RawValue& value, const std::string& path);

std::string text_of_value(uint32_t value);  // "17" or "#80ff00"

}  // namespace atrous::data
