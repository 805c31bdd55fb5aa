#include "data/mask_source.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "data/fingerprint.h"

namespace atrous::data {

namespace {

uint32_t level_of(const RawMask& mask, int64_t pixel) {
    const uint32_t value = mask.value(pixel);
    return value & colour_flag ? std::max({value >> 16 & 255, value >> 8 & 255, value & 255}) : value;
}

void add_file(const MaskFile& file, LabelForm form, Image& labels) {
    const RawMask mask = load_mask(file.path);
    if (mask.image.h != labels.h || mask.image.w != labels.w)
        throw DataError(
            fmt::format("{}: the mask is {}x{}, but its image is {}x{}; export the mask at the image's size", file.path,
                        mask.image.w, mask.image.h, labels.w, labels.h));
    uint32_t top = 0;
    for (int64_t i = 0; i < labels.h * labels.w; ++i) top = std::max(top, level_of(mask, i));
    if (top == 0) return;
    for (int64_t i = 0; i < labels.h * labels.w; ++i)
        if (2 * level_of(mask, i) >= top) mark(labels.u8[size_t(i)], file.id, form);
}

class JoinedFiles : public MaskSource {
 public:
    JoinedFiles(std::vector<MaskFile> files, LabelForm form) : files(std::move(files)), form_(form) {}
    RawMask draw(int64_t h, int64_t w, const std::string&) const override {
        RawMask mask{make_image<uint8_t>(h, w, 1), {}};
        for (const MaskFile& file : files) add_file(file, form_, mask.image);
        return mask;
    }
    uint64_t fingerprint() const override {
        Fingerprint print;
        for (const MaskFile& file : files) print.add(file.path), print.add(file.id);
        if (form_ == LabelForm::bits) print.add(int(form_));
        return print.value();
    }
    std::shared_ptr<const MaskSource> in_bits() const override {
        for (const MaskFile& file : files) check_bit_class(file.id, file.path);
        return std::make_shared<JoinedFiles>(files, LabelForm::bits);
    }
    const std::vector<MaskFile> files;

 private:
    const LabelForm form_;
};

class JoinedRuns : public MaskSource {
 public:
    JoinedRuns(std::vector<MaskRuns> runs, RunOrder order, LabelForm form)
        : runs_(std::move(runs)), order_(order), form_(form) {}
    RawMask draw(int64_t h, int64_t w, const std::string&) const override {
        RawMask mask{make_image<uint8_t>(h, w, 1), {}};
        for (const MaskRuns& runs : runs_) {
            const Image one = decode_rle(runs.text, h, w, runs.where, order_);
            for (size_t i = 0; i < one.u8.size(); ++i)
                if (one.u8[i]) mark(mask.image.u8[i], runs.id, form_);
        }
        return mask;
    }
    uint64_t fingerprint() const override {
        Fingerprint print;
        print.add(int(order_));
        for (const MaskRuns& runs : runs_) print.add(runs.text), print.add(runs.id);
        if (form_ == LabelForm::bits) print.add(int(form_));
        return print.value();
    }
    std::shared_ptr<const MaskSource> in_bits() const override {
        for (const MaskRuns& runs : runs_) check_bit_class(runs.id, runs.where);
        return std::make_shared<JoinedRuns>(runs_, order_, LabelForm::bits);
    }

 private:
    const std::vector<MaskRuns> runs_;
    const RunOrder order_;
    const LabelForm form_;
};

}  // namespace

std::shared_ptr<const MaskSource> joined_files(std::vector<MaskFile> files) {
    return std::make_shared<JoinedFiles>(std::move(files), LabelForm::ids);
}

std::shared_ptr<const MaskSource> joined_runs(std::vector<MaskRuns> runs, RunOrder order) {
    return std::make_shared<JoinedRuns>(std::move(runs), order, LabelForm::ids);
}

void check_bit_class(uint8_t id, const std::string& where) {
    if (id <= max_bit_classes || id == ignored_class) return;
    throw DataError(
        fmt::format("{}: class {}; with `multi-label` there are at most {} classes, a bit each; leave out masks of the "
                    "others, or leave out `multi-label`",
                    where, id, max_bit_classes));
}

std::vector<std::string> files_of(const MaskSource& source) {
    std::vector<std::string> paths;
    if (const auto* joined = dynamic_cast<const JoinedFiles*>(&source))
        for (const MaskFile& file : joined->files) paths.push_back(file.path);
    return paths;
}

}  // namespace atrous::data
