#include "segmentation/windows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/error.h"
#include "models/unet.h"
#include "segmentation/image_view.h"
#include "segmentation/windowed_net.h"

namespace atrous::test {

// Every pixel lies in a window, the first and last touch the borders, neighbours share at least what was asked for.
TEST(Windows, TheGridCoversTheImage) {
    for (const int64_t size : {1, 7, 48, 49, 60, 96, 97, 480, 1000})
        for (const double overlap : {0.0, 0.25, 0.5, 0.9}) {
            const WindowGrid grid = window_grid(size, 31, 48, 48, overlap);
            const int64_t window = std::min<int64_t>(size, 48);
            EXPECT_EQ(grid.window_height, window);
            EXPECT_EQ(grid.tops.front(), 0);
            EXPECT_EQ(grid.tops.back() + window, size);
            for (size_t i = 1; i < grid.tops.size(); ++i)
                EXPECT_GE(window - (grid.tops[i] - grid.tops[i - 1]), int64_t(overlap * double(window)))
                    << size << " " << overlap;
            EXPECT_EQ(grid.lefts, std::vector<int64_t>{0});
        }
}

TEST(Windows, AnImageOfAWindowsSizeIsOneWindow) {
    const WindowGrid grid = window_grid(48, 64, 48, 64, 0.5);
    EXPECT_EQ(grid.windows(), 1);
}

// Windows of a function of the place alone agree where they overlap, so that blending changes nothing: a wrong row, column
// or weight does. 2^-20: three float roundings of values below 8.
TEST(Windows, BlendingWindowsThatAgreeGivesTheImageBack) {
    constexpr int64_t channels = 2;
    const WindowGrid grid = window_grid(101, 77, 32, 20, 0.3);
    ASSERT_GT(grid.windows(), 12);
    const auto value = [](int64_t y, int64_t x, int64_t ch) { return float((y * 3 + x * 5 + ch) % 8); };
    std::vector<float> window;
    std::vector<int64_t> rows_seen;
    blend_windows(
        grid, channels,
        [&](int64_t top, int64_t left) {
            window.clear();
            for (int64_t y = 0; y < grid.window_height; ++y)
                for (int64_t x = 0; x < grid.window_width; ++x)
                    for (int64_t ch = 0; ch < channels; ++ch) window.push_back(value(top + y, left + x, ch));
            return window.data();
        },
        [&](int64_t first, int64_t count, const float* rows) {
            for (int64_t y = first; y < first + count; ++y) {
                rows_seen.push_back(y);
                for (int64_t x = 0; x < grid.width; ++x)
                    for (int64_t ch = 0; ch < channels; ++ch)
                        ASSERT_NEAR(*rows++, value(y, x, ch), 1e-6 * 8) << "row " << y << ", column " << x;
            }
        });
    std::vector<int64_t> all(101);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(rows_seen, all);
}

// A window's edge counts less than the middle of its neighbour.
TEST(Windows, WeightsRiseFromTheEdges) {
    const std::vector<float> weights = window_weights(8, {0, 4, 8});
    EXPECT_EQ(weights, (std::vector<float>{.2f, .4f, .6f, .8f, .8f, .6f, .4f, .2f}));
    EXPECT_EQ(window_weights(3, {0}), (std::vector<float>{1, 1, 1}));
}

namespace {

ModelCard card_of(int64_t size, SourceSizes sources) {
    ModelCard card;
    card.height = card.width = size;
    card.sources = sources;
    return card;
}

}  // namespace

// Trained on images of 100 to 200 pixels at 64: windows begin beyond 400, at 64/200 of the image's size.
TEST(ImageView, WindowsAreForImagesOfAnotherScale) {
    const ModelCard card = card_of(64, {100, 100, 200, 200});
    const auto view = [&](int64_t h, int64_t w, const char* windows) { return view_of(card, {windows, 0.25}, h, w); };
    EXPECT_EQ(view(400, 400, "auto").grid.windows(), 1);
    EXPECT_EQ(view(400, 400, "auto").note, "");
    EXPECT_EQ(view(401, 300, "auto").grid.height, 128);
    EXPECT_EQ(view(401, 300, "auto").grid.width, 96);
    EXPECT_GT(view(401, 300, "auto").grid.windows(), 1);
    EXPECT_EQ(view(401, 300, "off").grid.windows(), 1);
    EXPECT_EQ(view(200, 200, "on").grid.windows(), 1);
    EXPECT_EQ(view(200, 400, "on").grid.width, 128);
    EXPECT_NE(view(2000, 200, "off").note.find("shrunk 10.0 times"), std::string::npos);
    EXPECT_NE(view(25, 25, "auto").note.find("enlarged 4.0 times"), std::string::npos);
    EXPECT_EQ(view(25, 100, "auto").note, "") << "as wide as the training's";
}

// Wide photos are trained on, a tall one is seen: both sides are as large as known, its proportions are not.
TEST(ImageView, ProportionsFarFromTheTrainingsAreSaid) {
    ModelCard card = card_of(64, {100, 200, 100, 200});
    EXPECT_NE(view_of(card, {}, 200, 90).note.find("stretched: 4.4 times as high for its width"), std::string::npos);
    EXPECT_EQ(view_of(card, {}, 100, 110).note, "");
    EXPECT_NE(view_of(card, {}, 60, 300).note.find("stretched: 2.5 times as wide for its height"), std::string::npos);
    card.resize = data::ResizeMode::letterbox;
    EXPECT_EQ(view_of(card, {}, 200, 90).note, "");
}

TEST(ImageView, ALetterboxKeepsProportions) {
    ModelCard card = card_of(64, {100, 200, 100, 200});
    card.resize = data::ResizeMode::letterbox;
    const ImageView one = view_of(card, {}, 200, 100);
    EXPECT_EQ(one.grid.windows(), 1);
    EXPECT_EQ(one.grid.height, 64);
    EXPECT_EQ(one.grid.width, 32);
    EXPECT_EQ(one.padded, ImageSize(64));
    const ImageView large = view_of(card, {}, 400, 1000);
    EXPECT_EQ(large.grid.width, 320) << "the training's largest image became 64 of 200 pixels";
    EXPECT_EQ(large.grid.height, 128);
    EXPECT_EQ(large.grid.window_width, 64);
    EXPECT_TRUE(large.padded.none());
}

TEST(ImageView, ImagesThatStayAsTheyAreKeepTheirScale) {
    ModelCard card = card_of(64, {100, 200, 100, 200});
    card.resize = data::ResizeMode::none;
    EXPECT_EQ(view_of(card, {}, 64, 60).grid.windows(), 1);
    EXPECT_EQ(view_of(card, {}, 64, 60).grid.window_width, 60);
    const ImageView view = view_of(card, {"auto", 0.25}, 100, 64);
    EXPECT_EQ(view.grid.height, 100);
    EXPECT_EQ(view.grid.windows(), 2);
    EXPECT_EQ(view.note, "2 windows of 64x64");
    const ImageView whole = view_of(card, {"off", 0.25}, 1000, 640);
    EXPECT_EQ(whole.grid.windows(), 1);
    EXPECT_EQ(whole.grid.window_height, 1000);
}

// One wide image and one high one: no image is as large as both together.
TEST(ScoringViews, SpeakOfAnImageThatIsThere) {
    ModelCard card = card_of(64, {100, 100, 200, 200});
    card.net = unet({.base_channels = 2, .depth = 1});
    LoadedNet loaded;
    loaded.card = card;
    loaded.net = make_net(card.net);
    loaded.net->materialize({});
    data::DatasetReport set;
    set.sizes = {{401, 100}, {100, 300}, {90, 90}};
    set.min_h = 90, set.min_w = 90, set.max_h = 401, set.max_w = 300;
    EXPECT_EQ(scoring_view(loaded, {}, set, 1, 0).note, "the largest image: " + view_of(card, {}, 401, 100).note);
    EXPECT_NE(view_of(card, {}, 401, 300).note, view_of(card, {}, 401, 100).note);
    set.sizes = {{90, 90}};
    EXPECT_EQ(scoring_view(loaded, {"on", 0.25}, set, 1, 0).note, "the largest image: 1 window of 29x29");
}

// Tiny training images at a large size: a view of the large image that no memory holds is not tried.
TEST(ImageView, AViewBeyondAllSizesIsNotTaken) {
    const ModelCard card = card_of(256, {16, 16, 16, 16});
    EXPECT_EQ(view_of(card, {"auto", 0.25}, 3000, 2000).grid.windows(), 1);
    EXPECT_NE(view_of(card, {"auto", 0.25}, 3000, 2000).note.find("it would be too large"), std::string::npos);
    EXPECT_THROW(view_of(card, {"on", 0.25}, 3000, 2000), DataError);
}

// Checkpoints from before sizes were recorded go on as they did; windows asked for are refused.
TEST(ImageView, ACheckpointWithoutSizesHasNoScale) {
    const ModelCard card = card_of(64, {});
    EXPECT_EQ(view_of(card, {}, 5000, 5000).grid.windows(), 1);
    EXPECT_EQ(view_of(card, {}, 5000, 5000).note, "");
    EXPECT_THROW(view_of(card, {"on", 0.25}, 100, 100), UsageError);
}

}  // namespace atrous::test
