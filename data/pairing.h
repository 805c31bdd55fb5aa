// Which mask goes with which image, by their names.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace atrous::data {

// A file below the folder that is searched.
struct NamedFile {
    std::string path;
    std::string folder, stem, extension;  // "site0", "img_1", ".png": the path below the searched folder, in parts
    std::vector<std::string> bands = {};  // the files of an image whose channels are files (data/band_names.h)
};
NamedFile named_file(const std::string& path, const std::string& below);

struct Pairing {
    std::vector<size_t> mask_of;  // by image; none where there is no mask
    std::string rule;             // how names correspond where they are not the same: "NAME_sat with NAME_mask"
    static constexpr size_t none = size_t(-1);
    bool complete() const;
};

// A mask has its image's folder and stem, also with _mask, _label, _gt and the like appended. Where that leaves an image
// alone, one rewriting of names is looked for that gives every image a mask of its own: a prefix, a suffix or both
// exchanged ("img_1" and "mask_1"), the whole file name kept ("a.jpg.png"), then the same without regard to case and to
// the forms of Unicode, then without regard to folders. A single image must share a whole word with its mask, for no other
// bears the rewriting out. Throws DataError where several rewritings do so with different masks; it names them and
// `masks_folder`.
Pairing pair_names(const std::vector<NamedFile>& images, const std::vector<NamedFile>& masks,
                   const std::string& masks_folder);

// Suffixes that a mask may have behind its image's stem, the empty one first.
const std::vector<std::string>& mask_suffixes();

// The name of `candidates` that is nearest to `name` by edit distance; empty where there are none.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

// The same for names that differ only in case or in how Unicode writes accents (NFC, NFD).
std::string folded(const std::string& name);

}  // namespace atrous::data
