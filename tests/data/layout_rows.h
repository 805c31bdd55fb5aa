// Tables of data sets: each row draws one and says what becomes of it.
#pragma once

#include <fmt/core.h>

#include "sets.h"

namespace atrous::data::test {

struct Read {
    Dataset dataset;
    DatasetReport report;
    RawMask mask(size_t i = 0) const {
        const Sample& sample = dataset.train[i];
        const Image image = load_image(sample.image_path);
        return load_mask(sample, image.h, image.w);
    }
    bool notes(const std::string& words) const {
        for (const auto* list : {&dataset.notes, &dataset.warnings, &report.warnings})
            for (const std::string& line : *list)
                if (line.find(words) != std::string::npos) return true;
        return false;
    }
};

// As a training reads it.
inline Read read_set(const TempDir& dir, const std::function<void(DatasetOptions&)>& change = {},
                     const std::string& rule = "auto") {
    Read read{find(dir, change), {}};
    std::vector<Sample> all = read.dataset.train;
    all.insert(all.end(), read.dataset.val.begin(), read.dataset.val.end());
    CheckOptions options;
    options.rule =
        parse_mask_rule(rule == "auto" && !read.dataset.mask_values.empty() ? read.dataset.mask_values : rule);
    options.rule_of_set = is_rule_of(read.dataset, options.rule);
    options.threads = 1;
    options.named_classes = int(read.dataset.class_names.size());
    options.train_count = int64_t(read.dataset.train.size());
    read.report = check_dataset(all, options);
    return read;
}

struct SetRow {
    const char* name;
    std::function<void(TempDir&)> draw;
    std::function<void(const Read&)> accepted;  // empty: it is refused
    Names refusal = {};                         // words of the one line
    std::function<void(DatasetOptions&)> options = {};
    std::string rule = "auto";
};

inline void run_rows(const std::vector<SetRow>& rows) {
    for (const SetRow& row : rows) {
        SCOPED_TRACE(row.name);
        TempDir dir;
        row.draw(dir);
        if (!row.accepted) {
            expect_error<Error>([&] { read_set(dir, row.options, row.rule); }, row.refusal);
            continue;
        }
        try {
            row.accepted(read_set(dir, row.options, row.rule));
        } catch (const Error& error) {
            ADD_FAILURE() << "should be accepted, was refused: " << error.what();
        }
    }
}

// A mask of 6 x 8 whose rows hold these values in turn.
inline void add_values(const std::string& path, const std::vector<uint8_t>& values, int64_t h = 6, int64_t w = 8) {
    Image mask = make_image<uint8_t>(h, w, 1);
    for (size_t i = 0; i < mask.u8.size(); ++i) mask.u8[i] = values[i % values.size()];
    save_png(path, mask);
}
inline void add_colours(const std::string& path, const std::vector<uint32_t>& colours) {
    Image mask = make_image<uint8_t>(6, 8, 3);
    for (size_t i = 0; i < 48; ++i)
        for (size_t ch = 0; ch < 3; ++ch) mask.u8[3 * i + ch] = uint8_t(colours[i % colours.size()] >> (16 - 8 * ch));
    save_png(path, mask);
}
// The pixels of 6 x 8 in rows, for a mask to be compared with.
inline std::vector<uint8_t> drawn(const Names& rows) {
    std::vector<uint8_t> values;
    for (const std::string& row : rows)
        for (const char c : row) values.push_back(c == '.' ? 0 : uint8_t(c - '0'));
    return values;
}
inline auto counts(size_t train, size_t val, size_t test, int classes) {
    return [=](const Read& r) {
        EXPECT_EQ(r.dataset.train.size(), train);
        EXPECT_EQ(r.dataset.val.size(), val);
        EXPECT_EQ(r.dataset.test.size(), test);
        EXPECT_EQ(r.report.rule.class_count, classes);
    };
}

}  // namespace atrous::data::test
