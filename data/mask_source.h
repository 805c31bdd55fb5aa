// Masks that are no file of their own: runs, polygons, a file for each object. They are drawn when they are needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
};

// One file for each object or each class. A pixel is inside where its value, of a colour the largest channel, is at
// least half of the file's largest; where files overlap, the later one covers.
struct MaskFile {
    std::string path;
    uint8_t id = 1;
};
std::shared_ptr<const MaskSource> joined_files(std::vector<MaskFile> files);

// Runs (data/rle.h), several for one image; later ones cover.
struct MaskRuns {
    std::string text, where;  // where: the list's file and line
    uint8_t id = 1;
};
std::shared_ptr<const MaskSource> joined_runs(std::vector<MaskRuns> runs, RunOrder order);

// The files that a mask is made of, for whoever looks after files; empty for the others.
std::vector<std::string> files_of(const MaskSource& source);

}  // namespace atrous::data
