// Masks that are no file of their own: runs, polygons, a file for each object. They are drawn when they are needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/label_form.h"
#include "data/mask.h"
#include "data/rle.h"

namespace atrous::data {

class MaskSource {
 public:
    virtual ~MaskSource() = default;
    // Class ids, one a pixel, for an image of this size. `where` begins the messages; throws DataError.
    virtual RawMask draw(int64_t h, int64_t w, const std::string& where) const = 0;
    // Changes where what is drawn would; the files of files_of are left out. 0: it is not known.
    virtual uint64_t fingerprint() const { return 0; }
    // The same with labels in bits (mark): where classes overlap, a pixel is of each. Null: it has no classes apart.
    virtual std::shared_ptr<const MaskSource> in_bits() const { return nullptr; }
};

// Makes a pixel one of class `id`: of ids the label is the class. In bits class 1 is bit 0, class 0 none, and what is ignored
// stays so.
inline void mark(uint8_t& label, uint8_t id, LabelForm form) {
    if (form == LabelForm::ids || id == ignored_class)
        label = id;
    else if (label != ignored_class && id > 0)
        label = uint8_t(label | 1 << (id - 1) % 8);
}
void check_bit_class(uint8_t id, const std::string& where);  // DataError for one that has no bit

// One file for each object or each class. A pixel is inside where its value, of a colour the largest channel, is at
// least half of the file's largest; where files overlap, the later one covers, but of labels in bits.
struct MaskFile {
    std::string path;
    uint8_t id = 1;
};
std::shared_ptr<const MaskSource> joined_files(std::vector<MaskFile> files);

// Runs (data/rle.h), several for one image; later ones cover, but of labels in bits.
struct MaskRuns {
    std::string text, where;  // where: the list's file and line
    uint8_t id = 1;
};
std::shared_ptr<const MaskSource> joined_runs(std::vector<MaskRuns> runs, RunOrder order);

// The files that a mask is made of, for whoever looks after files; empty for the others.
std::vector<std::string> files_of(const MaskSource& source);

}  // namespace atrous::data
