// Large images in blocks of columns: the same results, to the bit, as in one.
#include "segmentation/column_blocks.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "base/philox.h"
#include "data/row_writer.h"
#include "data/transform.h"
#include "models/unet.h"
#include "segmentation/averaged_net.h"
#include "segmentation/logit_rows.h"
#include "segmentation/predictor.h"

namespace atrous::test {

namespace {

namespace fs = std::filesystem;

constexpr int64_t tiny = 1, all_of_it = int64_t{1} << 40;  // budgets

data::Image noisy(int64_t h, int64_t w) {
    data::Image image = data::make_image<uint8_t>(h, w, 3);
    for (int64_t i = 0; i < image.count(); ++i) image.u8[size_t(i)] = uint8_t((i * 7919 + i * i / 3) % 251);
    return image;
}

void write_tiff(const std::string& path, const data::Image& image) {
    io::write_durably(path, [&](io::FileSink& sink) {
        const auto writer = data::tiff_writer(sink, {image.h, image.w, image.c});
        writer->put(image);
        writer->finish();
    });
}

// A net of windows of 16x16 that was trained on images of that size, and an image of 61x1111 pixels.
class ColumnBlocks : public testing::Test {
 protected:
    static constexpr int64_t height = 61, width = 1111;

    ColumnBlocks() {
        fs::create_directories(root_);
        write_tiff(at("wide.tif"), noisy(height, width));
        data::save_png(at("wide.png"), noisy(height, width));
        loaded_.card.height = loaded_.card.width = 16;
        loaded_.card.sources = {16, 16, 16, 16};
        give_net(3);
    }
    ~ColumnBlocks() override { fs::remove_all(root_); }

    std::string at(const std::string& name) const { return (root_ / name).string(); }
    void give_net(int64_t classes) {
        loaded_.card.net = unet({.out_channels = classes, .base_channels = 2, .depth = 1});
        loaded_.net = make_net(loaded_.card.net);
        loaded_.net->materialize({});
        loaded_.net->set_training(false);
    }
    ImageView view(const WindowOptions& windows) const { return view_of(loaded_.card, windows, height, width); }

    // Of the net's results for the image, and what is said of them.
    struct Results {
        std::vector<data::Image> images;
        std::string line;
    };
    Results predict(WindowOptions windows, int64_t budget, const std::string& format = "tiff",
                    const std::string& image = "wide.tif") {
        windows.rows_in_memory = budget;
        const std::vector<std::string> wanted{"index", "binary", "probability", "overlay"};
        Predictor predictor(loaded_, wanted, 0.1, root_.string(), windows, format);
        Results results;
        results.line = predictor.predict({at(image), "result"});
        for (const std::string& path : predictor.paths_of({at(image), "result"}))
            results.images.push_back(data::load_image(path));
        return results;
    }
    void expect_same(const WindowOptions& windows) {
        const auto image = data::open_rows(at("wide.tif"));
        ASSERT_GE(column_blocks(*image, view(windows), 3, 6, tiny).size(), 3u);
        const Results blocks = predict(windows, tiny), one = predict(windows, all_of_it);
        EXPECT_EQ(blocks.line, one.line);
        for (size_t i = 0; i < one.images.size(); ++i) EXPECT_EQ(blocks.images[i].u8, one.images[i].u8) << "file " << i;
        const data::Image& probability = one.images[3];  // in the order of names
        EXPECT_GT(std::set<uint8_t>(probability.u8.begin(), probability.u8.end()).size(), 1u)
            << "a result that says something";
    }

    const fs::path root_ = fs::temp_directory_path() / ("atrous columns " + std::to_string(getpid()));
    LoadedNet loaded_;
};

// The logits of a place in the view, whichever window they are asked of: windows that disagree, and no two places alike.
std::vector<float> logits_of(Random& random, int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    for (float& v : values) v = float(random.normal());
    return values;
}

// The rows of some columns, joined. The row above each piece is checked to be the one before it.
class Joined {
 public:
    explicit Joined(int64_t row) : row_(row) {}
    TakeRows take() {
        return [this](int64_t first, int64_t count, const float* rows) {
            EXPECT_EQ(first * row_, int64_t(values.size()));
            if (first > 0) {
                EXPECT_EQ(std::vector<float>(rows - row_, rows), std::vector<float>(values.end() - row_, values.end()));
            }
            values.insert(values.end(), rows, rows + count * row_);
        };
    }
    std::vector<float> values;

 private:
    int64_t row_;
};

// Of values [h][w][c] those of some columns.
std::vector<float> columns_of(const std::vector<float>& values, int64_t w, int64_t c, Columns columns) {
    std::vector<float> some;
    for (size_t row = 0; row < values.size(); row += size_t(w * c))
        for (int64_t i = columns.first * c; i < columns.end() * c; ++i) some.push_back(values[row + size_t(i)]);
    return some;
}

}  // namespace

TEST_F(ColumnBlocks, CoverTheImageByWholeTiles) {
    const auto image = data::open_rows(at("wide.tif"));
    for (const char* windows : {"on", "exact"})
        for (const int64_t budget : {tiny, all_of_it}) {
            const auto blocks = column_blocks(*image, view({windows, 0.25}), 3, 6, budget);
            EXPECT_EQ(blocks.size() == 1, budget != tiny) << windows << " " << budget;
            int64_t own = 0, seen = 0;
            for (const ColumnBlock& block : blocks) {
                EXPECT_EQ(block.own.first, own);
                EXPECT_EQ(block.own.first % data::tiff_tile, 0);
                EXPECT_EQ(block.view.first, seen);
                EXPECT_GE(block.view.count, (enough_windows - 1) * 16) << "not much more than what is computed twice";
                own = block.own.end(), seen = block.view.end();
            }
            EXPECT_EQ(own, width);
            EXPECT_EQ(seen, width);
        }
    EXPECT_EQ(column_blocks(*image, view({"off", 0.25}), 3, 6, tiny).size(), 1u) << "the net sees all at once";
    EXPECT_EQ(with_neighbours({0, 5}, 9), (Columns{0, 6}));
    EXPECT_EQ(with_neighbours({5, 4}, 9), (Columns{4, 5}));
    EXPECT_EQ(with_neighbours({0, 9}, 9), (Columns{0, 9}));
}

// Whatever the width, of images of 3 channels: what a block takes of logits. Windows so large that two of them take more than
// there is are two side by side.
TEST_F(ColumnBlocks, TakeNoMoreForAWiderImage) {
    ModelCard card = loaded_.card;
    card.resize = data::ResizeMode::none;
    class Rows : public data::ImageRows {
     public:
        Rows(int64_t w, bool alone) : ImageRows(1 << 20, w, "") {
            pixel_bytes_ = 3, rows_at_once_ = 512, decodes_columns_ = alone;
        }
        data::Image read(int64_t) override { return {}; }
    };
    const auto widest = [&](int64_t w, int64_t window, int64_t classes, bool alone) {
        card.height = card.width = window;
        const Rows image(w, alone);
        int64_t most = 0;
        for (const ColumnBlock& block : column_blocks(image, view_of(card, {}, 1 << 20, w), classes, data::tiff_tile))
            most = std::max(most, block.view.count);
        return most;
    };
    for (const bool alone : {true, false})
        for (const int64_t w : {5'000, 20'000, 100'000, 1'000'000}) {
            const int64_t of_classes = widest(w, 512, 21, alone), of_two = widest(w, 256, 1, alone);
            EXPECT_LE(of_classes * 512 * 21 * 4, times_at_most * rows_in_memory) << w;
            EXPECT_GE(of_classes, 2 * 512) << w;
            EXPECT_LE(of_two * 256 * 4, (alone ? 1 : times_at_most) * rows_in_memory) << w;
            EXPECT_GE(of_two, std::min<int64_t>(w / 2, enough_windows * 256)) << w;
            EXPECT_LE(widest(w, 1024, 150, alone), 3 * 1024) << "at least two windows, of " << w;
        }
    EXPECT_GE(widest(1'000'000, 1024, 150, true), 2 * 1024 - data::tiff_tile);
}

// Rows that are decoded as a whole are decoded for each block anew: these are fewer. What is held beside makes more of them.
TEST_F(ColumnBlocks, AreWiderWhereColumnsAreNotDecodedAlone) {
    class Rows : public data::ImageRows {
     public:
        explicit Rows(bool alone) : ImageRows(1000, 1'000'000, "") {
            pixel_bytes_ = 3, rows_at_once_ = 64, decodes_columns_ = alone;
        }
        data::Image read(int64_t) override { return {}; }
    };
    ModelCard card = loaded_.card;
    card.resize = data::ResizeMode::none;
    const auto blocks = [&](bool alone, int64_t beside) {
        return column_blocks(Rows(alone), view_of(card, {}, 1000, 1'000'000), 3, beside).size();
    };
    EXPECT_NEAR(double(blocks(true, 0)) / double(times_at_most), double(blocks(false, 0)), 1) << "up to rounding";
    EXPECT_GT(blocks(true, 1024), 2 * blocks(true, 0));
}

// An image whose rows were given for one block is opened again for the next, also where that sees all columns.
TEST_F(ColumnBlocks, SeeTheSameImageTwice) {
    const auto image = data::open_rows(at("wide.tif"));
    std::vector<float> logits[2];
    for (auto& all : logits)
        logits_by_windows(
            loaded_, *image, view({"on", 0.25}), {0, width}, at("wide.tif"),
            [&](int64_t, int64_t n, const float* rows) { all.insert(all.end(), rows, rows + n * width * 3); });
    EXPECT_EQ(logits[0].size(), size_t(height * width * 3));
    EXPECT_EQ(logits[0], logits[1]);
}

TEST_F(ColumnBlocks, BlendTheSameLogits) {
    constexpr int64_t c = 2;
    const WindowGrid grid = window_grid(83, 301, 32, 24, 0.3);
    Random random(1, 2);
    const std::vector<float> all = logits_of(random, 83 * 301 + 32 * 24 * c);
    const auto logits = [&](int64_t top, int64_t left) {
        return all.data() + top * 301 + left;
    };  // no two windows agree
    Joined whole(301 * c);
    blend_windows(grid, c, logits, whole.take());
    for (const Columns columns : {Columns{0, 24}, {23, 1}, {100, 57}, {200, 101}}) {
        const Columns seen = seen_columns(grid, columns);
        Joined some(columns.count * c);
        blend_windows(
            grid, columns, c,
            [&](int64_t top, int64_t left) {
                EXPECT_GE(left, seen.first);
                EXPECT_LE(left + grid.window_width, seen.end());
                return logits(top, left);
            },
            some.take());
        EXPECT_EQ(some.values, columns_of(whole.values, 301, c, columns)) << "from column " << columns.first;
    }
}

TEST_F(ColumnBlocks, JoinTheSameExactWindows) {
    constexpr int64_t c = 2;
    const ExactGrid grid = exact_grid(50, 301, 20, 33, 9, 8);
    Random random(1, 2);
    const std::vector<float> all = logits_of(random, 60 * 310 * c);
    std::vector<float> window;
    Columns seen{0, grid.width};
    const auto logits = [&](const Rectangle& r) {
        EXPECT_GE(r.left, seen.first);
        EXPECT_LE(std::min(r.left + r.width, grid.width), seen.end());
        window.clear();
        for (int64_t y = r.top; y < r.top + r.height; ++y)
            for (int64_t i = r.left * c; i < (r.left + r.width) * c; ++i)
                window.push_back(all[size_t(y * 310 * c + i)]);
        return window.data();
    };
    Joined whole(301 * c);
    join_windows(grid, c, logits, whole.take());
    for (const Columns columns : {Columns{0, 40}, {39, 1}, {40, 40}, {200, 101}}) {
        seen = seen_columns(grid, columns);
        Joined some(columns.count * c);
        join_windows(grid, columns, c, logits, some.take());
        EXPECT_EQ(some.values, columns_of(whole.values, 301, c, columns)) << "from column " << columns.first;
    }
}

TEST_F(ColumnBlocks, ResizeTheSameLogits) {
    Random random(3, 4);
    for (const auto& [w, to] : {std::pair<int64_t, int64_t>{101, 333}, {333, 101}, {97, 97}})
        for (const int64_t c : {1, 3}) {
            const int64_t h = 9, to_h = 14;
            const std::vector<float> logits = logits_of(random, h * w * c);
            LogitRows whole(logits, h, w, c, to_h, to);
            const float* found = whole.rows(0, to_h);
            const std::vector<float> expected(found, found + to_h * to * c);
            for (const Columns columns : {Columns{0, 31}, {31, 1}, {32, to - 32}}) {
                const Columns source = LogitRows::source_columns(w, to, columns);
                const std::vector<float> part = columns_of(logits, w, c, source);
                LogitRows some(part.data(), h, w, source, c, to_h, to, columns);
                const float* rows = some.rows(0, to_h);
                EXPECT_EQ(std::vector<float>(rows, rows + to_h * columns.count * c),
                          columns_of(expected, to, c, columns))
                    << w << " to " << to << " from column " << columns.first;
            }
        }
}

TEST_F(ColumnBlocks, PredictTheSameByBlendedWindows) {
    expect_same({"on", 0.25});
    expect_same({"on", 0.6});
    give_net(1);
    expect_same({"auto", 0.25});
}

TEST_F(ColumnBlocks, PredictTheSameByExactWindows) { expect_same({"exact", 0.25}); }

// The net sees a smaller image, and a larger one.
TEST_F(ColumnBlocks, PredictTheSameOfResizedImages) {
    for (const int64_t trained : {21, 11}) {
        loaded_.card.sources = {trained, trained, trained, trained};
        SCOPED_TRACE(trained);
        expect_same({"on", 0.25});
    }
    loaded_.card.sources = {21, 21, 21, 21};
    expect_same({"exact", 0.25});
}

TEST_F(ColumnBlocks, PredictTheSameByAverages) {
    std::vector<std::unique_ptr<SegmentationNet>> nets;
    nets.push_back(std::move(loaded_.net));
    nets.push_back(make_net(loaded_.card.net));
    nets.back()->materialize({});
    nets.back()->set_training(false);
    loaded_.net = std::make_unique<AveragedNet>(std::move(nets), TestTimeAugmentation{"horizontal", {1.5}}, true);
    loaded_.net->set_training(false);
    expect_same({"on", 0.25});
}

TEST_F(ColumnBlocks, PredictTheSameAsPng) {
    const Results png = predict({"on", 0.25}, tiny, "png"), tiff = predict({"on", 0.25}, tiny);
    const Results one = predict({"on", 0.25}, all_of_it, "png");
    EXPECT_EQ(png.line, tiff.line);
    for (size_t i = 0; i < png.images.size(); ++i) {
        EXPECT_EQ(png.images[i].u8, tiff.images[i].u8) << "file " << i;
        EXPECT_EQ(png.images[i].u8, one.images[i].u8) << "file " << i;
    }
    EXPECT_EQ(predict({"on", 0.25}, tiny, "tiff", "wide.png").images[0].u8, tiff.images[0].u8) << "PNG in, TIFF out";
}

// It is asked also while the PNG is made of its blocks, which takes as long as a large image's results.
TEST_F(ColumnBlocks, APredictionStopsWhileItsPngIsMade) {
    const auto asked = [&](const char* format, int64_t stop_at) {
        int64_t calls = 0;
        WindowOptions windows{"on", 0.25};
        windows.rows_in_memory = tiny;
        Predictor predictor(loaded_, {"index"}, 0, root_.string(), windows, format);
        predictor.stop_when([&] { return ++calls == stop_at; });
        predictor.predict({at("wide.tif"), "stopped"});
        return calls;
    };
    const int64_t of_windows = asked("tiff", 0);
    fs::remove(root_ / "stopped_index.tif");
    EXPECT_THROW(asked("png", of_windows + 1), Stopped);
    EXPECT_FALSE(fs::exists(root_ / "stopped_index.png"));
}

// What fails in a later block leaves nothing of the earlier ones.
TEST_F(ColumnBlocks, AFailureInALaterBlockLeavesNoFile) {
    for (const char* format : {"tiff", "png"}) {
        int64_t calls = 0;
        WindowOptions windows{"on", 0.25};
        windows.rows_in_memory = tiny;
        Predictor predictor(loaded_, {"index"}, 0, root_.string(), windows, format);
        const int64_t rows_of_windows = int64_t(view(windows).grid.tops.size());
        predictor.stop_when([&] { return ++calls > rows_of_windows + 1; });
        EXPECT_THROW(predictor.predict({at("wide.tif"), "stopped"}), Stopped);
    }
    for (const auto& entry : fs::directory_iterator(root_))
        EXPECT_TRUE(entry.path().filename().string().starts_with("wide.")) << entry.path();
}

}  // namespace atrous::test
